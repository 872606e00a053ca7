package proxy

import "flag"

// CacheConfig tunes the response cache. The zero value is no cache.
type CacheConfig struct {
	Size      int64  // bytes of memory that answers may take, 0 for no cache
	MaxObject int64  // bytes of the largest answer that is kept, where the document does not say
	Snapshot  string // file that answers are kept in while the process is not there
}

// RegisterFlags defines the flags of the cache and gives the defaults.
func (c *CacheConfig) RegisterFlags(fs *flag.FlagSet) {
	fs.Int64Var(&c.Size, "cache.size", 256<<20, "Bytes of memory that the response cache may take. 0 turns it off, whatever the document says")
	fs.StringVar(&c.Snapshot, "cache.snapshot", "", "File that the cache is written to at the end of a drain, and read from at the next start. Empty keeps nothing")
	fs.Int64Var(&c.MaxObject, "cache.maxObject", 8<<20, "Bytes of the largest answer that is kept, where the document does not say")
}
