package proxy

import (
	"encoding/binary"
	"net/netip"
	"net/textproto"
	"strings"

	"weir/proxy/config"
)

// partKind is one kind of thing that tells requests apart.
type partKind uint8

const (
	byAddress partKind = 'a' + iota
	byAPI
	byStage
	byRoute
	byMethod
	byHost
	byAPIKey
	byHeader
	byQuery
	byClaim
)

// partKinds are the kinds by what the document calls them.
var partKinds = map[string]partKind{
	"address": byAddress, "api": byAPI, "stage": byStage, "route": byRoute, "method": byMethod,
	"host": byHost, "apiKey": byAPIKey, "header": byHeader, "query": byQuery, "claim": byClaim,
}

// identity is what tells requests apart for one limit and route. It is immutable.
type identity struct {
	prefix []byte // the limit's name, and what is the same for all requests of the route
	parts  []part
	ipv6   int
}

type part struct {
	kind partKind
	name []byte
}

// newIdentity compiles what by lists, and tells whether the caller must be
// known for it.
func newIdentity(name string, by []string, ipv6 int, route place) (id *identity, needsCaller bool) {
	id = &identity{prefix: append([]byte(name), 0), ipv6: ipv6}
	for _, text := range by {
		word, rest, _ := strings.Cut(text, ":")
		kind := partKinds[word]
		switch kind {
		case byAPI:
			id.prefix = appendPart(id.prefix, kind, route.api)
		case byStage:
			id.prefix = appendPart(id.prefix, kind, route.api+"/"+route.stage)
		case byRoute:
			id.prefix = appendPart(id.prefix, kind, route.String())
		case byHeader:
			id.parts = append(id.parts, part{kind, []byte(textproto.CanonicalMIMEHeaderKey(rest))})
		default:
			id.parts = append(id.parts, part{kind, []byte(rest)})
		}
		needsCaller = needsCaller || kind == byAPIKey || kind == byClaim
	}
	return id, needsCaller
}

// place is a route of a stage, for names that outlive documents.
type place struct{ api, stage, key string }

func (p place) String() string { return p.api + "/" + p.stage + " " + p.key }

// appendPart appends a value so that no two lists of them look alike.
func appendPart(dst []byte, kind partKind, value string) []byte {
	dst = binary.LittleEndian.AppendUint32(append(dst, byte(kind)), uint32(len(value)))
	return append(dst, value...)
}

// append appends what tells r apart.
func (id *identity) append(dst []byte, r *request) []byte {
	dst = append(dst, id.prefix...)
	for i := range id.parts {
		p := &id.parts[i]
		dst = append(dst, byte(p.kind), 0, 0, 0, 0)
		from := len(dst)
		dst = p.append(dst, r, id.ipv6)
		binary.LittleEndian.PutUint32(dst[from-4:], uint32(len(dst)-from))
	}
	return dst
}

func (p *part) append(dst []byte, r *request, ipv6 int) []byte {
	x := r.x
	switch p.kind {
	case byAddress:
		return appendNetwork(dst, x.Client, ipv6)
	case byMethod:
		return append(dst, x.Request.Method()...)
	case byHost:
		return appendLower(dst, bareHost(x.Authority))
	case byAPIKey:
		return append(dst, r.caller.keyID()...)
	case byHeader:
		if string(p.name) == "Cookie" {
			return appendFirst(dst, r, p.name) // the other way would take it apart
		}
		return append(dst, x.Request.PeekCanonical(p.name)...)
	case byQuery:
		return appendQueryValue(dst, x.Query, p.name)
	case byClaim:
		return append(dst, r.caller.claim(p.name)...)
	}
	return dst
}

// appendNetwork appends a client's address: of IPv6 only so many bits, for one
// client has a whole network of them.
func appendNetwork(dst []byte, addr netip.Addr, ipv6 int) []byte {
	addr = addr.Unmap()
	switch {
	case addr.Is4():
		a := addr.As4()
		return append(dst, a[:]...)
	case addr.Is6():
		a := addr.As16()
		if whole := ipv6 / 8; whole < len(a) {
			a[whole] &= 0xff << (8 - ipv6%8)
			clear(a[whole+1:])
		}
		return append(dst, a[:]...)
	}
	return dst
}

func appendLower(dst, text []byte) []byte {
	for _, c := range text {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// appendFirst appends the first line of a field.
func appendFirst(dst []byte, r *request, field []byte) []byte {
	for name, value := range r.x.Request.AllInOrder() {
		if string(name) == string(field) {
			return append(dst, value...)
		}
	}
	return dst
}

// appendQueryValue appends the value of the first parameter of that name,
// decoded: another spelling must not be another identity.
func appendQueryValue(dst, query, name []byte) []byte {
	for len(query) > 0 {
		pair := query
		query = nil
		for i, c := range pair {
			if c == '&' {
				pair, query = pair[:i], pair[i+1:]
				break
			}
		}
		key, value := pair, []byte(nil)
		for i, c := range pair {
			if c == '=' {
				key, value = pair[:i], pair[i+1:]
				break
			}
		}
		from := len(dst)
		dst = appendDecoded(dst, key)
		found := string(dst[from:]) == string(name)
		dst = dst[:from]
		if found {
			return appendDecoded(dst, value)
		}
	}
	return dst
}

// appendDecoded appends text with %XX and + decoded; what is malformed stays.
func appendDecoded(dst, text []byte) []byte {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '+' {
			c = ' '
		}
		if c == '%' && i+2 < len(text) {
			if high, low := unhex(text[i+1]), unhex(text[i+2]); high < 16 && low < 16 {
				c = high<<4 | low
				i += 2
			}
		}
		dst = append(dst, c)
	}
	return dst
}

// unhex returns the value of a hexadecimal digit, and 16 for what is none.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 16
}

// ipv6Bits is how much of an IPv6 address is taken for one client.
func ipv6Bits(l *config.Limit) int {
	if l.IPv6Prefix == 0 {
		return 64
	}
	return l.IPv6Prefix
}
