package cache

// Purge says which entries are no longer good. What is set must all fit; without
// anything it is every entry.
type Purge struct {
	// Soft only has them validated before they are used again.
	Soft bool

	Stage string
	Host  string
	// Path and Query are those of one URI; with Prefix, Path is how the path
	// begins, byte by byte, and Query is not looked at. Without Host they are
	// those of every host.
	Path   string
	Query  string
	Prefix bool
	Tags   []string // any of them
}

// Purge makes entries invalid. It has its effect on every Lookup and Begin that
// starts after it has returned, fetches under way included.
func (c *Cache) Purge(p Purge) {
	c.purges.purge(p)
	c.sweeper.wake()
}

// Invalidate has the entries of one URI validated before they are used again
// (RFC 9111 §4.4). It costs next to nothing where there are none.
func (c *Cache) Invalidate(host, path, query []byte) { c.purges.invalidate(host, path, query) }

// rule is a purge of which no mark can be made: it stands in the log.
type rule struct {
	Purge
	number uint64
	tags   []uint64 // the sums of Tags
}

// fits tells whether the rule concerns what has these tags and stands there.
func (r *rule) fits(a *address, tags []uint64) bool {
	if r.Stage != "" && r.Stage != a.stage || r.Host != "" && r.Host != string(a.host) {
		return false
	}
	switch {
	case r.Prefix:
		if len(a.path) < len(r.Path) || string(a.path[:len(r.Path)]) != r.Path {
			return false
		}
	case r.Path != "" || r.Query != "":
		if r.Path != string(a.path) || r.Query != string(a.query) {
			return false
		}
	}
	return len(r.tags) == 0 || anyOf(r.tags, tags)
}

func anyOf(some, others []uint64) bool {
	for _, one := range some {
		for _, other := range others {
			if one == other {
				return true
			}
		}
	}
	return false
}

// widened returns a purge that concerns at least the same, and can be a mark.
func (p Purge) widened() Purge {
	switch {
	case len(p.Tags) > 0:
		return Purge{Soft: p.Soft, Tags: p.Tags}
	case p.Host != "":
		return Purge{Soft: p.Soft, Host: p.Host}
	case p.Stage != "":
		return Purge{Soft: p.Soft, Stage: p.Stage}
	}
	return Purge{Soft: p.Soft}
}
