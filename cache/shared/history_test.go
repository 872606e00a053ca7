package shared

import (
	"math/rand/v2"
	"strconv"
	"testing"

	"weir/cache"
	"weir/cache/record"
)

func at(n int) record.Position { return record.Position{Time: uint64(n)} }

// Whatever the order in which purges of several nodes have their effect here, no
// purge behind a position may count as one before.
func TestHistoryErrsOnTheSideOfPurging(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 500 {
		var h history
		number, id := uint64(random.IntN(5)), 1
		h.seek(at(1))
		h.reset(at(1), number)
		real := map[int]uint64{} // numbers of purges by their place in the stream
		type mine struct{ own, number uint64 }
		var unsent []mine
		for range random.IntN(40) {
			switch random.IntN(3) {
			case 0: // one of another node
				id++
				h.pass(at(id), number)
				number++
				real[id] = number
				h.effect(number)
			case 1: // one of this node, not yet in the stream
				m := h.add(message{}, number, false)
				number++
				unsent = append(unsent, mine{m.number, number})
			case 2:
				if len(unsent) > 0 {
					i := random.IntN(len(unsent))
					id++
					h.mine(at(id), unsent[i].own, number)
					real[id] = unsent[i].number
					unsent = append(unsent[:i], unsent[i+1:]...)
				}
			}
		}
		for p := 1; p <= id; p++ {
			born, known := h.born(at(p), number)
			if !known {
				t.Fatalf("position %d of %d is not known", p, id)
			}
			for at, n := range real {
				if at > p && n <= born {
					t.Fatalf("born %d for position %d: purge %d at %d would not count", born, p, n, at)
				}
			}
			for _, m := range unsent {
				if m.number <= born {
					t.Fatalf("born %d for position %d: purge %d, which is on its way, would not count", born, p, m.number)
				}
			}
		}
		for born := range number + 1 {
			position, known := h.position(born)
			if !known {
				continue
			}
			for at, n := range real {
				if at <= int(position.Time) && n > born {
					t.Fatalf("position %d for born %d: purge %d at %d would be forgotten", position.Time, born, n, at)
				}
			}
		}
		if _, known := h.born(at(id+1), number); known {
			t.Fatal("a position that nobody has seen is known")
		}
		if _, known := h.born(at(0), number); known {
			t.Fatal("a position before everything is known")
		}
	}
}

func TestHistoryIsBounded(t *testing.T) {
	var h history
	h.reset(at(0), 0)
	for i := range 3 * mostPassed {
		h.take(at(i+1), strconv.Itoa(i), uint64(i))
		h.effect(uint64(i + 1))
	}
	if len(h.passed) > mostPassed || len(h.ids[0])+len(h.ids[1]) > 2*mostPassed {
		t.Errorf("got %d messages and %d ids", len(h.passed), len(h.ids[0])+len(h.ids[1]))
	}
	if _, known := h.born(at(1), 1<<20); known {
		t.Error("what was forgotten is known")
	}
	for i := range 3 * mostOwn {
		h.add(message{origin: "a", purge: cache.Purge{Host: "x"}}, uint64(i), false)
	}
	if len(h.own) > mostOwn {
		t.Errorf("got %d messages that wait", len(h.own))
	}
	whole := false
	for _, o := range h.own {
		whole = whole || o.message.purge.Host == ""
	}
	if !whole {
		t.Error("what found no room is not covered by a purge of everything")
	}
	if born, _ := h.born(h.seen, 1<<20); born != 0 {
		t.Errorf("born: got %d; want 0, where the first that waits began", born)
	}
}

func TestTheSameMessageTwice(t *testing.T) {
	var h history
	h.reset(at(1), 0)
	m := h.add(message{}, 0, false)
	h.mine(at(2), m.number, 1)
	if !h.take(at(3), "b1", 1) {
		t.Fatal("a message of another node is not new")
	}
	h.effect(2)
	h.mine(at(4), m.number, 2)
	if h.take(at(5), "b1", 2) {
		t.Fatal("the same message is new again")
	}
	if born, known := h.born(at(3), 2); born != 2 || !known {
		t.Errorf("born: got %d, %t; want 2: what was stored behind both has to do with neither", born, known)
	}
	h.again(at(6), 2)
	h.seek(at(6))
	h.mine(at(7), m.number, 2)
	if born, known := h.born(at(6), 2); born != 0 || !known {
		t.Errorf("born: got %d, %t; want 0: whoever stored it may not have seen what was lost", born, known)
	}
}
