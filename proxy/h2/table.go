package h2

// table finds a connection's streams by their numbers: open addressing over
// numbers that come in order, so that it neither allocates once it has grown
// nor searches. The zero value is ready.
type table struct {
	slots []*stream // power of two, at most half full
	count int
}

func (t *table) slot(id uint32) int { return int(id>>1) & (len(t.slots) - 1) }

func (t *table) get(id uint32) *stream {
	if t.count == 0 {
		return nil
	}
	for i := t.slot(id); t.slots[i] != nil; i = (i + 1) & (len(t.slots) - 1) {
		if t.slots[i].id == id {
			return t.slots[i]
		}
	}
	return nil
}

const fewSlots = 16

func (t *table) put(s *stream) {
	if 2*(t.count+1) > len(t.slots) {
		old := t.slots
		t.slots, t.count = make([]*stream, max(2*len(old), fewSlots)), 0
		for _, o := range old {
			if o != nil {
				t.put(o)
			}
		}
	}
	i := t.slot(s.id)
	for t.slots[i] != nil {
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = s
	t.count++
}

// remove takes s out and closes the gap, so that nothing behind it is lost.
func (t *table) remove(s *stream) {
	mask := len(t.slots) - 1
	i := t.slot(s.id)
	for t.slots[i] != s {
		i = (i + 1) & mask
	}
	t.count--
	for j := i; ; {
		t.slots[i] = nil
		for {
			j = (j + 1) & mask
			if t.slots[j] == nil {
				return
			}
			// What may not move nearer to its own slot than that stays.
			if home := t.slot(t.slots[j].id); (j-home)&mask >= (j-i)&mask {
				break
			}
		}
		t.slots[i] = t.slots[j]
		i = j
	}
}
