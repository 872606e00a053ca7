package record

import (
	"bytes"
	"math"
	"time"

	"weir/cache"
	"weir/cache/policy"
)

// Of makes a record of what a cache has, received at a time that the caller
// tells by his clock. It shares its memory. False means that the content is not
// whole.
func Of(from cache.Record, received int64) (*Record, bool) {
	e := from.Entry
	r := &Record{
		Key: from.Key, Stage: from.Place.Stage, Host: from.Place.Host, Path: from.Place.Path, Query: from.Place.Query,
		Selected: from.Selected, Validate: from.Validate, Received: received,
		Status: e.Status, Lines: e.Lines, Terms: e.Terms, Vary: e.Vary, Tags: e.Tags,
		Encoded: e.Encoded, PlainLength: e.PlainLength, PlainLines: e.PlainLines,
	}
	var c cache.Cursor
	c.Begin(e.Body, 0, -1)
	for piece := c.Take(); len(piece) > 0; piece = c.Take() {
		r.Body = append(r.Body, piece)
	}
	r.Trailers = c.Trailers()
	return r, c.Done() && c.Err() == nil
}

// Entry makes what a cache can keep, received at by its clock. It shares the
// record's memory.
func (r *Record) Entry(at int64) cache.Record {
	return cache.Record{
		Key:      r.Key,
		Place:    cache.Place{Stage: r.Stage, Host: r.Host, Path: r.Path, Query: r.Query},
		Selected: r.Selected,
		Validate: r.Validate,
		Entry: &cache.Entry{
			Status: r.Status, Lines: r.Lines, Terms: r.Terms, Vary: r.Vary, Tags: r.Tags, At: at,
			Encoded: r.Encoded, PlainLength: r.PlainLength, PlainLines: r.PlainLines, Body: r.body(),
		},
	}
}

func (r *Record) body() *cache.Body {
	content := bytes.Join(r.Body, nil)
	if len(r.Body) == 1 {
		content = r.Body[0]
	}
	if len(r.Trailers) == 0 {
		return cache.WholeBody(content)
	}
	b := cache.NewBody(int64(len(content)))
	for len(content) > 0 {
		n := copy(b.Room(), content)
		b.Commit(n)
		content = content[n:]
	}
	b.End(r.Trailers, nil)
	return b
}

// Left returns for how long an answer that was received resident ago may still
// be used without asking the upstream: fresh, or stale where its terms allow it.
func Left(t *policy.Terms, resident time.Duration) time.Duration {
	if t.NoCache {
		return 0
	}
	total := t.Lifetime
	if more := max(t.StaleWhileRevalidate, t.StaleIfError); !t.MustRevalidate {
		total = add(total, more)
	}
	return max(0, total-min(total, add(max(0, t.InitialAge), max(0, resident))))
}

// add adds two durations that are not negative.
func add(a, b time.Duration) time.Duration {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// IsSpent tells whether an answer is of no use any more, not even to be
// validated.
func IsSpent(t *policy.Terms, resident time.Duration) bool {
	return Left(t, resident) == 0 && t.ETag == nil && t.LastModified == 0
}
