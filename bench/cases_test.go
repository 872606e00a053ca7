package bench

import (
	"fmt"
	"strings"
	"testing"
)

// wayCase is one kind of request, with the answer it must get.
type wayCase struct {
	name    string
	request []byte // as often as there are answers
	answers int
	status  []byte
	body    int // bytes of an answer's body, -1 where nobody cares
	local   bool
}

// pipelineDepth is how many requests the pipelined case sends at once.
const pipelineDepth = 16

// usual are the fields that a browser or a client library sends anyway.
const usual = "Host: api.example.org\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) bench/1.0\r\n" +
	"Accept: application/json, text/plain, */*\r\n" +
	"Accept-Encoding: gzip, br\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\n"

// cases returns what is measured. Names are stable: results of years are
// compared by them.
func cases() []wayCase {
	get := func(target, extra string) string { return "GET " + target + " HTTP/1.1\r\n" + usual + extra + "\r\n" }
	post := func(target string, bytes int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\n%sContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s",
			target, usual, bytes, strings.Repeat("x", bytes))
	}
	c := func(name, request string, status, body int, local bool) wayCase {
		return wayCase{name: name, request: []byte(request), answers: 1, status: fmt.Appendf(nil, "HTTP/1.1 %d ", status), body: body, local: local}
	}
	pipelined := c("pipelined", strings.Repeat(get("/hello", ""), pipelineDepth), 200, 13, true)
	pipelined.answers = pipelineDepth
	return []wayCase{
		c("answer", get("/hello", ""), 200, 13, true),
		c("notfound", get("/nothing/here", ""), 404, -1, true),
		c("nomethod", "DELETE"+get("/hello", "")[3:], 405, -1, true),
		c("refused", get("/a/%00", ""), 400, -1, true),
		c("param", get("/pets/fb3a52d9/toys/17?full=yes", ""), 200, 5, true),
		c("redirect", get("/old/pets/17", ""), 308, 0, true),
		c("match", get("/match?version=2", "X-Tenant: acme-42\r\n"), 200, 11, true),
		pipelined,
		c("cached-hit-1k", get("/cached/1k?page=2", ""), 200, 1<<10, true),
		c("cached-hit-16k", get("/cached/16k", ""), 200, 16<<10, false),
		c("cached-hit-304", get("/cached/1k?page=2", "If-None-Match: \"8c4f1f0c\"\r\n"), 304, 0, true),
		c("proxied-1k", get("/1k?page=2", ""), 200, 1<<10, false),
		c("proxied-cookie-1k", get("/1k", "Cookie: session=8c4f1f0c; theme=dark; consent=all\r\nConnection: keep-alive\r\n"), 200, 1<<10, false),
		c("proxied-forwarded-1k", get("/1k", "X-Forwarded-For: 192.0.2.7, 127.0.0.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: 4f1c\r\nVia: 1.1 edge\r\n"), 200, 1<<10, false),
		c("proxied-chunked-1k", get("/chunked", ""), 200, len("400\r\n")+(1<<10), false),
		c("proxied-changed-1k", get("/changed", ""), 200, 1<<10, false),
		c("proxied-16k", get("/16k", ""), 200, 16<<10, false),
		c("proxied-post-1k", post("/1k", 1<<10), 200, 1<<10, false),
		c("proxied-stream-1m", get("/1m", ""), 200, 1<<20, false),
	}
}

func caseNamed(tb testing.TB, name string) wayCase {
	tb.Helper()
	for _, c := range cases() {
		if c.name == name {
			return c
		}
	}
	tb.Fatalf("there is no case %q", name)
	return wayCase{}
}

// TestCases holds the cases to their answers, so that no benchmark measures
// something else, whatever the settings and the number of routes.
func TestCases(t *testing.T) {
	f := func(flags string, doc func(string) string, routes int) {
		t.Helper()
		up := startUpstreams(t)
		client := dial(t, startGateway(t, doc(documentOf(up, routes)), flags).address)
		for _, c := range cases() {
			for range 3 {
				got, err := client.do(c.request, c.answers, c.status)
				if err != nil {
					t.Fatalf("%s with %q: %s", c.name, flags, err)
				}
				if c.body >= 0 && got != c.body {
					t.Fatalf("%s with %q: got a body of %d bytes; want %d", c.name, flags, got, c.body)
				}
			}
		}
	}
	asIs := func(doc string) string { return doc }
	f(bare, asIs, fewRoutes)
	f(full+" -shards=2", asIs, 1000)
	f(full, trusting, fewRoutes)
}
