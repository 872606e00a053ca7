package upstream

import (
	"runtime"
	"strings"
	"testing"

	"weir/proxy/exchange"
	"weir/proxy/frame"
)

// onceRaw plays to the first request of every connection and waits for its end.
func onceRaw(play func(r *raw, id uint32)) func(r *raw) {
	return func(r *raw) {
		r.settings()
		if g, ok := r.await(frame.Headers); ok {
			play(r, g.Stream)
			r.drainFrames()
		}
	}
}

const whole = frame.EndHeaders | frame.EndStream

func TestH2MalformedAnswersAreRefused(t *testing.T) {
	f := func(name string, want *exchange.Refusal, play func(r *raw, id uint32)) {
		t.Helper()
		s := listenRaw(t, onceRaw(play))
		target := target(t, registry(t, func(c *Config) { c.HeadLimit = 8 << 10 }), s.url)
		call := &Call{Retry: true}
		x := request("GET", "/")
		r := target.Send(x, call)
		if r == nil {
			_, err := contentErr(x)
			t.Fatalf("%s: got answer %d (%v); want refusal %s", name, x.Response.StatusCode(), err, want.Cause)
		}
		if r != want || call.Unsent || s.accepted.Load() != 1 {
			t.Fatalf("%s: got refusal %s (%v), unsent %v, %d connections; want %s", name, r.Cause, x.Cause, call.Unsent, s.accepted.Load(), want.Cause)
		}
		if got := target.Stats(); got.Streams != 0 || target.InFlight() != 0 {
			t.Fatalf("%s: got %+v, %d in flight; want none", name, got, target.InFlight())
		}
	}
	head := func(name string, fields ...string) {
		t.Helper()
		f(name, exchange.MalformedAnswer, func(r *raw, id uint32) { r.headers(id, whole, fields...) })
	}
	head("no status", "server", "x")
	head("no fields")
	head("status twice", ":status", "200", ":status", "200")
	head("status last", "server", "x", ":status", "200")
	head("short status", ":status", "20")
	head("long status", ":status", "2000")
	head("status of letters", ":status", "2oo")
	head("high status", ":status", "600")
	head("101", ":status", "101", "upgrade", "x")
	head("other pseudo", ":status", "200", ":path", "/")
	head("unknown pseudo", ":status", "200", ":reason", "ok")
	head("capitals", ":status", "200", "Server", "x")
	head("space in name", ":status", "200", "a b", "x")
	head("colon in name", ":status", "200", "a:b", "x")
	head("empty name", ":status", "200", "", "x")
	head("line feed", ":status", "200", "a", "x\r\ny: z")
	head("nul", ":status", "200", "a", "x\x00y")
	head("leading space", ":status", "200", "a", " x")
	head("trailing space", ":status", "200", "a", "x ")
	head("connection", ":status", "200", "connection", "close")
	head("keep-alive", ":status", "200", "keep-alive", "timeout=5")
	head("proxy-connection", ":status", "200", "proxy-connection", "close")
	head("transfer-encoding", ":status", "200", "transfer-encoding", "chunked")
	head("upgrade", ":status", "200", "upgrade", "websocket")
	head("two lengths", ":status", "200", "content-length", "0", "content-length", "1")
	head("length of letters", ":status", "200", "content-length", "+1")

	f("interim that ends", exchange.MalformedAnswer, func(r *raw, id uint32) { r.headers(id, whole, ":status", "103") })
	f("interims without end", exchange.MalformedAnswer, func(r *raw, id uint32) {
		for range 2 * maxInterims {
			r.headers(id, frame.EndHeaders, ":status", "103")
		}
	})
	f("content first", exchange.MalformedAnswer, func(r *raw, id uint32) { r.data(id, frame.EndStream, "x") })
	f("long head", exchange.AnswerHeadTooLarge, func(r *raw, id uint32) {
		r.headers(id, whole, ":status", "200", "a", strings.Repeat("x", 9<<10))
	})
	f("many fields", exchange.AnswerHeadTooLarge, func(r *raw, id uint32) {
		fields := []string{":status", "200"}
		for range 400 {
			fields = append(fields, "a", "")
		}
		r.headers(id, whole, fields...)
	})
	f("bomb", exchange.AnswerHeadTooLarge, func(r *raw, id uint32) {
		// One large line that the table keeps, and then its index again and again.
		b := append(r.block(":status", "200"), 0x40, 1, 'a', 0x7f, 0x81, 0x1e) // 3968 bytes
		b = append(b, strings.Repeat("x", 3968)...)
		b = append(b, strings.Repeat("\xbe", 12_000)...)
		r.send(append(frame.Append(nil, len(b), frame.Headers, whole, id), b...))
	})
	f("announced content does not come", exchange.TruncatedAnswer, func(r *raw, id uint32) {
		r.headers(id, whole, ":status", "200", "content-length", "5")
	})
	f("reset", exchange.UpstreamReset, func(r *raw, id uint32) { r.send(frame.AppendRSTStream(nil, id, frame.InternalError)) })
	f("window by nothing", exchange.MalformedAnswer, func(r *raw, id uint32) { r.send(frame.AppendWindowUpdate(nil, id, 0)) })
	f("window overflow", exchange.MalformedAnswer, func(r *raw, id uint32) {
		r.send(frame.AppendWindowUpdate(nil, id, frame.MaxWindow))
	})
}

