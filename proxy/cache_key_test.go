package proxy

import (
	"bufio"
	"net/netip"
	"strings"
	"testing"

	"weir/cache"
	"weir/proxy/exchange"
)

// cacheKey is what a request is to the cache: its key, or why it has none.
type cacheKey struct {
	key   string
	place cache.Place
	why   string
}

// keyOf routes a request, written as "METHOD target host" and field lines, and
// makes its key. tune changes it first.
func (g *testGateway) keyOf(line string, fields string, tune ...func(*request)) cacheKey {
	g.t.Helper()
	r, p := g.keyedRequest(line, fields, tune...)
	if p == nil {
		return cacheKey{why: "no cache"}
	}
	if ok, why := p.takes(r); !ok {
		return cacheKey{why: why}
	}
	var k cache.Key
	p.appendKey(&k, r)
	place := k.Place
	place.Host, place.Path, place.Query = append([]byte{}, place.Host...), append([]byte{}, place.Path...), append([]byte{}, place.Query...)
	return cacheKey{key: string(k.Full()), place: place}
}

func (g *testGateway) keyedRequest(line, fields string, tune ...func(*request)) (*request, *cachePolicy) {
	g.t.Helper()
	part := strings.Split(line, " ")
	x := &exchange.Exchange{Target: []byte(part[1]), Authority: []byte(part[2]), Peer: netip.MustParseAddrPort("192.0.2.1:5")}
	head := part[0] + " / HTTP/1.1\r\nHost: a\r\n" + strings.ReplaceAll(strings.TrimSpace(fields+"\nX-Last: 1"), "\n", "\r\n") + "\r\n\r\n"
	if err := x.Request.Read(bufio.NewReader(strings.NewReader(head))); err != nil {
		g.t.Fatalf("%s: %v", line, err)
	}
	r := &request{x: x, live: g.live.Load()}
	for _, f := range tune {
		f(r)
	}
	if !g.route(r) {
		g.t.Fatalf("%s: got no route; want one", line)
	}
	return r, r.route.cacheFor(x.Request.Method())
}

func withBody(length int64, body string) func(*request) {
	return func(r *request) { r.x.RequestLength, r.x.RequestBytes = length, []byte(body) }
}

const keyDocument = `
trustedProxies: [192.0.2.9]
apis:
  site:
    cache: { ttl: 1m }
    routes:
      - { path: "/{proxy+}", upstream: up }
      - { path: "/ruled/{proxy+}", upstream: up, cache: { methods: [GET, QUERY], key: { query: { deny: ["utm_*"], sort: true }, headers: [x-tenant], cookies: [lang] } } }
      - { path: "/shared", upstream: up, cache: { key: { callers: shared } } }
      - { path: "/match", upstream: up, match: { headers: { X-A: "1" } } }
      - { path: "/match", upstream: up }
      - { path: "/off", upstream: up, cache: { enabled: false } }
      - { path: "/split", methods: [GET], upstream: up }
      - { path: "/split", methods: [HEAD], upstream: up }
    stages: { $default: , other: }
  aws:
    cache: { mode: aws }
    routes:
      - { path: "/pets/{id}", upstream: up, cache: { key: { parameters: [method.request.path.id, method.request.querystring.page, method.request.header.x-a] } } }
      - { path: "/plain", upstream: up, cache: { methods: [GET, POST] } }
      - { path: "/one", upstream: up, cache: { key: { namespace: n } } }
      - { path: "/two", upstream: up, cache: { key: { namespace: n } } }
    stages: { $default: }
domains:
  a.example: { mappings: { "": site, x: site/other } }
  b.example: { mappings: { "": site } }
  aws.example: { mappings: { "": aws } }
upstreams: { up: { targets: ["http://127.0.0.1:1"] } }
`

