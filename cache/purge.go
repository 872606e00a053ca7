package cache

// Purge says which entries are no longer good. What is set must all fit; without
// anything it is every entry.
type Purge struct {
	// Soft only has them validated before they are used again.
	Soft bool

	Stage  string
	Host   string
	Path   string // with Host, a URI; with Prefix, the begin of the path
	Query  string
	Prefix bool
	Tags   []string // any of them
}

// Purge makes entries invalid. It has its effect on every Lookup and Begin that
// starts after it has returned, fetches under way included.
func (c *Cache) Purge(p Purge) { panic("not built") }

// Invalidate has the entries of one URI validated before they are used again
// (RFC 9111 §4.4). It costs next to nothing where there are none.
func (c *Cache) Invalidate(host, path, query []byte) { panic("not built") }