func TestH2BrokenConnections(t *testing.T) {
	f := func(name string, code frame.Code, want *exchange.Refusal, play func(r *raw, id uint32)) {
		t.Helper()
		said := make(chan frame.Code, 1)
		s := listenRaw(t, func(r *raw) {
			r.settings()
			if g, ok := r.await(frame.Headers); ok {
				play(r, g.Stream)
				said <- r.code(frame.GoAway)
			}
		})
		target := target(t, registry(t, func(c *Config) { c.HeadLimit = 8 << 10 }), s.url)
		x := request("GET", "/")
		if r := target.Send(x, &Call{}); r != want {
			t.Fatalf("%s: got %v (%v); want %s", name, r, x.Cause, want.Cause)
		}
		if got := <-said; got != code {
			t.Fatalf("%s: got GOAWAY with %s; want %s", name, got, code)
		}
		eventually(t, name+": the connection leaves the pool", func() bool { return target.Stats() == Stats{Dialed: 1} })
	}
	bad := func(name string, code frame.Code, b []byte) {
		t.Helper()
		f(name, code, exchange.MalformedAnswer, func(r *raw, id uint32) { r.send(b) })
	}
	bad("frame too large", frame.FrameSizeError, frame.Append(nil, 1<<20, frame.Data, 0, 1))
	bad("data on the connection", frame.ProtocolError, frame.Append(nil, 0, frame.Data, 0, 0))
	bad("headers on an idle stream", frame.ProtocolError, frame.Append(nil, 0, frame.Headers, whole, 77))
	bad("headers on the target's stream", frame.ProtocolError, frame.Append(nil, 0, frame.Headers, whole, 2))
	bad("reset of an idle stream", frame.ProtocolError, frame.AppendRSTStream(nil, 99, frame.Cancel))
	bad("push", frame.ProtocolError, append(frame.Append(nil, 4, frame.PushPromise, frame.EndHeaders, 1), 0, 0, 0, 2))
	bad("continuation of nothing", frame.ProtocolError, frame.Append(nil, 0, frame.Continuation, frame.EndHeaders, 1))
	bad("settings of a wrong size", frame.FrameSizeError, append(frame.Append(nil, 5, frame.Settings, 0, 0), 0, 0, 0, 0, 0))
	bad("push allowed", frame.ProtocolError, frame.AppendSettings(nil, frame.Setting{ID: frame.EnablePush, Value: 1}))
	bad("window too large", frame.ProtocolError, frame.AppendSettings(nil, frame.Setting{ID: frame.InitialWindow, Value: 1 << 31}))
	bad("window by nothing", frame.ProtocolError, frame.AppendWindowUpdate(nil, 0, 0))
	bad("window overflow", frame.FlowControlError, frame.AppendWindowUpdate(nil, 0, frame.MaxWindow))
	bad("padding beyond the frame", frame.ProtocolError, append(frame.Append(nil, 1, frame.Data, frame.Padded, 1), 9))
	bad("undecodable block", frame.CompressionError, append(frame.Append(nil, 1, frame.Headers, whole, 1), 0xff))
	f("frame within a block", frame.ProtocolError, exchange.MalformedAnswer, func(r *raw, id uint32) {
		r.headers(id, 0, ":status", "200")
		r.send(frame.AppendPing(nil, 0, [8]byte{}))
	})
	f("endless block", frame.EnhanceYourCalm, exchange.AnswerHeadTooLarge, func(r *raw, id uint32) {
		r.headers(id, 0, ":status", "200")
		for range 100 {
			b := r.block("a", strings.Repeat("x", 100))
			r.send(append(frame.Append(nil, len(b), frame.Continuation, 0, id), b...))
		}
	})
	f("empty continuations", frame.EnhanceYourCalm, exchange.AnswerHeadTooLarge, func(r *raw, id uint32) {
		r.headers(id, 0, ":status", "200")
		for range 10_000 {
			r.send(frame.Append(nil, 0, frame.Continuation, 0, id))
		}
	})
}

