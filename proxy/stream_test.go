package proxy

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
)

// streamedBytes is how much the memory tests move: 200 MB, or as many MiB as
// WEIR_STREAM_MIB says.
func streamedBytes(t *testing.T) int64 {
	t.Helper()
	text := os.Getenv("WEIR_STREAM_MIB")
	if text == "" {
		return 200e6
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatalf("WEIR_STREAM_MIB: %v", err)
	}
	return n << 20
}

// growth watches the memory of the process until end, which returns the most
// that heap and system grew by.
func growth() (end func() (heap, system int64)) {
	var first, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&first)
	stop, done := make(chan struct{}), make(chan struct{})
	var heap, system int64
	go func() {
		defer close(done)
		ticker := time.NewTicker(10 * time.Millisecond)
		defer ticker.Stop()
		for {
			runtime.ReadMemStats(&now)
			heap = max(heap, int64(now.HeapAlloc)-int64(first.HeapAlloc))
			system = max(system, int64(now.Sys)-int64(first.Sys))
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
		}
	}()
	return func() (int64, int64) {
		close(stop)
		<-done
		return heap, system
	}
}

const mostGrowth = 20 << 20

// sameBytes gives as many bytes as are read, always the same buffer of them.
type sameBytes struct{ piece []byte }

func (e sameBytes) Read(p []byte) (int, error) { return copy(p, e.piece), nil }

func zeros(n int64) io.Reader { return io.LimitReader(sameBytes{make([]byte, 64<<10)}, n) }

// sink counts what is written, without ReadFrom and its large buffers.
type sink struct{ n int64 }

func (s *sink) Write(p []byte) (int, error) {
	s.n += int64(len(p))
	return len(p), nil
}

func drainInto(r io.Reader) (int64, error) {
	var s sink
	_, err := io.CopyBuffer(&s, struct{ io.Reader }{r}, make([]byte, 64<<10))
	return s.n, err
}

func TestLargeBodiesInBoundedMemory(t *testing.T) {
	size := streamedBytes(t)
	up := startUpstream(t, func(c *upstreamConn) {
		_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
		c.br.Reset(c.Conn) // what arrives is not to be noted
		for {
			r, err := c.head()
			if err != nil {
				return
			}
			n, err := drainInto(r.Body)
			if err != nil {
				t.Errorf("upload: got %v after %d bytes", err, n)
				return
			}
			if r.Method != http.MethodGet {
				c.reply(okText(strconv.FormatInt(n, 10)))
				continue
			}
			chunked := r.URL.Path == "/chunked"
			if chunked {
				c.reply("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
			} else {
				c.reply(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size))
			}
			if err := pour(c.Conn, size, chunked); err != nil {
				t.Errorf("download: got %v", err)
				return
			}
		}
	})
	g := startGateway(t, proxyTo(up.url()))
	f := func(name string, move func(c *rawClient) (int64, error)) {
		t.Helper()
		c := g.dial()
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(10 * time.Minute))
		end := growth()
		n, err := move(c)
		heap, system := end()
		if n != size || err != nil {
			t.Errorf("%s: got %d bytes, %v; want %d", name, n, err, size)
		}
		if heap > mostGrowth || system > mostGrowth {
			t.Errorf("%s: heap grew by %d KiB and the process by %d KiB; want less than %d KiB", name, heap>>10, system>>10, mostGrowth>>10)
		}
		t.Logf("%s: heap grew by %d KiB, the process by %d KiB", name, heap>>10, system>>10)
	}
	download := func(path string) func(c *rawClient) (int64, error) {
		return func(c *rawClient) (int64, error) {
			c.send("GET " + path + " HTTP/1.1\r\nHost: h\r\n\r\n")
			answer, err := http.ReadResponse(c.br, nil)
			if err != nil {
				return 0, err
			}
			return drainInto(answer.Body)
		}
	}
	upload := func(chunked bool) func(c *rawClient) (int64, error) {
		return func(c *rawClient) (int64, error) {
			framing := fmt.Sprintf("Content-Length: %d", size)
			if chunked {
				framing = "Transfer-Encoding: chunked"
			}
			c.send("PUT / HTTP/1.1\r\nHost: h\r\n" + framing + "\r\n\r\n")
			if err := pour(c.Conn, size, chunked); err != nil {
				return 0, err
			}
			return strconv.ParseInt(c.answer("PUT").Body, 10, 64)
		}
	}
	f("download", download("/length"))
	f("download in chunks", download("/chunked"))
	f("upload", upload(false))
	f("upload in chunks", upload(true))
}

// pour writes n bytes, in chunks if asked to.
func pour(w io.Writer, n int64, chunked bool) error {
	if !chunked {
		_, err := io.CopyBuffer(struct{ io.Writer }{w}, zeros(n), make([]byte, 64<<10))
		return err
	}
	const each = 50000
	whole := fmt.Appendf(nil, "%x\r\n%s\r\n", each, make([]byte, each))
	for ; n >= each; n -= each {
		if _, err := w.Write(whole); err != nil {
			return err
		}
	}
	if n > 0 {
		if _, err := fmt.Fprintf(w, "%x\r\n%s\r\n", n, make([]byte, n)); err != nil {
			return err
		}
	}
	_, err := io.WriteString(w, "0\r\n\r\n")
	return err
}