// TestKeys says which requests share an answer. Each pair that must not is one
// that some cache has mixed up.
func TestKeys(t *testing.T) {
	t.Parallel()
	g := startGateway(t, keyDocument)
	type with = func(*request)
	compare := func(same bool, one, oneFields, other, otherFields string, tune ...with) {
		t.Helper()
		a, b := g.keyOf(one, oneFields), g.keyOf(other, otherFields, tune...)
		if a.why != "" || b.why != "" {
			t.Errorf("%s, %s: got none because of %q, %q; want keys", one, other, a.why, b.why)
			return
		}
		if (a.key == b.key) != same {
			t.Errorf("%s %q, %s %q: got the same key %t; want %t\n%q\n%q", one, oneFields, other, otherFields, a.key == b.key, same, a.key, b.key)
		}
	}
	alike := func(one, other string) { t.Helper(); compare(true, one, "", other, "") }
	apart := func(one, other string) { t.Helper(); compare(false, one, "", other, "") }

	// Method, host and port.
	alike("GET /a a.example", "HEAD /a a.example")
	alike("GET /a a.example", "GET /a A.Example")
	alike("GET /a a.example", "GET /a a.example:80")
	apart("GET /a a.example", "GET /a a.example:443")
	apart("GET /a a.example", "GET /a a.example:8080")
	apart("GET /a a.example", "GET /a b.example")
	compare(false, "GET /a a.example", "", "GET /a a.example", "", func(r *request) { r.x.Secure = true })
	apart("GET /ruled/q a.example", "QUERY /ruled/q a.example")
	// Path: what the upstream gets is what the key has.
	alike("GET /a/b a.example", "GET /a/./b a.example")
	alike("GET /a/b a.example", "GET /c/../a//b a.example")
	alike("GET /a/b a.example", "GET /%61/%62 a.example")
	alike("GET /a/%2Fb a.example", "GET /a/%2fb a.example")
	apart("GET /a/b a.example", "GET /a%2Fb a.example")
	apart("GET /a/b a.example", "GET /a%5Cb a.example")
	apart("GET /a a.example", "GET /a/ a.example")
	apart("GET /a a.example", "GET /A a.example")
	apart("GET /a a.example", "GET /a%01 a.example")
	apart("GET /account a.example", "GET /account/x.css a.example") // deception by an extension
	apart("GET /account a.example", "GET /account;x.css a.example")
	apart("GET /account a.example", "GET /account%3Fx.css a.example")
	apart("GET /account a.example", "GET /account%23x.css a.example")
	apart("GET /a/..%2Fb a.example", "GET /b a.example")
	apart("GET /a?b a.example", "GET /a%3Fb a.example")
	apart("GET /x/a a.example", "GET /a a.example") // another stage
	// The query, as it is and as it is ruled.
	apart("GET /a?b=1 a.example", "GET /a?b=2 a.example")
	apart("GET /a?b=1&c=1 a.example", "GET /a?c=1&b=1 a.example")
	apart("GET /a?b=%31 a.example", "GET /a?b=1 a.example")
	apart("GET /a? a.example", "GET /a a.example")
	apart("GET /a?? a.example", "GET /a? a.example")
	alike("GET /ruled/a?b=1&c=1 a.example", "GET /ruled/a?c=1&utm_x=7&b=1 a.example")
	alike("GET /ruled/a a.example", "GET /ruled/a?utm_x=7 a.example")
	apart("GET /ruled/a?b=1&b=2 a.example", "GET /ruled/a?b=2&b=1 a.example")
	apart("GET /ruled/a a.example", "GET /ruled/a?utm_x=7;b=1 a.example")
	// Fields and cookies that are declared, and the bounds between them.
	f := func(same bool, one, other string) {
		t.Helper()
		compare(same, "GET /ruled/a a.example", one, "GET /ruled/a a.example", other)
	}
	f(false, "", "X-Tenant: a")
	f(false, "X-Tenant: a\nX-Tenant: b", "X-Tenant: a, b")
	f(false, "X-Tenant: ab", "X-Tenant: a\nX-Tenant: b")
	f(true, "X-Tenant: a", "X-Tenant: a\nX-Other: b")
	f(false, "Cookie: lang=en", "Cookie: lang=de")
	f(true, "Cookie: a=b; lang=en", "Cookie: lang=en; session=7")
	f(false, "Cookie: lang=en", "Cookie: lang=en; lang=de")
	f(true, "Cookie: lang=en; lang=de", "Cookie: lang=en\nCookie: lang=de")
	f(false, "Cookie: xlang=en", "Cookie: lang=en")
	// What a trusted proxy says that the client has named.
	trusted := func(r *request) { r.x.Peer = netip.MustParseAddrPort("192.0.2.9:5") }
	compare(false, "GET /a a.example", "", "GET /a a.example", "X-Forwarded-Host: evil.example", trusted)
	compare(true, "GET /a a.example", "", "GET /a a.example", "X-Forwarded-Host: evil.example")
	// Routes that differ by their conditions alone.
	compare(false, "GET /match a.example", "", "GET /match a.example", "X-A: 1")
	// Callers.
	certificate := func(r *request) {
		r.x.TLS = &exchange.TLS{Client: &exchange.ClientCertificate{Digest: [32]byte{1}}}
		r.x.TLS.ServerName = "a.example"
	}
	one, other := g.keyOfCaller("GET /a a.example", certificate), g.keyOf("GET /a a.example", "")
	if one.key == other.key {
		t.Error("got the same key with a certificate and without; want two")
	}
	if one, other = g.keyOfCaller("GET /shared a.example", certificate), g.keyOf("GET /shared a.example", ""); one.key != other.key {
		t.Error("got two keys for callers that share; want one")
	}
	// The content of a QUERY.
	compare(false, "QUERY /ruled/a a.example", "", "QUERY /ruled/a a.example", "", withBody(1, "a"))
	compare(false, "QUERY /ruled/a a.example", "Content-Type: a/b", "QUERY /ruled/a a.example", "Content-Type: a/c")
	compare(false, "QUERY /ruled/a a.example", "", "QUERY /ruled/a a.example", "Content-Encoding: gzip")
	// Mode aws: what is declared, and nothing else.
	alike("GET /pets/1?page=2&x=3 aws.example", "GET /pets/1?page=2 aws.example")
	apart("GET /pets/1 aws.example", "GET /pets/2 aws.example")
	apart("GET /pets/1?page=1 aws.example", "GET /pets/1?p%61ge=2 aws.example")
	apart("GET /pets/1?page=1 aws.example", "GET /pets/1?page=1&page=2 aws.example")
	compare(false, "GET /pets/1 aws.example", "", "GET /pets/1 aws.example", "X-A: 1")
	alike("GET /one?a=1 aws.example", "GET /two?b=2 aws.example")
	apart("GET /one aws.example", "GET /plain aws.example")
	apart("GET /plain aws.example", "POST /plain aws.example")
}

