package shared

import (
	"context"
	"sync/atomic"
	"time"

	"weir/cache"
	"weir/cache/record"

	"github.com/redis/rueidis"
)

const (
	// workers write at once what is small, and as many what is large.
	workers = 2
	// small is what a value may have that is fetched on a connection that others
	// wait for.
	small = 128 << 10
	// mostQueued bounds how many answers wait to be written.
	mostQueued = 4096
	// shortest is for how long an answer has to be of use to be written, longest for
	// how long it is kept.
	shortestLife, longestLife = time.Second, 30 * 24 * time.Hour
)

// put is an answer that waits to be written.
type put struct {
	of    cache.Record
	since record.Position
	bytes int64
}

// queue is what waits to be written.
type queue struct {
	small, large chan put
	bytes        atomic.Int64
}

func (q *queue) init() {
	q.small, q.large = make(chan put, mostQueued), make(chan put, mostQueued)
}

// Put has an entry of the first tier written for other nodes, in the background:
// one that a fill has published, whole. It never waits.
func (t *Tier) Put(e *cache.Entry) {
	if t.away.Load() {
		t.counts.dropped.Add(1)
		return
	}
	of := t.cache.Record(e)
	since, known := t.history.position(t.cache.Born(e))
	if !known || of.Validate || len(e.Vary) > mostNames || t.left(e) < shortestLife {
		return
	}
	p := put{of, since, e.Body.Size() + int64(len(e.Lines)+len(e.PlainLines)+len(of.Key)+len(of.Selected)+512)}
	if p.bytes > t.config.MostBytes {
		t.counts.large.Add(1)
		return
	}
	to := t.queue.small
	if p.bytes > small {
		to = t.queue.large
	}
	if t.queue.bytes.Add(p.bytes) <= t.config.QueueBytes {
		select {
		case to <- p:
			return
		default:
		}
	}
	t.queue.bytes.Add(-p.bytes)
	t.counts.dropped.Add(1)
}

// left returns for how long an entry is still of use.
func (t *Tier) left(e *cache.Entry) time.Duration {
	return min(longestLife, record.Left(&e.Terms, time.Duration(t.cache.Now()-e.At)))
}

// write writes answers until the tier is closed.
func (t *Tier) write(from chan put) {
	var buffer []byte
	for {
		select {
		case <-t.context.Done():
			return
		case p := <-from:
			buffer = t.writeOne(p, buffer[:0])
			t.queue.bytes.Add(-p.bytes)
			if cap(buffer) > small {
				buffer = nil
			}
		}
	}
}

// writeOne writes one answer. buffer is scratch.
func (t *Tier) writeOne(p put, buffer []byte) []byte {
	c := t.clients.Load()
	left := t.left(p.of.Entry)
	if c == nil || t.away.Load() || left < shortestLife {
		t.counts.dropped.Add(1)
		return buffer
	}
	now, _ := t.clock.now(time.Since(t.began))
	r, whole := record.Of(p.of, int64(now)-(t.cache.Now()-p.of.Entry.At))
	r.Since = p.since
	buffer, err := r.Append(append(buffer, kindRecord))
	if err != nil || !whole {
		t.counts.dropped.Add(1)
		return buffer
	}
	ctx, cancel := context.WithTimeout(t.context, asking)
	defer cancel()
	for _, command := range t.commands(c.bulk, r, rueidis.BinaryString(buffer), left) {
		err := reason(c.bulk.Do(ctx, command).Error())
		if t.context.Err() != nil {
			return buffer
		}
		if t.judge(err); err != nil {
			t.counts.dropped.Add(1)
			return nil // the connection may still have it
		}
	}
	t.counts.stored.Add(1)
	return buffer
}

// commands are such that what names something is written after it.
func (t *Tier) commands(redis rueidis.Client, r *record.Record, value string, left time.Duration) []rueidis.Completed {
	set := func(key, value string) rueidis.Completed {
		return redis.B().Set().Key(key).Value(value).PxMilliseconds(left.Milliseconds()).Build()
	}
	var list []rueidis.Completed
	primary := t.key(r.Key)
	at := primary
	if len(r.Vary) > 0 {
		at = variant(primary, r.Selected)
	}
	if len(value) > small {
		list = append(list, set(long(at), value), set(at, string(kindLong)))
	} else {
		list = append(list, set(at, value))
	}
	if len(r.Vary) > 0 {
		list = append(list, set(primary, string(appendNames([]byte{kindVary}, r.Vary))))
	}
	return list
}
