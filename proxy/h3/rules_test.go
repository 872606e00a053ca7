package h3

import (
	"errors"
	"io"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quic-go/quic-go"

	"weir/proxy/exchange"
	"weir/proxy/front/cases"
	"weir/proxy/wire"
)

// strict answers requests as the gateway does: what is malformed is refused.
func strict(x *exchange.Exchange) {
	x.MaxBody = -1
	if x.Malformed != nil {
		answer(x, x.Malformed.Status, x.Malformed.Reason)
		return
	}
	content := ""
	if x.RequestBody != nil {
		body, err := io.ReadAll(x.RequestBody)
		var fault *wire.Fault
		switch {
		case errors.As(err, &fault):
			answer(x, fault.Status, fault.Reason)
			return
		case err != nil:
			answer(x, 499, err.Error())
			return
		}
		content = string(body) + string(x.RequestBody.Trailers())
	}
	answer(x, 200, content)
}

func TestSmuggling(t *testing.T) {
	var through atomic.Int64
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		if x.Malformed == nil {
			through.Add(1)
		}
		strict(x)
	})
	c := dial(t, s)
	c.uni(settings())
	for _, one := range cases.Requests() {
		t.Run(one.Name, func(t *testing.T) {
			before := through.Load()
			stream := c.open(section(one.Fields...))
			_ = stream.Close()
			got := read(stream)
			status, _ := strconv.Atoi(got.status())
			switch {
			case one.Status == 0 && (status != 200 || got.err != nil):
				t.Fatalf("got %q, %v; want 200", got.heads, got.err)
			case one.Status != 0 && (status != one.Status || through.Load() != before):
				t.Fatalf("got %q, %v, let through %d; want %d", got.heads, got.err, through.Load()-before, one.Status)
			}
		})
	}
	if err := c.conn.Context().Err(); err != nil {
		t.Fatalf("the connection has ended: %v", err)
	}
}

func TestContent(t *testing.T) {
	s := serve(t, testConfig(), strict)
	c := dial(t, s)
	c.uni(settings())
	unknown := append(appendFrame(nil, 0x21, 3), "abc"...)
	f := func(sent []byte, status, content string) {
		t.Helper()
		stream := c.open(sent)
		_ = stream.Close()
		if got := read(stream); got.status() != status || !strings.Contains(got.content, content) {
			t.Fatalf("%q: got %q %q, %v; want %s %q", sent, got.heads, got.content, got.err, status, content)
		}
	}
	five, none := [2]string{"content-length", "5"}, [2]string{"content-length", "0"}
	f(post(), "200", "")
	f(join(post(), data("hello")), "200", "hello")
	f(join(unknown, post(), unknown, data("he"), unknown, data(""), data("llo"), unknown), "200", "hello")
	f(join(post(five), data("hello")), "200", "hello")
	f(join(post(five), data("he"), data("llo")), "200", "hello")
	f(join(post(five), data("hell")), "400", "shorter")
	f(post(five), "400", "shorter")
	f(join(post(five), data("hello!")), "400", "longer")
	f(join(post(five), data("hello"), data("!")), "400", "longer")
	f(join(post(five), data("hell"), data("o!")), "400", "longer")
	f(join(get(), data("hello")), "200", "hello")
	f(join(post(none), data("")), "200", "")
	f(join(post(), data("hello"), section([2]string{"a", "b"}, [2]string{"c", "d"}), unknown), "200", "helloa: b\r\nc: d\r\n")
	f(join(post(), section([2]string{"a", "b"})), "200", "a: b\r\n")
	f(join(post(five), data("hello"), section([2]string{"a", "b"})), "200", "helloa: b\r\n")
	for _, bad := range [][2]string{{":path", "/"}, {"content-length", "1"}, {"host", "h"}, {"transfer-encoding", "chunked"}, {"A", "b"}, {"a", "b\r\nc"}, {"a\r\n", "b"}, {"authorization", "x"}} {
		f(join(post(), data("hello"), section(bad)), "400", "trailer")
	}
	f(join(post(), data("hello"), section([2]string{"a", strings.Repeat("b", 20<<10)})), "431", "trailer")
	f(get([2]string{"a", strings.Repeat("b", 20<<10)}), "431", "large")
	if err := c.conn.Context().Err(); err != nil {
		t.Fatalf("the connection has ended: %v", err)
	}
}

// TestContentBehindNone holds that content behind a length of 0 is not let through.
func TestContentBehindNone(t *testing.T) {
	s := serve(t, testConfig(), strict)
	c := dial(t, s)
	stream := c.open(join(post([2]string{"content-length", "0"}), data("hello")))
	_ = stream.Close()
	if got := read(stream); got.content != "" {
		t.Fatalf("got %q; want nothing", got.content)
	}
}

