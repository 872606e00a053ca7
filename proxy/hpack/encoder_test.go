package hpack

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"
	"pgregory.net/rapid"
)

func TestLinesThatRepeatAreIndexed(t *testing.T) {
	e := NewEncoder(DefaultTableSize)
	f := func(name, value string, want int) {
		t.Helper()
		if got := e.AppendField(nil, []byte(name), []byte(value)); len(got) != want {
			t.Fatalf("%s: %s: got %d bytes, %x; want %d", name, value, len(got), got, want)
		}
	}
	f("Server", "weir", 1+1+1+3)
	f("Server", "weir", 1+1+3)
	f("Server", "weir", 1)
	f("X-Own", "1", 1+1+4+1+1) // the name in Huffman code
	f("x-own", "1", 1+1+4+1+1)
	f("X-OWN", "1", 1)
	f("Set-Cookie", "a=b", 2+1+3)
	f("Set-Cookie", "a=b", 2+1+3)
	f("Set-Cookie", "a=b", 2+1+3)
	f("", "nothing", 0)
	if got := e.AppendStatus(nil, 404); !bytes.Equal(got, []byte{0x8d}) {
		t.Fatalf("got %x", got)
	}
}

// TestEncoderIsUnderstood holds what the encoder writes against two decoders,
// while the peer changes the table's size.
func TestEncoderIsUnderstood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := NewEncoder(rapid.SampledFrom([]int{0, 100, 1024, 4096, 1 << 20}).Draw(t, "most"))
		d := NewDecoder(1 << 20)
		other := hpack.NewDecoder(DefaultTableSize, nil)
		other.SetAllowedMaxDynamicTableSize(1 << 20)
		names := []string{"Server", "content-type", "X-A", "X-Bee", "Date", "cookie", ":path", ":method", "grpc-status", "etag"}
		values := rapid.StringMatching(`[ -~]{0,40}`)
		for range rapid.IntRange(1, 12).Draw(t, "blocks") {
			for range rapid.IntRange(0, 2).Draw(t, "sizes") {
				e.SetLimit(rapid.SampledFrom([]int{0, 64, 200, 4096, 1 << 16}).Draw(t, "limit"))
			}
			block := e.Begin(nil)
			want := ""
			for range rapid.IntRange(0, 20).Draw(t, "fields") {
				name := rapid.SampledFrom(names).Draw(t, "name")
				value := rapid.SampledFrom([]string{"", "GET", "/", "same", values.Draw(t, "value")}).Draw(t, "which")
				block = e.AppendField(block, []byte(name), []byte(value))
				want += fmt.Sprintf("%s: %s\n", strings.ToLower(name), value)
			}
			var fields Fields
			if err := d.Decode(block, &fields); err != nil {
				t.Fatalf("%x: %v", block, err)
			}
			if got := text(&fields); got != want {
				t.Fatalf("%x: got %q; want %q", block, got, want)
			}
			list, err := other.DecodeFull(block)
			if err != nil || len(list) != fields.Len() {
				t.Fatalf("%x: another decoder says %v, %v", block, list, err)
			}
		}
	})
}

func TestTokens(t *testing.T) {
	f := func(token Token, name, canonical string) {
		t.Helper()
		if token.String() != name || string(token.Canonical()) != canonical || Lookup([]byte(canonical)) != token {
			t.Fatalf("got %q, %q, %d; want %q, %q, %d", token, token.Canonical(), Lookup([]byte(canonical)), name, canonical, token)
		}
	}
	f(Authority, ":authority", ":authority")
	f(Path, ":path", ":path")
	f(AcceptEncoding, "accept-encoding", "Accept-Encoding")
	f(Authorization, "authorization", "Authorization")
	f(CacheControl, "cache-control", "Cache-Control")
	f(ContentLength, "content-length", "Content-Length")
	f(ContentType, "content-type", "Content-Type")
	f(Cookie, "cookie", "Cookie")
	f(Date, "date", "Date")
	f(Expect, "expect", "Expect")
	f(Host, "host", "Host")
	f(Location, "location", "Location")
	f(ProxyAuth, "proxy-authorization", "Proxy-Authorization")
	f(Server, "server", "Server")
	f(SetCookie, "set-cookie", "Set-Cookie")
	f(TransferEncoding, "transfer-encoding", "Transfer-Encoding")
	f(UserAgent, "user-agent", "User-Agent")
	f(Via, "via", "Via")
	f(Protocol, ":protocol", ":protocol")
	f(TE, "te", "Te")
	f(TraceParent, "traceparent", "Traceparent")
	f(GRPCAcceptEncoding, "grpc-accept-encoding", "Grpc-Accept-Encoding")
	for token := Token(1); token < tokens; token++ {
		if want := token; token > staticLast || tokenOfIndex[token] == token {
			if got := Lookup(token.Name()); got != want {
				t.Fatalf("%q: got %d; want %d", token, got, want)
			}
		}
	}
	if Lookup([]byte("x-unknown")) != 0 || Lookup(nil) != 0 {
		t.Fatal("a token for an unknown name")
	}
}
