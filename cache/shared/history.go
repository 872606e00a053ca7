package shared

import (
	"cmp"
	"math"
	"slices"
	"sort"
	"sync"
	"time"

	"weir/cache"
	"weir/cache/record"
)

const (
	// mostPassed bounds the messages of the stream that are remembered.
	mostPassed = 1 << 14
	// mostOwn bounds those of this node that wait to be seen in the stream.
	mostOwn = 1 << 12
	// resending is for how long this node's messages are kept after they were seen:
	// they are sent again if Redis loses the stream.
	resending = 10 * time.Minute
	// rereading is the time that reading the whole stream may take before they are.
	rereading = 300 * time.Millisecond
)

// history says what positions in the stream mean in numbers of the first tier's
// purges, and the other way round. Every mistake of it is one on the side of
// purging too much.
type history struct {
	mutex sync.Mutex
	seen  record.Position // the last message that was applied
	// base is the last position before which nothing is known; most is a number
	// that the first tier had reached by then.
	base   record.Position
	most   uint64
	known  bool // there is a base
	passed []passed
	own    []own  // what was not seen in the stream, in order
	late   []own  // what was, of late
	last   uint64 // number of the last of own
	ids    [2]map[string]first
}

// passed is a message of the stream that has its effect.
type passed struct {
	position record.Position
	least    uint64 // all purges from here on have greater numbers
	most     uint64 // all purges up to here have at most this number
}

// first is where a message stood in the stream when it had its effect.
type first struct {
	position record.Position
	floor    uint64
}

// own is a message of this node.
type own struct {
	at      record.Position // in the stream, once it was seen
	number  uint64
	message message
	floor   uint64 // its purge has a greater number here
	most    uint64 // and at most this one
	made    time.Time
	sent    time.Time // zero if it is to be sent
	later   bool      // there is no hurry
}

// reset forgets what was before position: number is what the first tier has
// reached.
func (h *history) reset(position record.Position, number uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.base, h.most, h.known, h.passed = position, number, true, h.passed[:0]
}

// pass notes a message before it takes effect: floor is what the first tier has
// reached before.
func (h *history) pass(position record.Position, floor uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.append(position, floor, math.MaxUint64)
}

// effect tells that what was passed last has had its effect by number.
func (h *history) effect(number uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if n := len(h.passed); n > 0 {
		h.passed[n-1].most = number
	}
}

func (h *history) append(position record.Position, floor, most uint64) {
	h.seen = position
	if len(h.passed) == mostPassed {
		drop := mostPassed / 4
		h.base, h.most = h.passed[drop-1].position, h.passed[drop-1].most
		h.passed = append(h.passed[:0], h.passed[drop:]...)
	}
	for i := len(h.passed) - 1; i >= 0 && h.passed[i].least > floor; i-- {
		h.passed[i].least = floor
	}
	if n := len(h.passed); n > 0 && most != math.MaxUint64 {
		most = max(most, h.passed[n-1].most)
	}
	h.passed = append(h.passed, passed{position, floor, most})
}

// born returns the number that counts as the one at which the fetch of what was
// stored at a position began: all purges behind it are greater. False means that
// it cannot be told. now is the first tier's number.
func (h *history) born(at record.Position, now uint64) (uint64, bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	// Who has followed further than this node may know of purges that it does not.
	if !h.known || at.Compare(h.base) < 0 || at.Compare(h.seen) > 0 {
		return 0, false
	}
	i := sort.Search(len(h.passed), func(i int) bool { return h.passed[i].position.Compare(at) > 0 })
	if i < len(h.passed) {
		now = min(now, h.passed[i].least)
	}
	if len(h.own) > 0 {
		now = min(now, h.own[0].floor)
	}
	return now, true
}

// position returns up to where all messages had their effect when a fetch began
// that was born at a number.
func (h *history) position(born uint64) (record.Position, bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	i := sort.Search(len(h.passed), func(i int) bool { return h.passed[i].most > born })
	switch {
	case i > 0:
		return h.passed[i-1].position, true
	case h.known && h.most <= born:
		return h.base, true
	}
	return record.Position{}, false
}

// add makes a message of this node's; its purge must have no effect yet. Where
// too many wait, one purge of everything stands for all of them.
func (h *history) add(m message, floor uint64, later bool) *message {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if len(h.own) >= mostOwn {
		floor, h.own = h.own[0].floor, h.own[:0]
		m = message{origin: m.origin}
	}
	h.last++
	m.number = h.last
	h.own = append(h.own, own{number: m.number, message: m, floor: floor, most: math.MaxUint64, made: time.Now(), later: later})
	return &m
}

