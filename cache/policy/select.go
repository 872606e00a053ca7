package policy

import "encoding/binary"

// Normal says how values of a request field are made alike before they are
// compared for Vary.
type Normal struct {
	// Values, where given, are all that tells requests apart: the best of them by
	// the client's weights, as of Accept-Encoding: [br, gzip] or Accept-Language.
	Values []string
}

// maxSorted is how many members of a list are sorted; longer ones stay as sent.
const maxSorted = 32

// AppendSelected appends one request field in its normal form: the lines in
// order, joined, without the whitespace that means nothing (RFC 9111 §4.1). A
// field that is absent differs from an empty one. For lists whose order and case
// mean nothing (Accept-Encoding, without Normal) codings are lowered and sorted;
// of Accept-Language those of equal weight keep their order, which some servers
// heed. The form tells its own length, so fields can follow one another.
func AppendSelected(dst []byte, name string, lines [][]byte, how *Normal) []byte {
	if len(lines) == 0 {
		return append(dst, 0)
	}
	start := len(dst)
	dst = append(dst, 1, 0, 0, 0, 0)
	kind := selectKindOf(name)
	if how != nil && len(how.Values) > 0 {
		dst = appendBest(dst, kind, lines, how.Values)
	} else {
		dst = appendNormal(dst, kind, lines)
	}
	binary.BigEndian.PutUint32(dst[start+1:], uint32(len(dst)-start-5))
	return dst
}

// selectKind says how the values of a field are compared.
type selectKind uint8

const (
	anyList selectKind = iota
	text               // not a list: whitespace may mean something
	codings
	languages
	types
)

func selectKindOf(name string) selectKind {
	switch b := []byte(name); {
	case isFold(b, "accept-encoding"):
		return codings
	case isFold(b, "accept-language"):
		return languages
	case isFold(b, "accept"):
		return types
	case isFold(b, "user-agent"), isFold(b, "cookie"), isFold(b, "authorization"), isFold(b, "referer"), isFold(b, "if-modified-since"):
		return text
	}
	return anyList
}

func appendNormal(dst []byte, kind selectKind, lines [][]byte) []byte {
	start := len(dst)
	for i, line := range lines {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendTight(dst, trim(line), kind)
	}
	if kind == codings || kind == languages {
		return sortMembers(dst, start, kind)
	}
	return dst
}

// appendTight appends a value without the whitespace around its commas, and of
// languages and codings around semicolons too, in lower case.
func appendTight(dst, value []byte, kind selectKind) []byte {
	if kind == text {
		return append(dst, value...)
	}
	isWeighted := kind == codings || kind == languages
	isSeparator := func(c byte) bool { return c == ',' || isWeighted && c == ';' }
	start, isQuoted := len(dst), false
	for i := 0; i < len(value); i++ {
		c := value[i]
		switch {
		case isQuoted && c == '\\' && i+1 < len(value):
			dst = append(dst, c)
			i++
			c = value[i]
		case c == '"':
			isQuoted = !isQuoted
		case isQuoted:
		case isSeparator(c):
			dst = dst[:start+len(trimEnd(dst[start:]))]
		case c == ' ' || c == '\t':
			if n := len(dst); n > start && isSeparator(dst[n-1]) {
				continue
			}
		}
		if isWeighted {
			c = lowered(c)
		}
		dst = append(dst, c)
	}
	return dst
}

func trimEnd(b []byte) []byte {
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
}

// sortMembers sorts the members of the list that dst ends with: codings by name,
// languages by weight. It takes room behind dst for it.
func sortMembers(dst []byte, start int, kind selectKind) []byte {
	type member struct{ from, to, weight int }
	var members [maxSorted]member
	n, end := 0, len(dst)
	for at := start; at <= end; n++ {
		if n == maxSorted {
			return dst
		}
		to := at
		for to < end && dst[to] != ',' {
			to++
		}
		m := member{from: at, to: to}
		if kind == languages {
			_, m.weight = cutWeight(dst[at:to])
		}
		i := n
		for ; i > 0; i-- {
			o := members[i-1]
			isBefore := m.weight > o.weight
			if kind == codings {
				isBefore = string(dst[m.from:m.to]) < string(dst[o.from:o.to])
			}
			if !isBefore {
				break
			}
			members[i] = o
		}
		members[i] = m
		at = to + 1
	}
	for i, m := range members[:n] {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, dst[m.from:m.to]...)
	}
	copy(dst[start:], dst[end:])
	return dst[:end]
}

// cutWeight cuts the weight off a member, in thousandths (RFC 9110 §12.4.2). One
// that cannot be read is as none: 1.
func cutWeight(member []byte) (value []byte, weight int) {
	for i, c := range member {
		if c == ';' {
			return trim(member[:i]), weightOf(member[i+1:])
		}
	}
	return trim(member), 1000
}

func weightOf(parameters []byte) int {
	for len(parameters) > 0 {
		one := parameters
		parameters = nil
		for i, c := range one {
			if c == ';' {
				one, parameters = one[:i], one[i+1:]
				break
			}
		}
		one = trim(one)
		if len(one) < 3 || lowered(one[0]) != 'q' || one[1] != '=' {
			continue
		}
		return thousandths(one[2:])
	}
	return 1000
}

func thousandths(text []byte) int {
	weight, unit := 0, 1000
	for i, c := range text {
		switch {
		case i == 1 && c == '.':
			continue
		case c < '0' || c > '9' || i > 4 || i == 1:
			return 1000
		}
		weight += int(c-'0') * unit
		unit /= 10
	}
	return min(weight, 1000)
}

// appendBest appends the value that the client likes best, the first of several,
// nothing when it takes none.
func appendBest(dst []byte, kind selectKind, lines [][]byte, values []string) []byte {
	best, bestWeight := "", 0
	for _, value := range values {
		weight, bestRank := 0, 0
		for _, line := range lines {
			for len(line) > 0 {
				var member []byte
				member, line = cutAtComma(line)
				wanted, w := cutWeight(member)
				if rank := rankOf(kind, wanted, value); rank > bestRank {
					bestRank, weight = rank, w
				}
			}
		}
		if weight > bestWeight {
			best, bestWeight = value, weight
		}
	}
	return append(dst, best...)
}

// rankOf tells how exactly what a client wants means a value, 0 for not at all:
// the most exact member says the weight. Languages match by prefix (RFC 4647
// §3.3.1), types by type/* too.
func rankOf(kind selectKind, wanted []byte, value string) int {
	switch {
	case len(wanted) == 0:
		return 0
	case string(wanted) == "*" || kind == types && string(wanted) == "*/*":
		return 1
	case kind == types && len(wanted) > 2 && string(wanted[len(wanted)-2:]) == "/*":
		wanted = wanted[:len(wanted)-1]
		if len(value) >= len(wanted) && equalFold(wanted, value[:len(wanted)]) {
			return 2
		}
		return 0
	case equalFold(wanted, value):
		return 2 + len(wanted)
	case kind == languages && len(value) > len(wanted) && value[len(wanted)] == '-' && equalFold(wanted, value[:len(wanted)]):
		return 2 + len(wanted)
	}
	return 0
}

func equalFold(b []byte, s string) bool {
	if len(b) != len(s) {
		return false
	}
	for i := range b {
		if lowered(b[i]) != lowered(s[i]) {
			return false
		}
	}
	return true
}