func TestH2FloodsAreEnded(t *testing.T) {
	f := func(name string, flood []byte) {
		t.Helper()
		said := make(chan frame.Code, 1)
		s := listenRaw(t, func(r *raw) {
			r.settings()
			g, ok := r.await(frame.Headers)
			if !ok {
				return
			}
			r.headers(g.Stream, frame.EndHeaders, ":status", "200")
			burst := []byte(strings.Repeat(string(flood), 100))
			go func() {
				for range 1000 {
					if _, err := r.Conn.Write(burst); err != nil {
						return
					}
				}
			}()
			said <- r.code(frame.GoAway)
		})
		target := target(t, registry(t, nil), s.url)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		x := request("GET", "/")
		if r := target.Send(x, &Call{}); r == nil {
			if _, err := contentErr(x); err == nil {
				t.Fatalf("%s: got the whole answer", name)
			}
		}
		if got := <-said; got != frame.EnhanceYourCalm {
			t.Fatalf("%s: got GOAWAY with %s; want ENHANCE_YOUR_CALM", name, got)
		}
		runtime.ReadMemStats(&after)
		if grown := int64(after.TotalAlloc) - int64(before.TotalAlloc); grown > 8<<20 {
			t.Fatalf("%s: got %d bytes allocated", name, grown)
		}
	}
	f("pings", frame.AppendPing(nil, 0, [8]byte{}))
	f("settings", frame.AppendSettings(nil))
	f("acknowledgements", frame.AppendSettingsAck(nil))
	f("empty data", frame.Append(nil, 0, frame.Data, 0, 1))
	f("windows", frame.AppendWindowUpdate(nil, 1, 1))
	f("unknown frames", frame.Append(nil, 0, 0x77, 0, 1))
	f("priorities", append(frame.Append(nil, 5, frame.Priority, 0, 1), 0, 0, 0, 0, 0))
}