// keyOfCaller is keyOf with what is known of a caller only behind routing.
func (g *testGateway) keyOfCaller(line string, tune func(*request)) cacheKey {
	r, p := g.keyedRequest(line, "")
	tune(r)
	var k cache.Key
	p.appendKey(&k, r)
	return cacheKey{key: string(k.Full())}
}

func TestKeysTakes(t *testing.T) {
	t.Parallel()
	g := startGateway(t, keyDocument)
	f := func(want, line, fields string, tune ...func(*request)) {
		t.Helper()
		if got := g.keyOf(line, fields, tune...); got.why != want {
			t.Errorf("%s %q: got %q; want %q", line, fields, got.why, want)
		}
	}
	f("", "GET /a a.example", "")
	f("content", "GET /a a.example", "", withBody(3, "abc")) // a fat GET
	f("content", "HEAD /a a.example", "", withBody(3, "abc"))
	f("content", "GET /a a.example", "", withBody(exchange.Chunked, ""))
	f("method", "POST /a a.example", "")
	f("method", "QUERY /a a.example", "")
	f("method", "PURGE /a a.example", "")
	f("upgrade", "GET /a a.example", "Upgrade: websocket")
	f("", "QUERY /ruled/a a.example", "", withBody(3, "abc"))
	f("content too large", "QUERY /ruled/a a.example", "", func(r *request) { r.x.RequestLength = 1 << 20 })
	f("no cache", "GET /off a.example", "")
	f("", "POST /plain aws.example", "", withBody(3, "abc"))
	f("method", "PUT /plain aws.example", "")
}

func TestKeysPlace(t *testing.T) {
	t.Parallel()
	g := startGateway(t, keyDocument)
	f := func(line, want string) {
		t.Helper()
		p := g.keyOf(line, "").place
		if got := strings.Join([]string{p.Stage, string(p.Host), string(p.Path), string(p.Query)}, " "); got != want {
			t.Errorf("%s: got %q; want %q", line, got, want)
		}
	}
	f("GET /ruled/./a?b=2&utm_x=1&a=1 A.example:80", "site/$default a.example /ruled/a a=1&b=2")
	f("GET /x/a a.example", "site/other a.example /x/a ")
	f("GET /pets/1?b=2 aws.example", "aws/$default aws.example /pets/1 b=2")
}

// TestKeysFollowTheRoute: what makes the answers of a route is part of its keys,
// so that a reload leaves no answer of the one before.
func TestKeysFollowTheRoute(t *testing.T) {
	t.Parallel()
	g := startGateway(t, keyDocument)
	before := g.keyOf("GET /a a.example", "")
	g.reload(keyDocument)
	if again := g.keyOf("GET /a a.example", ""); again.key != before.key {
		t.Error("got another key after a reload of the same document; want the same")
	}
	g.reload(strings.Replace(keyDocument, `{ path: "/{proxy+}", upstream: up }`, `{ path: "/{proxy+}", upstream: up, responseHeaders: { remove: [Server] } }`, 1))
	if after := g.keyOf("GET /a a.example", ""); after.key == before.key {
		t.Error("got the same key for another way to answer; want another")
	}
}

func TestStripUnkeyed(t *testing.T) {
	t.Parallel()
	g := startGateway(t, strings.Replace(keyDocument, "[x-tenant]", "[x-tenant, X-Original-URL]", 1))
	const fields = "X-Original-Url: /admin\nX-Rewrite-Url: /admin\nX-Http-Method-Override: DELETE\nX-Forwarded-Scheme: nothttps\nX-Host: evil\nAccept: a/b"
	f := func(line, want string) {
		t.Helper()
		r, p := g.keyedRequest(line, fields)
		p.stripUnkeyed(&r.x.Request)
		var got []string
		for name := range r.x.Request.All() {
			if string(name) != "Host" && string(name) != "X-Last" {
				got = append(got, string(name))
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: got %q; want %q", line, got, want)
		}
	}
	f("GET /a a.example", "Accept")
	f("GET /ruled/a a.example", "X-Original-Url Accept")
}
