package cache

// Born returns the number of purges at which the fetch of an entry of this cache
// began.
func (c *Cache) Born(e *Entry) uint64 { return e.place.born }

// Concerns tells whether a purge since number concerns what r says: gone, so that
// it must not be used, or validate, so that the upstream is to be asked first.
// What concerned it may no longer be known: then it is gone.
func (c *Cache) Concerns(r Record, number uint64) (gone, validate bool) {
	gone, validate = c.concerns(c.newAddress(r.Key, r.Place), c.purges.tagSumsOf(r.Entry.Tags), number)
	return gone || number < c.purges.cleared.Load(), validate
}

// AppendSelected appends the request's values of names in the form of
// Record.Selected.
func AppendSelected(dst []byte, names []string, s Selector) []byte {
	return appendSelected(dst, names, s)
}
