package front

import (
	"bytes"
	"strings"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/front/cases"
	"weir/proxy/wire"
)

var testLimits = wire.Limits{Head: 16 << 10, Target: 8 << 10, Fields: 100}

// finish adds fields to a section and finishes it.
func finish(fields [][2]string) (*exchange.Exchange, *Section, *wire.Fault) {
	x, s := &exchange.Exchange{}, &Section{}
	s.Begin(wire.NewReaders(testLimits.Head), &testLimits)
	for _, f := range fields {
		s.Add([]byte(f[0]), []byte(f[1]))
	}
	return x, s, s.Finish(x, true, []byte("dGhlIHNhbXBsZSBub25jZQ=="))
}

func TestSectionCases(t *testing.T) {
	for _, c := range cases.Requests() {
		t.Run(c.Name, func(t *testing.T) {
			_, s, fault := finish(c.Fields)
			switch {
			case fault == nil && c.Status != 0:
				t.Fatalf("got the head %q; want %d", s.text, c.Status)
			case fault != nil && fault.Status != c.Status:
				t.Fatalf("got %d %s; want %d", fault.Status, fault.Reason, c.Status)
			case fault == nil && !strings.EqualFold(string(s.text), c.Head):
				t.Fatalf("got the head %q; want %q", s.text, c.Head)
			}
		})
	}
}

func TestSectionOfWebSocket(t *testing.T) {
	x, s, fault := finish([][2]string{
		{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/chat"},
		{"sec-websocket-key", "mine"}, {"sec-websocket-protocol", "p"},
	})
	if fault != nil {
		t.Fatal(fault)
	}
	const want = "GET /chat HTTP/1.1\r\nHost: h\r\nsec-websocket-protocol: p\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
	if string(s.text) != want || !s.Tunnels() || string(x.Request.Method()) != "GET" || x.RequestLength != 0 {
		t.Fatalf("got %q; want %q", s.text, want)
	}
}

func TestChallenge(t *testing.T) {
	c := Challenge{}
	c.Make()
	if c.Accepts(nil) || c.Accepts([]byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) {
		t.Fatal("a wrong answer was taken")
	}
	c.key = [24]byte([]byte("dGhlIHNhbXBsZSBub25jZQ=="))
	c.solve()
	if !c.Accepts([]byte("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=")) { // RFC 6455 §1.3
		t.Fatalf("got %q", c.answer)
	}
}

// FuzzSection holds that what a section lets through is one whole request to
// the parser of HTTP/1.1, with the lines that were sent and no other.
func FuzzSection(f *testing.F) {
	for _, c := range cases.Requests() {
		var seed []byte
		for _, field := range c.Fields {
			seed = append(append(append(append(seed, field[0]...), 0xfe), field[1]...), 0xfd)
		}
		if len(seed) < 4<<10 {
			f.Add(seed)
		}
	}
	f.Fuzz(func(t *testing.T, seed []byte) {
		var fields [][2]string
		for _, field := range bytes.Split(seed, []byte{0xfd}) {
			name, value, ok := bytes.Cut(field, []byte{0xfe})
			if ok {
				fields = append(fields, [2]string{string(name), string(value)})
			}
		}
		_, s, fault := finish(fields)
		if fault != nil {
			return
		}
		lines := strings.Split(string(s.text), "\r\n")
		if got := strings.Count(string(s.text), "\n"); got != len(lines)-1 || lines[len(lines)-1] != "" || lines[len(lines)-2] != "" {
			t.Fatalf("%q is not one head", s.text)
		}
		sent := make(map[string]int)
		for _, field := range fields {
			sent[field[0]+": "+field[1]]++
		}
		for _, line := range lines[1 : len(lines)-2] {
			name, _, _ := strings.Cut(line, ":")
			switch name {
			case "Host", "Cookie", "Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version":
				continue
			}
			if sent[line]--; sent[line] < 0 {
				t.Fatalf("%q has the line %q, which nobody sent", s.text, line)
			}
		}
	})
}
