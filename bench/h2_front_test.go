package bench

import (
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"testing"

	"weir/proxy/frame"
)

// browsing is a client of HTTP/2 over TLS that has several requests under way
// at once.
type browsing struct {
	*frames
	tb      testing.TB
	id      uint32
	request [][]byte
	body    []byte
}

// browse opens a connection to a gateway whose listener speaks h2.
func browse(tb testing.TB, address string, secure bool, path string, body []byte) *browsing {
	tb.Helper()
	nc, err := net.Dial("tcp", address)
	if err != nil {
		tb.Fatal(err)
	}
	if secure {
		nc = tls.Client(nc, &tls.Config{InsecureSkipVerify: true, ServerName: "localhost", NextProtos: []string{"h2"}})
	}
	tb.Cleanup(func() { _ = nc.Close() })
	method := "GET"
	if body != nil {
		method = "POST"
	}
	b := &browsing{frames: newFrames(nc), tb: tb, id: 1, body: body}
	b.request = fields(":method", method, ":scheme", "https", ":authority", "localhost", ":path", path,
		"user-agent", "bench/1.0", "accept", "*/*", "accept-encoding", "gzip, br", "accept-language", "en-GB,en;q=0.9")
	if body != nil {
		b.request = append(b.request, fields("content-length", strconv.Itoa(len(body)))...)
	}
	b.out = frame.AppendSettings(append(b.out, frame.Preface...), frame.Setting{ID: frame.InitialWindow, Value: 1 << 20})
	b.out = frame.AppendSettingsAck(b.out)
	return b
}

// round makes n requests at once and waits for their answers.
func (b *browsing) round(n int) {
	flags := frame.EndStream
	if b.body != nil {
		flags = 0
	}
	for range n {
		b.section(0, b.id, flags, b.request...)
		if b.body != nil {
			b.data(b.id, frame.EndStream, b.body)
		}
		b.id += 2
	}
	if err := b.flush(); err != nil {
		b.tb.Fatal(err)
	}
	read := 0
	for n > 0 {
		h, payload, err := b.next()
		switch {
		case err != nil:
			b.tb.Fatal(err)
		case h.Type == frame.GoAway, h.Type == frame.RSTStream:
			b.tb.Fatalf("got %v %q", h, payload)
		case h.Type == frame.Headers && payload[0] != 0x88: // :status 200 of the static table
			b.tb.Fatalf("got an answer that begins with %x", payload[:1])
		case h.Type == frame.Data:
			read += h.Length
		}
		if h.Stream != 0 && h.Flags.Has(frame.EndStream) && (h.Type == frame.Data || h.Type == frame.Headers) {
			n--
		}
	}
	b.out = frame.AppendWindowUpdate(b.out, 0, uint32(max(read, 1)))
}

// browsed is a gateway that speaks h2, over TLS or in clear.
func browsed(tb testing.TB, secure bool, flags string) *gateway {
	tb.Helper()
	up := startUpstreams(tb)
	return startGateway(tb, fmt.Sprintf(`
listeners: { main: { address: "127.0.0.1:0", tls: %v, protocols: [h2] } }
domains: { localhost: { tls: dev, mappings: { "": bench/$default } } }
upstreams: { k1: { targets: [ "http://%s" ] }, fresh1: { targets: [ "http://%s" ] } }
apis:
  bench:
    routes:
      - { path: /hello, answer: { headers: { Content-Type: text/plain }, body: "Hello, world!" } }
      - { path: /1k, upstream: k1 }
      - { path: /cached/1k, upstream: fresh1, cache: { ttl: 1h } }
`, secure, up.k1, up.fresh1), flags)
}

// browsedCases are rounds of so many requests at once. records is how many
// records of TLS a round is read in at most, by both sides.
var browsedCases = []struct {
	name, path       string
	body             []byte
	streams, records int
}{
	{"answer", "/hello", nil, 1, 2},
	{"answer-10-streams", "/hello", nil, 10, 11},
	{"cached-hit-1k", "/cached/1k", nil, 1, 2},
	{"cached-hit-1k-10-streams", "/cached/1k", nil, 10, 11},
	{"proxied-1k", "/1k", nil, 1, 2},
	{"proxied-1k-10-streams", "/1k", nil, 10, 11},
	{"proxied-post-1k", "/1k", make([]byte, 1<<10), 1, 2},
}

// BenchmarkHTTP2 measures requests over HTTP/2 and TLS; an operation is as many
// as there are streams.
func BenchmarkHTTP2(b *testing.B) {
	for _, c := range browsedCases {
		b.Run(c.name, func(b *testing.B) {
			client := browse(b, browsed(b, true, full).address, true, c.path, c.body)
			b.ReportAllocs()
			for b.Loop() {
				client.round(c.streams)
			}
		})
	}
}
