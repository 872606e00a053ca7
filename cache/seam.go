package cache

// What the fills of a cache and its store have of one another.

// address is a key that is owned, with the place where its answers stand. It is
// not changed once made, and any number may read it at once.
type address struct {
	full []byte // the whole key
	hash uint64 // of full

	stage             string
	host, path, query []byte

	uri, hostSum, stageSum uint64 // by which purges concern it
}

// addressOf copies what k borrows.
func (c *Cache) addressOf(k *Key) *address { return c.newAddress(k.full, k.Place) }

// locate tells what the cache has to know of e beside what its maker has said:
// before anybody else sees e. Born is what number returned when its fetch began,
// selected the request's values of e.Vary (appendSelected). It keeps them.
func (c *Cache) locate(e *Entry, a *address, selected []byte, born uint64) {
	e.place = &placement{address: a, selected: selected, born: born, tags: c.purges.tagSumsOf(e.Tags)}
}

// publish puts a located entry in the cache, in the place of the one that was
// selected by the same values. When it returns, Lookup finds it, unless a purge
// concerns it. Its body is whole. It is to be called while the fill still stands
// among those under way.
func (c *Cache) publish(e *Entry) { c.put(e, true) }

// number returns how many purges there have been. What was fetched is good only
// as far as concerns says so of the number at which its fetch began.
func (c *Cache) number() uint64 { return c.purges.number.Load() }

// concerns tells whether a purge since born concerns what stands there: hard, so
// that it is not to be used at all, or soft, so that it is to be validated first.
// Tags are those of the entry (Entry.place.tags), nil where they are not known.
func (c *Cache) concerns(a *address, tags []uint64, born uint64) (hard, soft bool) {
	return c.purges.concern(a, tags, born)
}

// note tells that there may be something to invalidate at an address. A fill
// begins in one section of the lock that fills.each takes: it is registered,
// then note, then born = number. What is between cannot be lost so.
func (c *Cache) note(a *address) { c.purges.note(a.uri) }

// markPass has Lookup tell until then (Cache.Now) that the key's answers are not
// for others.
func (c *Cache) markPass(a *address, until int64) { c.passes.mark(a.hash, until) }

// appendSelected appends the normal form of the request's values of names, so
// that two requests have the same bytes only if they have the same values.
func appendSelected(dst []byte, names []string, s Selector) []byte {
	return appendValues(dst, names, s)
}
