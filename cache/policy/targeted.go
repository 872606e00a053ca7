package policy

import "bytes"

// targeted is what the lines of a targeted field say together (RFC 9213): a
// dictionary of structured fields (RFC 9651), of which the last member of a name
// counts.
type targeted struct {
	Directives
	isBroken, isEmpty, wasSeen bool
}

// holds tells whether the field is there, valid and not empty.
func (f *targeted) holds() bool { return f.wasSeen && !f.isBroken && !f.isEmpty }

// add takes one line. One that cannot be read makes the whole field void.
func (f *targeted) add(value []byte) {
	if !f.wasSeen {
		f.wasSeen, f.isEmpty = true, true
	}
	s := sfScanner{rest: bytes.Trim(value, " ")}
	for !s.isBroken && len(s.rest) > 0 {
		f.isEmpty = false
		key := s.key()
		item := sfItem{kind: sfTrue}
		if s.skip('=') {
			item = s.member()
		}
		s.parameters()
		if s.isBroken {
			break
		}
		f.set(directiveOfKey(key), item)
		s.separator()
	}
	f.isBroken = f.isBroken || s.isBroken
}

// set replaces what an earlier member of that name said. Types other than what
// the directive has count in the safe direction.
func (f *targeted) set(one Directive, item sfItem) {
	f.Has &^= one
	switch one {
	case 0:
	case MaxAge, SMaxAge:
		n := secondsOfItem(item)
		f.Has |= one
		if one == MaxAge {
			f.Directives.MaxAge = n
		} else {
			f.Directives.SMaxAge = n
		}
	case StaleWhileRevalidate:
		f.setKnown(one, &f.Directives.StaleWhileRevalidate, item)
	case StaleIfError:
		f.setKnown(one, &f.Directives.StaleIfError, item)
	case NoCache:
		f.NoCacheFields = f.setNames(one, item)
	case Private:
		f.PrivateFields = f.setNames(one, item)
	case Public, Immutable, MustUnderstand:
		if item.kind == sfTrue {
			f.Has |= one
		}
	default:
		if item.kind != sfFalse {
			f.Has |= one
		}
	}
}

func (f *targeted) setKnown(one Directive, into *int64, item sfItem) {
	if *into = secondsOfItem(item); *into > 0 {
		f.Has |= one
	}
}

func (f *targeted) setNames(one Directive, item sfItem) [][]byte {
	if item.kind == sfFalse {
		return nil
	}
	if item.kind != sfString {
		f.Has |= one
		return nil
	}
	return f.takeNames(one, nil, item.text, true)
}

// directiveOfKey is directiveOf for keys, which are in lower case.
func directiveOfKey(key []byte) Directive {
	for _, c := range key {
		if c >= 'A' && c <= 'Z' {
			return 0
		}
	}
	return directiveOf(key)
}

func secondsOfItem(item sfItem) int64 {
	if item.kind != sfInteger {
		return 0
	}
	n, _ := digits(item.text)
	return n
}

// appendGroups appends the strings of a list (RFC 9875 §2), none when the line is
// not valid.
func appendGroups(dst [][]byte, value []byte) [][]byte {
	before := len(dst)
	s := sfScanner{rest: bytes.Trim(value, " ")}
	for !s.isBroken && len(s.rest) > 0 {
		item := s.member()
		s.parameters()
		if item.kind == sfString {
			dst = append(dst, item.text)
		}
		s.separator()
	}
	if s.isBroken {
		return dst[:before]
	}
	return dst
}
