package proxy

import (
	"bytes"
	"slices"
	"strings"

	"weir/proxy/config"
)

// queryRule says which query parameters tell answers apart. Nil is all of them,
// as they are written.
type queryRule struct {
	allow, deny []namePattern
	isAllow     bool // only those of allow
	sort        bool
}

// namePattern is a parameter's name, or how names begin.
type namePattern struct {
	name   string
	isOpen bool
}

func newQueryRule(q *config.CacheQuery) *queryRule {
	if q == nil || q.Allow == nil && len(q.Deny) == 0 && !*q.Sort {
		return nil
	}
	patterns := func(names []string) (out []namePattern) {
		for _, name := range names {
			begin, isOpen := strings.CutSuffix(name, "*")
			out = append(out, namePattern{begin, isOpen})
		}
		return out
	}
	out := &queryRule{deny: patterns(q.Deny), isAllow: q.Allow != nil, sort: *q.Sort}
	for _, p := range patterns(q.Allow) {
		p.name = string(loosen([]byte(p.name)))
		out.allow = append(out.allow, p)
	}
	return out
}

// queryPiece is one parameter of a query, as it is written.
type queryPiece struct{ text, name []byte }

// sortedPieces is how many parameters are sorted without an allocation.
const sortedPieces = 32

// append appends what of a query tells answers apart; scratch is for names. It
// changes no byte of a parameter, and leaves those of one name in their order.
func (q *queryRule) append(dst, query, scratch []byte) (key, used []byte) {
	var few [sortedPieces]queryPiece
	pieces, from := few[:0], len(dst)
	for len(query) > 0 {
		var text []byte
		text, query, _ = bytes.Cut(query, ampersand)
		if len(text) == 0 {
			continue
		}
		name, _, _ := bytes.Cut(text, equals)
		var keep bool
		if keep, scratch = q.keeps(text, name, scratch); !keep {
			continue
		}
		if q.sort {
			pieces = append(pieces, queryPiece{text, name})
			continue
		}
		dst = appendPiece(dst, from, text)
	}
	sortPieces(pieces)
	for _, p := range pieces {
		dst = appendPiece(dst, from, p.text)
	}
	return dst, scratch
}

func appendPiece(dst []byte, from int, text []byte) []byte {
	if len(dst) > from {
		dst = append(dst, '&')
	}
	return append(dst, text...)
}

// sortPieces sorts by name, as it is written, and keeps the order of equals.
func sortPieces(pieces []queryPiece) {
	if len(pieces) > sortedPieces {
		slices.SortStableFunc(pieces, func(a, b queryPiece) int { return bytes.Compare(a.name, b.name) })
		return
	}
	for i := 1; i < len(pieces); i++ {
		for j := i; j > 0 && bytes.Compare(pieces[j].name, pieces[j-1].name) < 0; j-- {
			pieces[j], pieces[j-1] = pieces[j-1], pieces[j]
		}
	}
}

// keeps tells whether a parameter is part of the key. What upstreams may read in
// another way than weir is: a parameter that is left out by mistake would let one
// client choose what others get.
func (q *queryRule) keeps(text, name, scratch []byte) (keep bool, used []byte) {
	if !q.isAllow && len(q.deny) == 0 || bytes.IndexByte(text, ';') >= 0 { // some part parameters there
		return true, scratch
	}
	scratch = appendDecoded(scratch[:0], name)
	if !q.isAllow {
		return !matchesAny(q.deny, scratch), scratch
	}
	return matchesAny(q.allow, loosen(scratch)), scratch
}

// loosen makes of a name, in place, what frameworks take it for: without regard
// to case, to spaces before it and to an index, with an underscore for what
// cannot be in a variable's name.
func loosen(name []byte) []byte {
	name = bytes.TrimLeft(name, " \t\r\n\v\f\x00")
	for i, c := range name {
		switch {
		case c == '[' && i > 0, c == 0:
			return name[:i]
		case c == '.', c == ' ', c == '-':
			name[i] = '_'
		case c >= 'A' && c <= 'Z':
			name[i] = c | 0x20
		}
	}
	return name
}

func matchesAny(patterns []namePattern, name []byte) bool {
	for i := range patterns {
		p := &patterns[i]
		if string(name) == p.name || p.isOpen && len(name) > len(p.name) && string(name[:len(p.name)]) == p.name {
			return true
		}
	}
	return false
}

var (
	ampersand = []byte{'&'}
	equals    = []byte{'='}
)
