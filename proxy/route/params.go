package route

// MaxParams is how many parameters a pattern may have.
const MaxParams = 32

// Params says where the parameters of a found route lie in the path that was searched. The zero value has none.
// It is reused by passing it to Find again. It borrows nothing from the path and allocates nothing.
type Params struct {
	names []string // of the pattern that was found, owned by its tree
	spans [MaxParams]span
}

type span struct{ start, end uint32 }

// Reset forgets the parameters.
func (p *Params) Reset() { p.names = nil }

// Len returns how many parameters there are.
func (p *Params) Len() int { return len(p.names) }

// Name returns the name of the i-th parameter from the left, as the found route's own pattern spells it.
func (p *Params) Name(i int) string { return p.names[i] }

// Value returns the i-th parameter's bytes in path, still percent-encoded. path is what Find was given.
func (p *Params) Value(path []byte, i int) []byte {
	_ = p.names[i]
	s := p.spans[i]
	return path[s.start:s.end:s.end]
}

// Lookup returns the value of the parameter with that name.
func (p *Params) Lookup(path []byte, name string) (value []byte, ok bool) {
	for i, n := range p.names {
		if n == name {
			return p.Value(path, i), true
		}
	}
	return nil, false
}
