package shared

import (
	"math"
	"sort"
	"sync"
	"time"

	"weir/cache/record"
)

const (
	// mostPassed bounds the messages of the stream that are remembered.
	mostPassed = 1 << 14
	// mostOwn bounds those of this node that wait to be seen in the stream.
	mostOwn = 1 << 13
	// resending is for how long this node's messages are kept after they were seen:
	// they are sent again if Redis loses the stream.
	resending = 10 * time.Minute
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
	own    []own
	last   uint64 // number of the last of own
	ids    [2]map[string]struct{}
}

// passed is a message of the stream that has its effect.
type passed struct {
	position record.Position
	least    uint64 // all purges from here on have greater numbers
	most     uint64 // all purges up to here have at most this number
}

// own is a message of this node.
type own struct {
	number  uint64
	message message
	floor   uint64 // its purge has a greater number here
	made    time.Time
	sent    time.Time // zero if it is to be sent
	seen    bool
	later   bool // there is no hurry
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
	for i := range h.own {
		if !h.own[i].seen {
			return min(now, h.own[i].floor), true // the first is the least
		}
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
	h.tidy()
	if h.waiting() >= mostOwn {
		for i := range h.own {
			if !h.own[i].seen {
				floor = min(floor, h.own[i].floor)
			}
		}
		h.own, m = h.own[:0], message{origin: m.origin}
	}
	h.last++
	m.number = h.last
	h.own = append(h.own, own{number: m.number, message: m, floor: floor, made: time.Now(), later: later})
	return &m
}

// tidy drops what was seen long ago.
func (h *history) tidy() {
	drop := 0
	for drop < len(h.own) && h.own[drop].seen && (time.Since(h.own[drop].made) > resending || len(h.own)-drop > mostOwn) {
		drop++
	}
	h.own = append(h.own[:0], h.own[drop:]...)
}

func (h *history) waiting() (n int) {
	for i := range h.own {
		if !h.own[i].seen {
			n++
		}
	}
	return n
}

// pending returns how many of this node's messages were not seen in the stream.
func (h *history) pending() int {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.waiting()
}

// isWaiting tells whether the same is to be sent already.
func (h *history) isWaiting(host, path, query string) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for i := range h.own {
		if o := &h.own[i]; !o.seen && o.sent.IsZero() && o.later && o.message.purge.Host == host &&
			o.message.purge.Path == path && o.message.purge.Query == query {
			return true
		}
	}
	return false
}

// unsent returns up to most of this node's messages that are to be sent, or were
// sent for longer than overdue and not seen, and takes them for sent.
func (h *history) unsent(most int, overdue time.Duration, later bool) []message {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	var list []message
	for i := range h.own {
		if o := &h.own[i]; len(list) < most && !o.seen && o.later == later && (o.sent.IsZero() || time.Since(o.sent) > overdue) {
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
	for i := range h.own {
		if o := &h.own[i]; o.number == number {
			o.seen = true
			h.append(position, o.floor, now)
			return
		}
	}
	h.append(position, 0, now) // of long ago
}

// again takes all of this node's messages of late for not seen: the stream is lost.
func (h *history) again() {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.known, h.seen = false, record.Position{}
	for i := range h.own {
		if time.Since(h.own[i].made) < resending {
			h.own[i].seen, h.own[i].sent = false, time.Now()
		}
	}
}

// isNew tells whether a message of another node is seen for the first time, as
// far as that is remembered.
func (h *history) isNew(id string) bool {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	for _, ids := range h.ids {
		if _, seen := ids[id]; seen {
			return false
		}
	}
	if h.ids[0] == nil || len(h.ids[0]) >= mostPassed {
		h.ids[0], h.ids[1] = make(map[string]struct{}), h.ids[0]
	}
	h.ids[0][id] = struct{}{}
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