func TestFrames(t *testing.T) {
	s := serve(t, testConfig(), strict)
	f := func(name string, sent []byte, ends bool, code int) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			c.uni(settings())
			stream := c.open(sent)
			if ends {
				_ = stream.Close()
			}
			if got := c.closed(); got != code {
				t.Fatalf("got %#x; want %#x", got, code)
			}
		})
	}
	frame := func(kind uint64, payload string) []byte {
		return append(appendFrame(nil, kind, uint64(len(payload))), payload...)
	}
	f("DATA first", data("x"), false, codeFrameUnexpected)
	for _, kind := range []uint64{frameCancelPush, frameSettings, framePushPromise, frameGoAway, frameMaxPushID, framePriorityUpdate, 0x2, 0x6, 0x8, 0x9} {
		f("first "+strconv.Itoa(int(kind)), frame(kind, "\x00"), false, codeFrameUnexpected)
		f("in a body "+strconv.Itoa(int(kind)), join(post(), frame(kind, "\x00")), false, codeFrameUnexpected)
	}
	f("DATA behind trailers", join(post(), data("x"), section([2]string{"a", "b"}), data("y")), false, codeFrameUnexpected)
	f("HEADERS behind trailers", join(post(), section([2]string{"a", "b"}), section([2]string{"a", "b"})), false, codeFrameUnexpected)
	f("end in a frame's header", []byte{frameHeaders}, true, codeFrameError)
	f("end in HEADERS", get()[:8], true, codeFrameError)
	f("end in DATA", join(post(), data("hello")[:4]), true, codeFrameError)
	f("end in an unknown frame", append(appendFrame(nil, 0x21, 9), 'x'), true, codeFrameError)
	for _, block := range []string{"", "\x00", "\x01\x00", "\x00\x80", "\x00\x00\x80", "\x00\x00\xff\xff\xff\xff\xff\xff", "\x00\x00\xff\x40", "\x00\x00\x10",
		"\x00\x00\x40\x00", "\x00\x00\x21", "\x00\x00\x21a\x05b", "\x00\x00\x29\xff\x00", "\x00\x00\x5f\x70\x00", "\x00\x00\x21a\x81\x00"} {
		f("QPACK "+strconv.Quote(block), frame(frameHeaders, block), false, codeDecompression)
	}
}

func TestControlStreams(t *testing.T) {
	s := serve(t, testConfig(), strict)
	f := func(name string, code int, streams ...[]byte) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			c := dial(t, s)
			var last *quic.SendStream
			for _, sent := range streams {
				last = c.uni(sent)
			}
			if strings.HasPrefix(name, "end") {
				_ = last.Close()
			}
			if got := c.closed(); got != code {
				t.Fatalf("got %#x; want %#x", got, code)
			}
		})
	}
	frame := func(kind uint64, payload ...byte) []byte {
		return append(appendFrame(nil, kind, uint64(len(payload))), payload...)
	}
	control := func(frames ...[]byte) []byte { return append(settings(), join(frames...)...) }
	f("no settings", codeMissingSettings, append([]byte{streamControl}, frame(frameGoAway, 0)...))
	f("settings twice", codeFrameUnexpected, control(frame(frameSettings)))
	f("setting twice", codeSettingsError, append([]byte{streamControl}, frame(frameSettings, 6, 1, 6, 2)...))
	f("setting of HTTP/2", codeSettingsError, append([]byte{streamControl}, frame(frameSettings, 2, 1)...))
	f("half a setting", codeFrameError, append([]byte{streamControl}, frame(frameSettings, 6)...))
	f("large settings", codeExcessiveLoad, append([]byte{streamControl}, appendFrame(nil, frameSettings, 1<<20)...))
	f("two control streams", codeStreamCreation, settings(), settings())
	f("two encoder streams", codeStreamCreation, []byte{streamEncoder}, []byte{streamEncoder})
	f("push stream", codeStreamCreation, []byte{streamPush})
	f("end of control", codeClosedCritical, settings())
	f("end of encoder", codeClosedCritical, []byte{streamEncoder})
	f("end of decoder", codeClosedCritical, []byte{streamDecoder, 0x41})
	f("capacity", codeEncoderStream, []byte{streamEncoder, 0x20, 0x21})
	f("insertion", codeEncoderStream, []byte{streamEncoder, 0xc1, 0x01, 'a'})
	f("acknowledgment", codeDecoderStream, []byte{streamDecoder, 0x81})
	f("increment", codeDecoderStream, []byte{streamDecoder, 0x7f, 0x01, 0x01})
	for _, kind := range []uint64{frameData, frameHeaders, framePushPromise, 0x2, 0x6, 0x8, 0x9} {
		f("frame "+strconv.Itoa(int(kind)), codeFrameUnexpected, control(frame(kind, 0)))
	}
	f("cancel push", codeIDError, control(frame(frameCancelPush, 0)))
	f("priority of a push", codeIDError, control(frame(framePriorityPush, 0)))
	f("priority of a stream of ours", codeIDError, control(frame(framePriorityUpdate, 1, 'u', '=', '1')))
	f("malformed GOAWAY", codeFrameError, control(frame(frameGoAway, 0, 0)))
	f("large frame", codeExcessiveLoad, control(appendFrame(nil, 0x21, 1<<20)))
	f("many frames", codeExcessiveLoad, control([]byte(strings.Repeat(string(frame(0x21)), 1100))))
}

// TestStreamsOfUnknownTypes holds that they are refused and nothing else happens.
func TestStreamsOfUnknownTypes(t *testing.T) {
	s := serve(t, testConfig(), strict)
	c := dial(t, s)
	c.uni(settings())
	for range 3 * maxUniStreams {
		stream, err := c.conn.OpenUniStreamSync(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = stream.Write([]byte{0x21, 'x'})
		<-stream.Context().Done()
	}
	stream := c.open(get())
	_ = stream.Close()
	if got := read(stream); got.status() != "200" {
		t.Fatalf("got %q, %v; want 200", got.heads, got.err)
	}
}
