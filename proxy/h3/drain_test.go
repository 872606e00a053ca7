package h3

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/proxy/exchange"
)

// TestDrainServesWhatWasSent holds that a request under way ends well while the
// client is told to send no other, and that the connection then closes.
func TestDrainServesWhatWasSent(t *testing.T) {
	begun, goOn := make(chan struct{}), make(chan struct{})
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		if string(x.Target) == "/a" {
			close(begun)
			<-goOn
		}
		answer(x, 200, "late")
	})
	c := dial(t, s)
	c.uni(settings())
	stream := c.open(get())
	_ = stream.Close()
	<-begun
	drained := s.Drain()
	control, err := c.conn.AcceptUniStream(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := newReader(requestBuffer)
	in.reset(control)
	if kind, err := in.varint(); err != nil || kind != streamControl {
		t.Fatalf("got stream %d, %v; want the control stream", kind, err)
	}
	var ids []uint64
	for len(ids) < 2 {
		kind, length, err := in.next()
		if err != nil {
			t.Fatal(err)
		}
		payload := make([]byte, length)
		if err := in.full(payload); err != nil {
			t.Fatal(err)
		}
		if kind == frameGoAway {
			id, _ := parseVarint(payload)
			ids = append(ids, id)
		}
	}
	if ids[0] != anyID || ids[1] != uint64(stream.StreamID())+4 {
		t.Fatalf("got GOAWAY %d; want %d, %d", ids, uint64(anyID), stream.StreamID()+4)
	}
	refused := c.open(get())
	_ = refused.Close()
	if got := read(refused); got.err == nil {
		t.Fatalf("behind the drain: got %q; want a refusal", got.heads)
	}
	select {
	case <-drained:
		t.Fatal("drained with a request under way")
	default:
	}
	close(goOn)
	if got := read(stream); got.status() != "200" || got.content != "late" {
		t.Fatalf("got %q, %v; want 200", got.heads, got.err)
	}
	if got := c.closed(); got != codeNoError {
		t.Fatalf("got %#x; want %#x", got, codeNoError)
	}
	<-drained
}

// TestDrainUnderLoad holds that no request fails but those that the client may
// send again elsewhere.
func TestDrainUnderLoad(t *testing.T) {
	s := serve(t, testConfig(), func(x *exchange.Exchange) { answer(x, 200, "ok") })
	var served, failed atomic.Int64
	var clients sync.WaitGroup
	full := make(chan struct{})
	ctx, cancel := context.WithTimeout(context.Background(), patient)
	defer cancel()
	for range 4 {
		tr := client(t)
		clients.Go(func() {
			for {
				req, _ := http.NewRequestWithContext(ctx, "GET", s.url("/"), nil)
				resp, err := tr.RoundTrip(req)
				if s.IsDraining() {
					if err == nil {
						_ = resp.Body.Close()
					}
					return
				}
				if err != nil || resp.StatusCode != 200 {
					failed.Add(1)
					return
				}
				_ = resp.Body.Close()
				if served.Add(1) == 200 {
					close(full)
				}
			}
		})
	}
	<-full
	drained := s.Drain()
	clients.Wait()
	select {
	case <-drained:
	case <-time.After(patient):
		t.Fatal("not drained")
	}
	if failed.Load() > 0 {
		t.Fatalf("got %d failed requests of %d; want none", failed.Load(), served.Load())
	}
}
