package proxy

import (
	"net/textproto"
	"strings"

	"github.com/valyala/fasthttp"

	"weir/proxy/config"
	"weir/proxy/exchange"
)

// match is what a route asks of a request beside method and path. All of it
// must hold.
type match struct {
	headers []condition
	query   []condition
	hosts   []string // in lower case; "*.example.org" stands for all below
}

// condition is about the value of one header or query parameter.
type condition struct {
	name []byte
	want config.ValueMatch
}

func compileMatch(m *config.Match) (*match, error) {
	if m == nil {
		return nil, nil
	}
	out := &match{}
	for name, value := range m.Headers {
		c, err := compileCondition(textproto.CanonicalMIMEHeaderKey(name), value)
		if err != nil {
			return nil, err
		}
		out.headers = append(out.headers, c)
	}
	for name, value := range m.Query {
		c, err := compileCondition(name, value)
		if err != nil {
			return nil, err
		}
		out.query = append(out.query, c)
	}
	for _, host := range m.Hosts {
		out.hosts = append(out.hosts, strings.ToLower(host))
	}
	return out, nil
}

func compileCondition(name, value string) (condition, error) {
	want, err := config.ParseValueMatch(value)
	return condition{[]byte(name), want}, err
}

func (c *condition) holds(value []byte) bool {
	switch {
	case c.want.Present:
		return true
	case c.want.Expression != nil:
		return c.want.Expression.Match(value)
	}
	return string(value) == c.want.Exact
}

func (m *match) accepts(x *exchange.Exchange) bool {
	return m.acceptsHost(x.Authority) && m.acceptsHeaders(x) && m.acceptsQuery(x.Query)
}

// acceptsHeaders looks at every line of a field: one that holds is enough.
func (m *match) acceptsHeaders(x *exchange.Exchange) bool {
	for i := range m.headers {
		held := false
		for name, value := range x.Request.AllInOrder() {
			if string(name) == string(m.headers[i].name) && m.headers[i].holds(value) {
				held = true
				break
			}
		}
		if !held {
			return false
		}
	}
	return true
}

func (m *match) acceptsQuery(query []byte) bool {
	if len(m.query) == 0 {
		return true
	}
	args := fasthttp.AcquireArgs()
	defer fasthttp.ReleaseArgs(args)
	args.ParseBytes(query)
	for i := range m.query {
		c := &m.query[i]
		held := false
		for name, value := range args.All() {
			if string(name) == string(c.name) && c.holds(value) {
				held = true
				break
			}
		}
		if !held {
			return false
		}
	}
	return true
}

func (m *match) acceptsHost(authority []byte) bool {
	if len(m.hosts) == 0 {
		return true
	}
	host := bareHost(authority)
	for _, want := range m.hosts {
		if suffix, wild := strings.CutPrefix(want, "*"); wild {
			if len(host) > len(suffix) && foldEqual(host[len(host)-len(suffix):], suffix) {
				return true
			}
			continue
		}
		if foldEqual(host, want) {
			return true
		}
	}
	return false
}

// bareHost cuts port and trailing dot off an authority.
func bareHost(b []byte) []byte {
	for i := len(b) - 1; i >= 0; i-- {
		if b[i] == ':' {
			b = b[:i]
			break
		}
		if b[i] == ']' {
			break
		}
	}
	if len(b) > 0 && b[len(b)-1] == '.' {
		b = b[:len(b)-1]
	}
	return b
}

// foldEqual compares with a text in lower case, without regard to the case of b.
func foldEqual(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
