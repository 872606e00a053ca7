package shared

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"time"

	"weir/cache"
	"weir/cache/record"

	"github.com/redis/rueidis"
)

// What a value begins with.
const (
	kindRecord = 'R' // the record's position, in digits, and the record follow
	kindVary   = 'V' // the names of Vary follow: the record lies under their values
	kindLong   = 'L' // the record lies beside, where it delays nobody
)

// mostNames bounds the names of Vary.
const mostNames = 64

// Get returns what some node has stored for the key and may be selected by s: an
// entry that the caller may give to a fill and that no purge concerns, as far as
// this node knows of them. It takes no longer than the timeout, and no time while
// Redis is away.
func (t *Tier) Get(k *cache.Key, s cache.Selector) cache.Found {
	if t.away.Load() {
		return cache.Found{}
	}
	until := time.Now().Add(t.config.Timeout)
	key := t.key(k.Full())
	value := t.fetch(key, until)
	var selected []byte
	if len(value) > 0 && value[0] == kindVary {
		names, ok := parseNames(value[1:])
		if !ok {
			return t.damaged()
		}
		selected = cache.AppendSelected(nil, names, s)
		value = t.fetch(variant(key, selected), until)
	}
	if value == nil {
		t.counts.misses.Add(1)
		return cache.Found{}
	}
	const begin = 1 + orderLength
	if value[0] != kindRecord || len(value) < begin {
		return t.damaged()
	}
	r, err := record.Parse(value[begin:])
	if err != nil || string(value[1:begin]) != string(appendOrder(nil, r.Since)) {
		return t.damaged()
	}
	return t.found(r, k.Full(), selected)
}

func (t *Tier) damaged() cache.Found {
	t.counts.damaged.Add(1)
	t.counts.misses.Add(1)
	return cache.Found{}
}

// found holds a record against what was asked for, its age and the purges.
func (t *Tier) found(r *record.Record, full, selected []byte) cache.Found {
	_, now := t.clock.now(time.Since(t.began))
	resident := now - time.Duration(r.Received)
	born, known := t.history.born(r.Since, t.cache.Number())
	if !known || !bytes.Equal(r.Key, full) || !bytes.Equal(r.Selected, selected) || resident < -jump ||
		record.Left(&r.Terms, resident) == 0 {
		t.counts.misses.Add(1)
		return cache.Found{}
	}
	of := r.Entry(t.cache.Now() - int64(max(0, resident)))
	gone, validate := t.cache.Concerns(of, born)
	if gone {
		t.counts.misses.Add(1)
		return cache.Found{}
	}
	t.counts.hits.Add(1)
	return cache.Found{Entry: of.Entry, Validate: validate || r.Validate}
}

// fetch returns the value of a key, nil for none.
func (t *Tier) fetch(key string, until time.Time) []byte {
	value := t.ask(until, func(ctx context.Context, c *clients) ([]byte, error) {
		return c.asks.Do(ctx, c.asks.B().Get().Key(key).Build()).AsBytes()
	})
	if len(value) == 0 || value[0] != kindLong {
		return value
	}
	return t.ask(until, func(ctx context.Context, c *clients) ([]byte, error) {
		return c.bulk.Do(ctx, c.bulk.B().Get().Key(long(key)).Build()).AsBytes()
	})
}

func (t *Tier) ask(until time.Time, f func(context.Context, *clients) ([]byte, error)) []byte {
	value, err := within(t, time.Until(until), f)
	if errors.Is(err, errClosed) {
		return nil
	}
	if t.judge(err); err != nil || rueidis.IsRedisNil(err) || len(value) == 0 {
		return nil
	}
	return value
}

// key returns where a key's answer lies. The key is hashed, so that nothing of a
// client can be read in the names, and is the hash tag, so that all that belongs
// to it lies on one server of a Cluster.
func (t *Tier) key(full []byte) string {
	return t.config.Redis.Prefix + ":c:{" + digest(full) + "}"
}

func variant(key string, selected []byte) string { return key + ":" + digest(selected) }

func long(key string) string { return key + ":long" }

func digest(b []byte) string {
	sum := sha256.Sum256(b)
	return base64.RawURLEncoding.EncodeToString(sum[:16])
}

func appendNames(dst []byte, names []string) []byte {
	dst = binary.AppendUvarint(dst, uint64(len(names)))
	for _, name := range names {
		dst = appendText(dst, name)
	}
	return dst
}

// parseNames reads what appendNames has appended.
func parseNames(data []byte) (names []string, ok bool) {
	r := texts{rest: string(data)}
	names = r.list(mostNames)
	for _, name := range names {
		r.wrong = r.wrong || name == ""
	}
	return names, !r.wrong && r.rest == "" && len(names) > 0
}
