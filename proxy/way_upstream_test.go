package proxy

import (
	"bufio"
	"io"
	"net"
	"sync"
	"testing"
	"time"
)

// actor is an upstream that does what a script says: one section for each
// request, in order. Without sections it answers each with 200.
type actor struct {
	t       *testing.T
	name    string
	turns   []*written
	silent  bool // no section: usual answer
	address string
	ln      net.Listener

	seen     chan *wireMessage
	received chan string // bytes behind a change of protocol

	mu    sync.Mutex
	next  int
	conns map[net.Conn]bool
	ended bool
	done  sync.WaitGroup
}

// startActor makes the upstream of a script listen on a port of its own.
func startActor(t *testing.T, name string, turns []*written) *actor {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := &actor{
		t: t, name: name, turns: turns, silent: len(turns) == 0,
		address: ln.Addr().String(), ln: ln,
		seen: make(chan *wireMessage, 1000), received: make(chan string, 100), conns: map[net.Conn]bool{},
	}
	if len(turns) > 0 && has(turns[0], "refuse") {
		_ = ln.Close()
		return a
	}
	a.done.Add(1)
	go a.accept()
	t.Cleanup(a.stop)
	return a
}

func has(w *written, directive string) bool {
	_, ok := w.directives[directive]
	return ok
}

func (a *actor) stop() {
	a.mu.Lock()
	a.ended = true
	_ = a.ln.Close()
	for c := range a.conns {
		_ = c.Close()
	}
	a.mu.Unlock()
	a.done.Wait()
}

func (a *actor) accept() {
	defer a.done.Done()
	for {
		c, err := a.ln.Accept()
		if err != nil {
			return
		}
		a.mu.Lock()
		if a.ended {
			_ = c.Close()
		}
		a.conns[c] = true
		a.done.Add(1)
		a.mu.Unlock()
		go a.converse(c)
	}
}

func (a *actor) converse(c net.Conn) {
	defer a.done.Done()
	defer func() {
		a.mu.Lock()
		delete(a.conns, c)
		a.mu.Unlock()
		_ = c.Close()
	}()
	br := bufio.NewReader(c)
	for a.turn(c, br) {
	}
}

// turn serves one request and tells whether another may follow.
func (a *actor) turn(c net.Conn, br *bufio.Reader) bool {
	m, err := readWireHead(br)
	if err != nil {
		return false
	}
	w := a.take()
	if w == nil {
		a.t.Errorf("upstream %s got a request that no section answers:\n%s", a.name, m)
		return false
	}
	if has(w, "early") {
		_, _ = io.WriteString(c, w.wire)
		_ = m.readContent(br, false)
		a.seen <- m
		return !has(w, "close")
	}
	if err := m.readContent(br, false); err != nil {
		a.t.Errorf("upstream %s: %v", a.name, err)
	}
	a.seen <- m
	if !m.whole {
		return false
	}
	return a.act(w, c, br)
}

func (a *actor) act(w *written, c net.Conn, br *bufio.Reader) bool {
	if has(w, "hang") {
		_, _ = io.Copy(io.Discard, br)
		return false
	}
	if pause, ok := w.directives["after"]; ok {
		d, err := time.ParseDuration(pause)
		if err != nil {
			a.t.Errorf("upstream %s: %v", a.name, err)
		}
		time.Sleep(d)
	}
	if _, err := io.WriteString(c, w.wire); err != nil {
		return false
	}
	switch {
	case has(w, "stall"):
		_, _ = io.Copy(io.Discard, br)
		return false
	case has(w, "reset"):
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return false
	case has(w, "echo"):
		_, _ = io.Copy(c, br)
		return false
	case has(w, "tunnel"):
		buf := make([]byte, 4096)
		for {
			n, err := br.Read(buf)
			if n > 0 {
				a.received <- string(buf[:n])
			}
			if err != nil {
				close(a.received)
				return false
			}
		}
	}
	return !has(w, "close")
}

var usualAnswer = &written{wire: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"}

func (a *actor) take() *written {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.silent:
		return usualAnswer
	case a.next == len(a.turns):
		return nil
	}
	a.next++
	return a.turns[a.next-1]
}
