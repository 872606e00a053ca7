package shared

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"weir/cache"

	"github.com/redis/rueidis"
)

const (
	// flushing is the time between two rounds of invalidations, each of which sends
	// mostFlushed at most: a client that changes things all the time must not push
	// purges out of the stream.
	flushing    = 100 * time.Millisecond
	mostFlushed = 10
	// mostInvalidations bounds those that wait.
	mostInvalidations = 1024
	// overdue is after which time a message that was not seen is sent again.
	overdue = 2 * time.Second
)

// Purge purges here and on all nodes. It has its effect here when it returns,
// whatever the error; that says that the others could not be told yet (ErrLater).
func (t *Tier) Purge(p cache.Purge) error {
	if len(p.Tags) > mostTags {
		p.Tags = nil // too much rather than too little
	}
	m := t.history.add(message{origin: t.origin, purge: p}, t.cache.Number(), false)
	t.cache.Purge(p)
	t.history.done(m.number, t.cache.Number())
	if t.away.Load() {
		_, _, err := t.State()
		return fmt.Errorf("cannot tell other nodes of a purge: %w: %w", err, ErrLater)
	}
	t.history.sent(m.number)
	_, err := within(t, asking, func(ctx context.Context, c *clients) (struct{}, error) {
		return struct{}{}, c.asks.Do(ctx, t.add(c.asks, *m, "*")).Error()
	})
	if t.judge(err); err != nil {
		return fmt.Errorf("cannot tell other nodes of a purge: %w: %w", err, ErrLater)
	}
	t.counts.sent.Add(1)
	return nil
}

// PurgeSoon is Purge for those who must not wait: other nodes are told in the
// background, if there are not too many.
func (t *Tier) PurgeSoon(p cache.Purge) {
	t.tellSoon(p)
	t.cache.Purge(p)
}

// Invalidate is Cache.Invalidate, of which other nodes are told as by PurgeSoon.
func (t *Tier) Invalidate(host, path, query []byte) {
	t.tellSoon(cache.Purge{Soft: true, Host: string(host), Path: string(path), Query: string(query)})
	t.cache.Invalidate(host, path, query)
}

// tellSoon has other nodes told of a purge that has no effect yet.
func (t *Tier) tellSoon(p cache.Purge) {
	switch {
	case t.history.isWaiting(&p):
		return
	case t.history.pending() >= mostInvalidations:
		t.counts.lostInvalidation.Add(1)
		return
	}
	t.history.add(message{origin: t.origin, purge: p}, t.cache.Number(), true)
	select {
	case t.woken <- struct{}{}:
	default:
	}
}

// send tells other nodes of invalidations until the tier is closed.
func (t *Tier) send() {
	tick := time.NewTicker(flushing)
	defer tick.Stop()
	for {
		select {
		case <-t.context.Done():
			return
		case <-t.woken:
		}
		for t.flush(mostFlushed, true) == mostFlushed {
			select {
			case <-t.context.Done():
				return
			case <-tick.C:
			}
		}
	}
}

// flush sends up to most messages that wait, and returns how many.
func (t *Tier) flush(most int, later bool) int {
	c := t.clients.Load()
	if c == nil || t.away.Load() && later {
		return 0
	}
	list := t.history.unsent(most, overdue, later)
	if len(list) == 0 {
		return 0
	}
	ctx, cancel := context.WithTimeout(t.context, asking)
	defer cancel()
	commands := make([]rueidis.Completed, len(list))
	for i, m := range list {
		commands[i] = t.add(c.asks, m, "*")
	}
	for _, result := range c.asks.DoMulti(ctx, commands...) {
		if result.Error() == nil {
			t.counts.sent.Add(1)
		}
	}
	return len(list)
}

// add is the command that puts a message into the stream.
func (t *Tier) add(redis rueidis.Client, m message, id string) rueidis.Completed {
	return redis.B().Xadd().Key(t.stream()).Maxlen().Almost().Threshold(strconv.Itoa(t.config.Purges)).
		Id(id).FieldValue().FieldValue(field, string(m.append(nil))).Build()
}

// field is what messages stand under in the stream's entries.
const field = "m"

func (t *Tier) stream() string { return t.config.Redis.Prefix + ":{purges}" }
