package shared

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"weir/cache"
	"weir/cache/record"

	"github.com/redis/rueidis"
)

const (
	// blocking is how long one wait for messages lasts.
	blocking = time.Second
	// reading is how many messages are read at once.
	reading = 512
)

// follow reads the stream until the tier is closed, and finds out by that whether
// Redis is there.
func (t *Tier) follow() {
	for t.context.Err() == nil {
		c, err := t.connect()
		if err == nil {
			err = t.round(c)
		}
		if t.context.Err() != nil {
			return
		}
		pause := time.Duration(0)
		if err != nil {
			t.lose(err)
			pause = probing
		} else if t.away.Load() {
			pause = probing / 10
		}
		if _, answered := rueidis.IsRedisErr(err); answered {
			pause = 5 * probing // a wrong password does not become right
		}
		select {
		case <-t.context.Done():
		case <-time.After(pause):
		}
	}
}

// round looks whether the stream is what it was, and reads on. While the tier is
// away, it is back when there is nothing more to read.
func (t *Tier) round(c *clients) error {
	took, there, err := t.look(c)
	if err != nil {
		return err
	}
	if !there {
		if err := t.join(c); err != nil {
			return err
		}
	}
	for t.flush(reading, false) == reading {
	}
	waits := !t.away.Load()
	n, err := t.read(c, waits)
	if err != nil {
		return err
	}
	t.contact = time.Now()
	switch {
	case took > t.config.Timeout:
		return fmt.Errorf("answers of Redis take %s, and the most is %s", took.Round(time.Microsecond), t.config.Timeout)
	case !waits && n < reading:
		if _, known := t.history.at(); known {
			t.regain()
			select {
			case t.woken <- struct{}{}:
			default:
			}
		}
	}
	return nil
}

// timeScript tells Redis' time, of the server that has the stream.
const timeScript = `local t = redis.call('TIME') return {tonumber(t[1]), tonumber(t[2])}`

// look asks for the time, and whether the message is still there that was read
// last. The first answer may have had to connect before, so a slow one is asked again.
func (t *Tier) look(c *clients) (took time.Duration, there bool, err error) {
	for range 2 {
		ctx, cancel := context.WithTimeout(t.context, asking)
		seen, known := t.history.at()
		before := time.Since(t.began)
		answers := c.asks.DoMulti(ctx,
			c.asks.B().Eval().Script(timeScript).Numkeys(1).Key(t.stream()).Build(),
			c.asks.B().Xrange().Key(t.stream()).Start(idOf(seen)).End(idOf(seen)).Count(1).Build(),
		)
		after := time.Since(t.began)
		cancel()
		numbers, err := answers[0].AsIntSlice()
		if err != nil || len(numbers) != 2 {
			return 0, false, reason(errors.Join(err))
		}
		found, err := answers[1].AsXRange()
		if err != nil {
			return 0, false, reason(err)
		}
		told := time.Duration(numbers[0])*time.Second + time.Duration(numbers[1])*time.Microsecond
		if t.clock.set(told, before, after) {
			if err := t.void(c, "*"); err != nil {
				return 0, false, err
			}
		}
		took, there = after-before, known && len(found) > 0
		if took <= t.config.Timeout {
			break
		}
	}
	return took, there, nil
}

// void has nobody use what was stored before.
func (t *Tier) void(c *clients, id string) error {
	ctx, cancel := context.WithTimeout(t.context, asking)
	defer cancel()
	return reason(c.asks.Do(ctx, t.add(c.asks, message{origin: t.origin, void: true}, id)).Error())
}

// join finds out where to read from: at the beginning of a stream that nothing is
// known of, or behind what was missed.
func (t *Tier) join(c *clients) error {
	length, first, last, err := t.extent(c)
	if err == nil && length == 0 {
		if seen, _ := t.history.at(); seen == (record.Position{}) && t.position == (record.Position{}) {
			if err := t.void(c, "*"); err != nil {
				return err
			}
			length, first, last, err = t.extent(c)
		}
	}
	if err != nil {
		return err
	}
	seen, known := t.history.at()
	switch {
	case !known && seen == (record.Position{}) && t.position == (record.Position{}):
		t.history.reset(first, t.cache.Number())
		return nil
	case !known && t.position != (record.Position{}):
		// What the snapshot had is in the first tier, or comes: purges since then hold for it.
		t.history.seek(t.position)
		t.history.reset(t.position, t.cache.Number())
		t.position = record.Position{}
		return nil // the next look finds out whether it is still there
	case known && (length >= int64(t.config.Purges) && first.Compare(seen) > 0 || time.Since(t.contact) > resending):
		t.flushAll(last)
		return nil
	}
	return t.lost(c, last)
}

