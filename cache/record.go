package cache

// Record is an entry with what is needed to put it into another cache: another
// process's, or this one's after a restart. What it holds is not to be changed.
type Record struct {
	Key      []byte // Key.Full
	Place    Place
	Selected []byte // opaque: the values of Entry.Vary that selected it
	Entry    *Entry // At is by the clock of the cache that it comes from
	Validate bool   // it was purged softly
}

// Each calls yield for every entry that is of use, until that returns false. It
// holds no lock meanwhile; what comes and goes may be seen or not.
func (c *Cache) Each(yield func(Record) bool) {
	c.moving.Lock()
	slots := c.slots()
	c.moving.Unlock()
	for _, s := range slots {
		for _, e := range s.list() {
			gone, validate := c.check(e)
			if gone || e.isExpired(c.Now()) {
				continue
			}
			if !yield(recordOf(e, validate)) {
				return
			}
		}
	}
}

// Record returns the record of an entry that Lookup or a fill has given.
func (c *Cache) Record(e *Entry) Record {
	_, validate := c.check(e)
	return recordOf(e, validate)
}

func recordOf(e *Entry, validate bool) Record {
	a := e.place.address
	return Record{Key: a.full, Place: a.place(), Selected: e.place.selected, Entry: e, Validate: validate}
}

// Restore puts in what Each or Record has given, in this process or another,
// unless there is already an entry for it. Entry.At is by this cache's clock, and
// below 0 for what is older; the entry belongs to the cache from then on, and its
// body is whole. Number is what Number returned before the record was read from
// where it was kept: purges since then hold for it.
func (c *Cache) Restore(r Record, number uint64) {
	a := c.newAddress(r.Key, r.Place)
	c.locate(r.Entry, a, r.Selected, number)
	// As long as moving is held no sweep begins: it would miss it.
	c.moving.Lock()
	defer c.moving.Unlock()
	if r.Validate || number < c.purges.cleared.Load() {
		r.Entry.place.state.Store(number<<1 | 1)
		r.Entry.place.fate.Store(fateValidate)
	}
	c.note(a)
	c.put(r.Entry, false)
}

// Number returns how many purges there have been.
func (c *Cache) Number() uint64 { return c.number() }
