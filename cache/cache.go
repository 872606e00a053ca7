package cache

// Config tunes a cache.
type Config struct {
	Size int64 // bytes of memory that entries may take, as the process's RSS sees them
}

// Cache keeps answers. New makes it; everything may be called at once.
type Cache struct{}

// slot is what a key leads to.
type slot struct{}

// New makes a cache. Close ends its goroutines.
func New(config Config) (*Cache, error) { panic("not built") }

// Close ends the cache.
func (c *Cache) Close() { panic("not built") }

// Now returns the time by the cache's clock, which no change of the wall clock
// moves: nanoseconds since New.
func (c *Cache) Now() int64 { panic("not built") }

// Found is what a key leads to now.
type Found struct {
	// Entry is nil where there is none that may serve the request.
	Entry *Entry
	// Validate tells that it was purged softly or invalidated: it must not be used
	// before the upstream has said that it still holds.
	Validate bool
	// Pass tells that answers of the key were lately not for others.
	Pass bool
}

// Lookup returns what is stored for the key and may be selected by s.
func (c *Cache) Lookup(k *Key, s Selector) Found { panic("not built") }

// Replace puts next, which shares the body of old or has one of its own, in the
// place of old, if that is still there.
func (c *Cache) Replace(old, next *Entry) { panic("not built") }

// Stats is what a cache holds and has done.
type Stats struct {
	Entries, Bytes                    int64
	Stored, Evicted, Rejected, Purged uint64
	Fills                             int64 // under way
}

// Stats returns the counts.
func (c *Cache) Stats() Stats { panic("not built") }