func TestH2ContentThatBreaksTheRules(t *testing.T) {
	f := func(name string, code frame.Code, play func(r *raw, id uint32)) {
		t.Helper()
		said := make(chan frame.Code, 1)
		s := listenRaw(t, func(r *raw) {
			r.settings()
			if g, ok := r.await(frame.Headers); ok {
				play(r, g.Stream)
				said <- r.code(frame.RSTStream)
				r.drainFrames()
			}
		})
		target := target(t, registry(t, func(c *Config) { c.Window = 32 << 10 }), s.url)
		x := request("GET", "/")
		if r := target.Send(x, &Call{}); r != nil {
			t.Fatalf("%s: got refusal %s (%v)", name, r.Cause, x.Cause)
		}
		if name != "window" {
			if _, err := contentErr(x); err == nil {
				t.Fatalf("%s: got the content", name)
			}
		}
		if got := <-said; got != code {
			t.Fatalf("%s: got RST_STREAM with %s; want %s", name, got, code)
		}
		if x.Stream != nil && name == "window" {
			_ = x.Stream.Close()
		}
		if got := target.Stats(); got.Streams != 0 || got.Idle != 1 {
			t.Fatalf("%s: got %+v; want the connection kept", name, got)
		}
	}
	f("longer than it says", frame.Cancel, func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200", "content-length", "2")
		r.data(id, 0, "abc")
	})
	f("second head", frame.ProtocolError, func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200")
		r.data(id, 0, "abc")
		r.headers(id, frame.EndHeaders, ":status", "200")
	})
	f("pseudo trailer", frame.ProtocolError, func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200")
		r.headers(id, whole, ":status", "200")
	})
	f("trailer that frames", frame.ProtocolError, func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200")
		r.headers(id, whole, "content-length", "2")
	})
	f("window", frame.FlowControlError, func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200")
		for range 3 {
			r.data(id, 0, strings.Repeat("x", 16<<10))
		}
	})
}

func TestH2ShorterThanItSays(t *testing.T) {
	s := listenRaw(t, onceRaw(func(r *raw, id uint32) {
		r.headers(id, frame.EndHeaders, ":status", "200", "content-length", "9")
		r.data(id, frame.EndStream, "abc")
	}))
	target := target(t, registry(t, nil), s.url)
	x := request("GET", "/")
	if r := target.Send(x, &Call{}); r != nil {
		t.Fatalf("got refusal %s (%v)", r.Cause, x.Cause)
	}
	if _, err := contentErr(x); err != breachSum {
		t.Fatalf("got %v; want %v", err, breachSum)
	}
}

func TestWrongProtocols(t *testing.T) {
	r := registry(t, nil)
	h1 := listen(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
	})
	wantRefusal(t, target(t, r, "h2c"+strings.TrimPrefix(h1.url, "http")), request("GET", "/"), &Call{}, exchange.ProtocolMismatch)

	h2 := listen(t, func(p *peer) {
		p.head()
		p.say(string(frame.AppendGoAway(frame.AppendSettings(nil), 0, frame.ProtocolError, "")))
	})
	wantRefusal(t, target(t, r, h2.url), request("GET", "/"), &Call{}, exchange.ProtocolMismatch)

	cert, ca := certificate(t)
	f := func(protocols []string, want *exchange.Refusal) {
		t.Helper()
		s := listenTLS(t, serverConfig(cert, protocols), answers(hello))
		target, err := r.Acquire(Address{URL: s.url, Protocol: "h2", TLS: optionsOf(ca)})
		if err != nil {
			t.Fatal(err)
		}
		wantRefusal(t, target, request("GET", "/"), &Call{}, want)
	}
	f(nil, exchange.ProtocolMismatch)
	f([]string{"http/1.1"}, exchange.ProtocolMismatch)

	s := listenTLS(t, serverConfig(cert, []string{"http/1.1"}), answers(hello))
	auto, err := r.Acquire(Address{URL: s.url, TLS: optionsOf(ca)})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		x := request("POST", "/")
		x.Request.SetContentType("application/grpc")
		wantRound(t, auto, x, &Call{}, 200, "hello")
	}
	if got := s.accepted.Load(); got != 1 {
		t.Fatalf("got %d connections; want 1", got)
	}
}
