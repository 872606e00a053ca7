package upstream

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// tenMiB is a body that no socket buffer holds.
const tenMiB = 10 << 20

// endless is a client that goes on sending until it is stopped.
type endless struct{ stop chan struct{} }

func (e *endless) Read(p []byte) (int, error) {
	select {
	case <-e.stop:
		return 0, wire.ErrInterrupted
	default:
		return len(p), nil
	}
}

func TestEarlyAnswerDuringAnUpload(t *testing.T) {
	f := func(name string, reads bool, x *exchange.Exchange) {
		t.Helper()
		release := make(chan struct{})
		defer close(release)
		s := listen(t, func(p *peer) {
			p.head()
			p.say("HTTP/1.1 413 Content Too Large\r\nContent-Length: 7\r\n\r\ntoo big")
			if reads {
				p.drain()
			}
			<-release
		})
		target := target(t, registry(t, nil), s.url)
		fr := x.Front.(*front)
		status, body := round(t, target, x, &Call{Retry: true})
		if status != 413 || body != "too big" {
			t.Fatalf("%s: got %d %q (%v); want the early 413", name, status, body, x.Cause)
		}
		if x.RequestBytes == nil && !fr.stopped.Load() {
			t.Fatalf("%s: the client's body was not stopped", name)
		}
		if got := target.Stats(); got.Idle+got.Busy != 0 {
			t.Fatalf("%s: got %+v; want the connection closed", name, got)
		}
	}
	stream := func() *exchange.Exchange {
		e := &endless{stop: make(chan struct{})}
		x := withUpload(request("POST", "/"), exchange.Chunked, e)
		x.Front.(*front).stop = func() { close(e.stop) }
		return x
	}
	f("chunked", false, stream())
	f("chunked and read", true, stream())
	f("buffered", false, withBody(request("POST", "/"), strings.Repeat("x", tenMiB)))
	x := stream()
	x.RequestLength = 1 << 40
	f("announced", false, x)
}

func TestAnswerWhileTheBodyIsStillComing(t *testing.T) {
	s := listen(t, func(p *peer) {
		p.head()
		p.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
		for {
			line, err := p.br.ReadString('\n')
			if err != nil {
				return
			}
			p.br.ReadString('\n')
			if line == "0\r\n" {
				p.say("0\r\n\r\n")
				continue
			}
			p.say("1\r\n!\r\n")
		}
	})
	target := target(t, registry(t, nil), s.url)
	r, w := io.Pipe()
	x := withUpload(request("POST", "/"), exchange.Chunked, r)
	if refusal := target.Send(x, &Call{}); refusal != nil {
		t.Fatalf("got refusal %s", refusal.Cause)
	}
	buf := make([]byte, 1)
	for range 5 {
		if _, err := w.Write([]byte("ping")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(x.Stream, buf); err != nil || buf[0] != '!' {
			t.Fatalf("got %q, %v; want an answer to each part of the body", buf, err)
		}
	}
	_ = w.Close()
	if got := content(t, x); got != "" {
		t.Fatalf("got %q behind the end", got)
	}
	if got := target.Stats(); got.Idle != 1 || x.Front.(*front).stopped.Load() {
		t.Fatalf("got %+v; want the connection kept: both bodies came to their ends", got)
	}
}

func TestRequestTrailersArePassedOn(t *testing.T) {
	got := make(chan string, 1)
	s := listen(t, func(p *peer) {
		p.head()
		var raw strings.Builder
		for !strings.HasSuffix(raw.String(), "\r\n\r\n") {
			line, err := p.br.ReadString('\n')
			raw.WriteString(line)
			if err != nil {
				break
			}
		}
		got <- raw.String()
		p.say(hello)
		p.drain()
	})
	x := request("POST", "/")
	x.RequestBody, x.RequestLength = &upload{Reader: strings.NewReader("abc"), trailers: "X-Sum: 6\r\n"}, exchange.Chunked
	wantRound(t, target(t, registry(t, nil), s.url), x, &Call{}, 200, "hello")
	if got, want := <-got, "3\r\nabc\r\n0\r\nX-Sum: 6\r\n\r\n"; got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
}

// failing is a client whose body breaks after some of it.
type failing struct {
	before string
	err    error
}

func (f *failing) Read(p []byte) (int, error) {
	if f.before == "" {
		return 0, f.err
	}
	n := copy(p, f.before)
	f.before = f.before[n:]
	return n, nil
}

func TestBodiesThatBreakAreNeverEnded(t *testing.T) {
	f := func(length int64, err error, want *exchange.Refusal) {
		t.Helper()
		received := make(chan string, 1)
		s := listen(t, func(p *peer) {
			p.head()
			b, _ := io.ReadAll(p.br)
			received <- string(b)
		})
		target := target(t, registry(t, nil), s.url)
		x := withUpload(request("POST", "/"), length, &failing{"part", err})
		wantRefusal(t, target, x, &Call{Retry: true}, want)
		if got := <-received; strings.Contains(got, "0\r\n") || len(got) >= 10 {
			t.Fatalf("%v: got %q upstream; want no end of the body", err, got)
		}
		if got := target.Stats(); got.Idle+got.Busy != 0 || x.Cause == nil {
			t.Fatalf("%v: got %+v, cause %v; want the connection closed and a cause", err, got, x.Cause)
		}
	}
	for _, length := range []int64{exchange.Chunked, 10} {
		f(length, exchange.ErrBodyTooLarge, exchange.BodyTooLarge)
		f(length, &wire.Fault{Status: 400, Reason: "malformed chunk"}, exchange.BadRequest)
		f(length, wire.ErrTimeout, exchange.RequestTimeout)
		f(length, wire.ErrTruncated, exchange.ClientGone)
		f(length, errors.New("connection reset"), exchange.ClientGone)
	}
	f(10, io.EOF, exchange.ClientGone) // shorter than announced
}

func TestSlowUploadIsNotLate(t *testing.T) {
	s := listen(t, answers(hello))
	target := target(t, registry(t, nil), s.url)
	r, w := io.Pipe()
	go func() {
		for range 5 {
			time.Sleep(short)
			_, _ = w.Write([]byte("slow"))
		}
		_ = w.Close()
	}()
	x := withUpload(request("POST", "/"), exchange.Chunked, r)
	wantRound(t, target, x, &Call{FirstByte: 2 * short}, 200, "hello")
}
