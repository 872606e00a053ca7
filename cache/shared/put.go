package shared

import (
	"context"
	"fmt"
	"strconv"
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
	// settling is how long a purge may take to be seen in the stream.
	settling = 200 * time.Millisecond
	// mostQueued bounds how many answers wait to be written.
	mostQueued = 4096
	// shortest is for how long an answer has to be of use to be written, longest for
	// how long it is kept.
	shortestLife, longestLife = time.Second, 30 * 24 * time.Hour
)

// put is an answer that waits to be written.
type put struct {
	of    cache.Record
	born  uint64 // number of purges when its fetch began
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
	born := t.cache.Born(e)
	if _, known := t.history.position(born); !known || of.Validate || len(e.Vary) > mostNames || t.left(e) < shortestLife {
		return
	}
	p := put{of, born, e.Body.Size() + int64(len(e.Lines)+len(e.PlainLines)+len(of.Key)+len(of.Selected)+512)}
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
	since, known := t.positionOf(p.born)
	if gone, validate := t.cache.Concerns(p.of, p.born); gone || validate {
		return buffer // what is there may be newer
	}
	now, _ := t.clock.now(time.Since(t.began))
	r, whole := record.Of(p.of, int64(now)-(t.cache.Now()-p.of.Entry.At))
	r.Since = since
	buffer, err := r.Append(appendOrder(append(buffer, kindRecord), since))
	if err != nil || !whole || !known {
		t.counts.dropped.Add(1)
		return buffer
	}
	ctx, cancel := context.WithTimeout(t.context, asking)
	defer cancel()
	for _, command := range t.commands(c.bulk, r, rueidis.BinaryString(buffer), left) {
		written, err := c.bulk.Do(ctx, command).AsInt64()
		if t.context.Err() != nil {
			return buffer
		}
		if t.judge(reason(err)); err != nil {
			t.counts.dropped.Add(1)
			return nil // the connection may still have it
		}
		if written == 0 {
			return buffer
		}
	}
	t.counts.stored.Add(1)
	return buffer
}

// positionOf returns how far the stream was followed when a fetch began. What comes
// right behind a purge of this node waits until that stands in the stream: else it
// would count as stored before.
func (t *Tier) positionOf(born uint64) (record.Position, bool) {
	for until := time.Now().Add(settling); t.history.isSoon(born) && time.Now().Before(until); {
		select {
		case <-t.context.Done():
			return record.Position{}, false
		case <-time.After(settling / 50):
		}
	}
	return t.history.position(born)
}

// orderLength is how long a position is in a value, behind its kind: digits, so
// that a script can tell which of two is greater.
const orderLength = 40

func appendOrder(dst []byte, p record.Position) []byte {
	return fmt.Appendf(dst, "%020d%020d", p.Time, p.Count)
}

// writeScript writes a value, unless there is one that was fetched behind later
// purges: a write that was under way when they came must not take its place.
// KEYS: where, and where it is long. ARGV: its order, its time in ms, the value.
const writeScript = `
local was = redis.pcall('GETRANGE', KEYS[1], 1, #ARGV[1])
if type(was) == 'string' and #was == #ARGV[1] and was > ARGV[1] then
  return 0
end
if KEYS[2] then
  redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[2])
  redis.call('SET', KEYS[1], 'L' .. ARGV[1], 'PX', ARGV[2])
else
  redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[2])
end
return 1
`

// namesScript writes the names of Vary. KEYS: where. ARGV: time in ms, the names.
const namesScript = `
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[1])
return 1
`

// commands are such that what names something is written after it.
func (t *Tier) commands(redis rueidis.Client, r *record.Record, value string, left time.Duration) []rueidis.Completed {
	primary := t.key(r.Key)
	at := primary
	if len(r.Vary) > 0 {
		at = variant(primary, r.Selected)
	}
	keys := []string{at}
	if len(value) > small {
		keys = append(keys, long(at))
	}
	life := strconv.FormatInt(left.Milliseconds(), 10)
	list := []rueidis.Completed{redis.B().Eval().Script(writeScript).Numkeys(int64(len(keys))).Key(keys...).
		Arg(string(appendOrder(nil, r.Since)), life, value).Build()}
	if len(r.Vary) > 0 {
		names := string(appendNames([]byte{kindVary}, r.Vary))
		list = append(list, redis.B().Eval().Script(namesScript).Numkeys(1).Key(primary).Arg(life, names).Build())
	}
	return list
}