// done tells that the purge of a message of this node has had its effect here by
// now.
func (h *history) done(number, now uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	if i := slices.IndexFunc(h.own, func(o own) bool { return o.number == number }); i >= 0 {
		h.own[i].most = now
	}
}

// isSoon tells whether a purge before born is about to be seen in the stream: the
// position of what was fetched then is not yet what it will be.
func (h *history) isSoon(born uint64) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return slices.ContainsFunc(h.own, func(o own) bool { return !o.later && !o.sent.IsZero() && o.most <= born })
}

// pending returns how many of this node's messages were not seen in the stream.
func (h *history) pending() int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return len(h.own)
}

// isWaiting tells whether the same is to be sent already.
func (h *history) isWaiting(p *cache.Purge) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return slices.ContainsFunc(h.own, func(o own) bool {
		q := &o.message.purge
		return o.later && o.sent.IsZero() && q.Soft == p.Soft && q.Stage == p.Stage && q.Host == p.Host && q.Path == p.Path &&
			q.Query == p.Query && q.Prefix == p.Prefix && slices.Equal(q.Tags, p.Tags)
	})
}

// unsent returns up to most of this node's messages that are to be sent, or were
// sent for longer than overdue and not seen, and takes them for sent.
func (h *history) unsent(most int, overdue time.Duration, later bool) []message {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var list []message
	for i := range h.own {
		if o := &h.own[i]; len(list) < most && o.later == later && (o.sent.IsZero() || time.Since(o.sent) > overdue) {
			o.sent = time.Now()
			list = append(list, o.message)
		}
	}
	return list
}

// sent tells that a message of this node is on its way.
func (h *history) sent(number uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for i := range h.own {
		if h.own[i].number == number {
			h.own[i].sent = time.Now()
		}
	}
}

// mine notes that a message of this node stands in the stream: it has had its
// effect here.
func (h *history) mine(position record.Position, number, now uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	is := func(o own) bool { return o.number == number }
	if i := slices.IndexFunc(h.own, is); i >= 0 {
		o := h.own[i]
		o.at = position
		h.append(position, o.floor, min(o.most, now))
		if len(h.late) == mostOwn {
			h.late = slices.Delete(h.late, 0, mostOwn/4)
		}
		h.late = append(h.late, o)
		h.own = slices.Delete(h.own, i, i+1)
		return
	}
	if i := slices.IndexFunc(h.late, is); i >= 0 {
		h.twice(position, first{h.late[i].at, h.late[i].floor}, now)
		return
	}
	h.append(position, 0, now) // of long ago
}

// twice notes a message that stands in the stream again. Who has followed to here
// has seen the first of them, unless that was lost.
func (h *history) twice(position record.Position, of first, now uint64) {
	if of.position.Compare(h.base) >= 0 {
		h.seen = position
		return
	}
	h.append(position, of.floor, now)
}

// again begins to read anew, because the stream is lost: what was stored before
// base means nothing, and this node's messages of late were not seen.
func (h *history) again(base record.Position, number uint64) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.seen = record.Position{}
	h.base, h.most, h.known, h.passed = base, number, true, h.passed[:0]
	for _, o := range h.late {
		if time.Since(o.made) < resending {
			o.sent = time.Now().Add(rereading - overdue) // it may still be there: that is known soon
			h.own = append(h.own, o)
		}
	}
	h.late = h.late[:0]
	slices.SortFunc(h.own, func(a, b own) int { return cmp.Compare(a.number, b.number) })
}

// take notes a message of another node before it takes effect, and tells whether
// it has to: not if it had already, as far as that is remembered. now is what the
// first tier has reached.
func (h *history) take(position record.Position, id string, now uint64) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, ids := range h.ids {
		if of, seen := ids[id]; seen {
			h.twice(position, of, now)
			return false
		}
	}
	if h.ids[0] == nil || len(h.ids[0]) >= mostPassed {
		h.ids[0], h.ids[1] = make(map[string]first), h.ids[0]
	}
	h.ids[0][id] = first{position, now}
	h.append(position, now, math.MaxUint64)
	return true
}

func (h *history) at() (seen record.Position, known bool) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.seen, h.known
}

func (h *history) seek(to record.Position) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.seen = to
}