// flushAll purges everything: it is not known what was missed before position.
func (t *Tier) flushAll(position record.Position) {
	t.cache.Purge(cache.Purge{})
	t.counts.flushes.Add(1)
	t.history.seek(position)
	t.history.reset(position, t.cache.Number())
}

// lost begins again after Redis has lost the stream, or its end: what is in it
// that was not seen is applied, what this node sent of late is sent again, and
// positions of before mean nothing any more.
func (t *Tier) lost(c *clients, last record.Position) error {
	seen, _ := t.history.at()
	next := seen
	if last.Compare(seen) > 0 {
		next = last
	}
	next.Count++
	if err := t.void(c, idOf(next)); err != nil {
		// Somebody else was faster, and is further.
		if _, answered := rueidis.IsRedisErr(errors.Unwrap(err)); !answered {
			return err
		}
		if err := t.void(c, "*"); err != nil {
			return err
		}
	}
	t.history.again()
	return nil
}

// extent returns how long the stream is, and its first and last message.
func (t *Tier) extent(c *clients) (length int64, first, last record.Position, err error) {
	ctx, cancel := context.WithTimeout(t.context, asking)
	defer cancel()
	answers := c.asks.DoMulti(ctx,
		c.asks.B().Xlen().Key(t.stream()).Build(),
		c.asks.B().Xrange().Key(t.stream()).Start("-").End("+").Count(1).Build(),
		c.asks.B().Xrevrange().Key(t.stream()).End("+").Start("-").Count(1).Build(),
	)
	if length, err = answers[0].AsInt64(); err != nil {
		return 0, first, last, reason(err)
	}
	for i, to := range []*record.Position{&first, &last} {
		found, err := answers[1+i].AsXRange()
		if err != nil {
			return 0, first, last, reason(err)
		}
		if len(found) > 0 {
			if *to, err = parseID(found[0].ID); err != nil {
				return 0, first, last, err
			}
		}
	}
	return length, first, last, nil
}

// read applies what comes next in the stream, and waits for it if waits.
func (t *Tier) read(c *clients, waits bool) (int, error) {
	seen, _ := t.history.at()
	streams := c.asks.B().Xread().Count(reading)
	command := streams.Streams().Key(t.stream()).Id(idOf(seen)).Build()
	limit := asking
	if waits {
		command = c.asks.B().Xread().Count(reading).Block(blocking.Milliseconds()).Streams().Key(t.stream()).Id(idOf(seen)).Build()
		limit += blocking
	}
	ctx, cancel := context.WithTimeout(t.context, limit)
	defer cancel()
	if waits {
		t.mutex.Lock()
		t.unblock = cancel
		t.mutex.Unlock()
		defer func() {
			t.mutex.Lock()
			t.unblock = nil
			t.mutex.Unlock()
		}()
	}
	all, err := c.asks.Do(ctx, command).AsXRead()
	if err != nil && !rueidis.IsRedisNil(err) {
		return 0, reason(err)
	}
	entries := all[t.stream()]
	for _, e := range entries {
		at, err := parseID(e.ID)
		if err != nil {
			return 0, err
		}
		t.apply(at, e.FieldValues[field])
	}
	return len(entries), nil
}

// apply has a message of the stream take effect here.
func (t *Tier) apply(at record.Position, data string) {
	m, err := parseMessage(data)
	switch {
	case err != nil: // whatever it purges
		t.history.pass(at, t.cache.Number())
		t.flushAll(at)
		return
	case m.void:
		t.history.seek(at)
		t.history.reset(at, t.cache.Number())
		return
	case m.origin == t.origin:
		t.history.mine(at, m.number, t.cache.Number())
		return
	}
	if !t.history.isNew(m.origin + strconv.FormatUint(m.number, 36)) {
		// It has had its effect, with a number that nobody knows any more.
		t.history.pass(at, 0)
		t.history.effect(t.cache.Number())
		return
	}
	t.history.pass(at, t.cache.Number())
	t.cache.Purge(m.purge)
	t.history.effect(t.cache.Number())
	t.counts.received.Add(1)
}

func idOf(p record.Position) string {
	return strconv.FormatUint(p.Time, 10) + "-" + strconv.FormatUint(p.Count, 10)
}

func parseID(id string) (p record.Position, err error) {
	first, second, found := strings.Cut(id, "-")
	if !found {
		return p, fmt.Errorf("cannot read the position %q", id)
	}
	p.Time, err = strconv.ParseUint(first, 10, 64)
	var wrong error
	if p.Count, wrong = strconv.ParseUint(second, 10, 64); err != nil || wrong != nil || p.Time == math.MaxUint64 {
		return p, fmt.Errorf("cannot read the position %q", id)
	}
	return p, nil
}
