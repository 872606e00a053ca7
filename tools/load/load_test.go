package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// serve answers until the test ends and returns the address.
func serve(t *testing.T, handler http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

func planFor(address string) plan {
	return plan{address: address, host: address, path: "/", protocol: "http/1.1", connections: 4, streams: 1, timeout: 5 * time.Second}
}

func TestReadAnswer(t *testing.T) {
	f := func(raw string, wantKeep bool, wantError string) {
		t.Helper()
		keep, err := readAnswer(bufio.NewReader(strings.NewReader(raw)))
		got := ""
		if err != nil {
			got = err.Error()
		}
		if keep != wantKeep || got != wantError {
			t.Fatalf("%q: got keep %t, error %q; want %t, %q", raw, keep, got, wantKeep, wantError)
		}
	}
	f("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", true, "")
	f("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: CLOSE\r\n\r\n", false, "")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", true, "")
	f("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", true, "status 503")
	f("", false, "EOF")
	f("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", false, "unexpected EOF")
	f("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, `cannot read the content length "-1"`)
	f("HTTP/1.1 200 OK\r\n\r\nab", false, "cannot find the end of an answer without length")
	f("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false, `cannot read the chunk size "x\r\n"`)
	f("garbage of some kind\r\n", false, `cannot read the status line "garbage of some kind\r\n"`)
}

func TestSteadySendsAtItsRate(t *testing.T) {
	var seen atomic.Int64
	p := planFor(serve(t, func(http.ResponseWriter, *http.Request) { seen.Add(1) }))
	p.rate, p.duration = 400, 250*time.Millisecond
	o := steady(context.Background(), p)
	if o.Requests != 100 || seen.Load() != 100 || o.Failures != 0 || o.Closed != 0 {
		t.Fatalf("got %+v, %d seen; want 100 requests and no failure", o, seen.Load())
	}
	if o.Seconds < 0.3 {
		t.Fatalf("got %v seconds; want the 0.35 of the schedule", o.Seconds)
	}
	if o.P50 <= 0 || o.P99 < o.P50 || o.P999 < o.P99 {
		t.Fatalf("got %+v; want rising latencies", o)
	}
}

// A server that stands still makes later requests late, and that must show although few requests were slow.
func TestSteadyCountsTheWait(t *testing.T) {
	var first atomic.Bool
	p := planFor(serve(t, func(http.ResponseWriter, *http.Request) {
		if first.CompareAndSwap(false, true) {
			time.Sleep(200 * time.Millisecond)
		}
	}))
	p.connections, p.rate, p.duration = 1, 200, 200*time.Millisecond
	if o := steady(context.Background(), p); o.P50 < 50 {
		t.Fatalf("got a median of %v ms; want the queue behind the slow answer in it", o.P50)
	}
}

func TestCountSeesFailuresAndClosedConnections(t *testing.T) {
	var asked atomic.Int64
	p := planFor(serve(t, func(w http.ResponseWriter, _ *http.Request) {
		switch asked.Add(1) {
		case 10:
			w.WriteHeader(http.StatusServiceUnavailable)
		case 20:
			w.Header().Set("Connection", "close")
		case 30:
			panic(http.ErrAbortHandler)
		}
	}))
	p.requests = 50
	o := count(context.Background(), p)
	if o.Requests != 50 || o.Failures != 2 || o.Closed != 2 || o.FirstFailure == "" {
		t.Fatalf("got %+v; want 50 requests, 2 failures, 2 closed connections", o)
	}
}

func TestHoldSaysWhichConnectionsWereClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	p := planFor(server.Listener.Addr().String())
	p.connections = 5
	ctx, stop := context.WithCancel(context.Background())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := hold(ctx, p, write)
		write.Close()
		ended <- err
	}()
	var held, after outcome
	outcomes := json.NewDecoder(read)
	if err := outcomes.Decode(&held); err != nil || held.Requests != 5 {
		t.Fatalf("got %+v, %v; want 5 connections", held, err)
	}
	stop()
	if err := outcomes.Decode(&after); err != nil || after.Closed != 0 {
		t.Fatalf("got %+v, %v; want none closed", after, err)
	}
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
}

func TestIsOpenSeesTheEnd(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	c := newClient(planFor(server.Listener.Addr().String()))
	if err := c.ask(); err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := c.link.(*h1).SetDeadline(time.Now().Add(-time.Hour)); err != nil {
		t.Fatal(err)
	}
	if !c.isOpen() {
		t.Fatal("got a closed connection; want an open one")
	}
	server.Close() // returns after the idle connection was closed
	if c.isOpen() {
		t.Fatal("got an open connection; want a closed one")
	}
}

func TestRunRefusesWhatItCannotDo(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		err := run(context.Background(), args, io.Discard, io.Discard)
		if err == nil || err.Error() != want {
			t.Fatalf("%q: got %v; want %s", args, err, want)
		}
	}
	f(`cannot do mode "fly": it is steady, hold, count, saturate or handshake`, "-mode", "fly")
	f("cannot work with 0 connections", "-connections", "0")
	f(`cannot speak "spdy": it is http/1.1, h2 or h3`, "-protocol", "spdy")
	f("cannot send 2 requests at once over http/1.1", "-streams", "2")
	f("cannot count handshakes without -tls, or with several -streams", "-mode", "handshake")
	f("cannot send at 0 requests a second", "-rate", "0")
}

// Refusals are counted apart where they are expected, and are failures elsewhere.
func TestRefusals(t *testing.T) {
	f := func(protocol string, isTLS, limited bool, wantRefused, wantFailures int) {
		t.Helper()
		var asked atomic.Int64
		d := open(t, protocol, isTLS, func(w http.ResponseWriter, _ *http.Request) {
			if asked.Add(1)%4 != 0 {
				w.WriteHeader(http.StatusTooManyRequests)
			}
		})
		d.plan.limited = limited
		o := count(context.Background(), d.plan)
		if o.Requests != 200 || o.Refused != wantRefused || o.Failures != wantFailures || o.Closed != 0 {
			t.Fatalf("%s: got %+v; want %d refused, %d failed of 200", protocol, o, wantRefused, wantFailures)
		}
	}
	f("http/1.1", false, true, 150, 0)
	f("h2", true, true, 150, 0)
	f("http/1.1", false, false, 0, 150)
}