// TestEventsPassAtOnce: each event is seen before the next is sent, whatever
// the answer is framed by, and its head before the first.
func TestEventsPassAtOnce(t *testing.T) {
	t.Parallel()
	f := func(name, head string, frame func(string) string) {
		next := make(chan string)
		up := startUpstream(t, func(c *upstreamConn) {
			if c.request() == nil {
				return
			}
			c.reply("HTTP/1.1 200 OK\r\n" + head + "\r\n")
			for event := range next {
				c.reply(frame(event))
			}
		})
		g := startGateway(t, proxyTo(up.url()))
		c := g.dial()
		c.send(plainGet)
		answer, err := http.ReadResponse(c.br, nil)
		if err != nil || answer.StatusCode != 200 {
			t.Fatalf("%s: got %v, %v; want the head before any event", name, answer, err)
		}
		for i := range 50 {
			event := fmt.Sprintf("data: %04d\n\n", i)
			next <- event
			got := make([]byte, len(event))
			if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != event {
				t.Fatalf("%s: got %q, %v; want %q before the next is sent", name, got, err, event)
			}
		}
		close(next)
	}
	same := func(s string) string { return s }
	f("chunked", "Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n", func(s string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(s), s) })
	f("until close", "Content-Type: text/event-stream\r\n", same)
	f("length", "Content-Length: 600\r\n", same)
	f("long length", "Content-Length: 6000000\r\n", same)
}

// TestUploadPassesAtOnce: a part of a request body is seen upstream before the
// next is sent.
func TestUploadPassesAtOnce(t *testing.T) {
	t.Parallel()
	seen := make(chan string)
	up := startUpstream(t, func(c *upstreamConn) {
		r, err := c.head()
		if err != nil {
			return
		}
		buf := make([]byte, 100)
		for n, err := r.Body.Read(buf); n > 0; n, err = r.Body.Read(buf) {
			seen <- string(buf[:n])
			if err != nil {
				break
			}
		}
		c.reply(okText("all"))
	})
	g := startGateway(t, proxyTo(up.url()))
	c := g.dial()
	c.send("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i := range 20 {
		part := fmt.Sprintf("part %02d", i)
		c.send(fmt.Sprintf("%x\r\n%s\r\n", len(part), part))
		if got := within(t, "a part upstream", seen); got != part {
			t.Fatalf("got %q; want %q", got, part)
		}
	}
	c.send("0\r\n\r\n")
	if a := c.answer("POST"); a.Body != "all" {
		t.Errorf("got %+v; want the answer", a)
	}
}

// stalledSize is a body of which half is more than the sockets on its way can
// hold: the kernel lets the buffer of a fast reader grow to 32 MiB here, and
// those of the writers to 4 MiB each.
const stalledSize = 128 << 20

// TestSlowClientHoldsTheUpstreamBack: what the gateway takes from an upstream
// for a client that reads nothing ends at the buffers of the sockets.
func TestSlowClientHoldsTheUpstreamBack(t *testing.T) {
	t.Parallel()
	const size = stalledSize
	stalled, resume := make(chan int, 1), make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		if c.request() == nil {
			return
		}
		_ = c.SetDeadline(time.Now().Add(6 * patient))
		c.reply(fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", size))
		piece, sent := make([]byte, 64<<10), 0
		for sent < size {
			_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
			n, err := c.Write(piece[:min(len(piece), size-sent)])
			sent += n
			if err == nil {
				continue
			}
			if !isTimeoutError(err) {
				return
			}
			select {
			case stalled <- sent:
				<-resume
			default:
			}
		}
	})
	g := startGateway(t, proxyTo(up.url()))
	c := g.dial()
	_ = c.SetDeadline(time.Now().Add(6 * patient))
	c.send(plainGet)
	taken := within(t, "the upstream being held back", stalled)
	if taken > size/2 {
		t.Errorf("the upstream could send %d of %d bytes to a client that reads none", taken, size)
	}
	close(resume)
	answer, err := http.ReadResponse(c.br, nil)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := drainInto(answer.Body); n != size || err != nil {
		t.Errorf("got %d bytes, %v; want all %d once it reads", n, err, size)
	}
}

// TestSlowUpstreamHoldsTheClientBack is the same for uploads.
func TestSlowUpstreamHoldsTheClientBack(t *testing.T) {
	t.Parallel()
	const size = stalledSize
	resume := make(chan struct{})
	up := startUpstream(t, func(c *upstreamConn) {
		_ = c.SetDeadline(time.Now().Add(6 * patient))
		c.br.Reset(c.Conn)
		r, err := c.head()
		if err != nil {
			return
		}
		<-resume
		n, err := drainInto(r.Body)
		if err != nil {
			t.Errorf("upload: %v", err)
		}
		c.reply(okText(strconv.FormatInt(n, 10)))
	})
	g := startGateway(t, proxyTo(up.url()))
	c := g.dial()
	_ = c.SetDeadline(time.Now().Add(6 * patient))
	c.send(fmt.Sprintf("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n", size))
	piece, sent := []byte(strings.Repeat("x", 64<<10)), 0
	for resumed := false; sent < size; {
		_ = c.SetWriteDeadline(time.Now().Add(300 * time.Millisecond))
		n, err := c.Write(piece[:min(len(piece), size-sent)])
		sent += n
		if err == nil {
			continue
		}
		if !isTimeoutError(err) {
			t.Fatalf("upload: %v", err)
		}
		if !resumed {
			resumed = true
			if sent > size/2 {
				t.Errorf("the client could send %d of %d bytes to an upstream that reads none", sent, size)
			}
			close(resume)
		}
	}
	if a := c.answer("POST"); a.Body != strconv.Itoa(size) {
		t.Errorf("got %+v; want all %d bytes upstream", a, size)
	}
}
