package cache

import "bytes"

// newAddress copies a key and where its answers stand. Most of the place is part
// of the key, and lies there.
func (c *Cache) newAddress(key []byte, place Place) *address {
	full := bytes.Clone(key)
	own := func(part []byte) []byte {
		if len(part) == 0 {
			return nil
		}
		if at := bytes.Index(full, part); at >= 0 {
			return full[at : at+len(part) : at+len(part)]
		}
		return bytes.Clone(part)
	}
	a := &address{
		full: full, hash: c.hash(full),
		stage: place.Stage, host: own(place.Host), path: own(place.Path), query: own(place.Query),
	}
	a.uri = c.purges.uriSum(a.host, a.path, a.query)
	a.hostSum = c.purges.sum(hostSum, string(a.host))
	a.stageSum = c.purges.sum(stageSum, a.stage)
	return a
}

// place returns what newAddress was given.
func (a *address) place() Place {
	return Place{Stage: a.stage, Host: a.host, Path: a.path, Query: a.query}
}
