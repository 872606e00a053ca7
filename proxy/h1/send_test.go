package h1

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// handle makes a handler of a function.
type handle func(x *exchange.Exchange)

func (h handle) Serve(x *exchange.Exchange) {
	x.MaxBody = -1
	x.Response.SetNoDefaultContentType(true)
	h(x)
}

// dial opens a connection to a server of h that lasts until the test ends.
func dial(tb testing.TB, h front.Handler) net.Conn {
	tb.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer ln.Close()
	nc, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		tb.Fatal(err)
	}
	near, err := ln.Accept()
	if err != nil {
		tb.Fatal(err)
	}
	s := NewServer(front.Config{MaxHead: 16 << 10, MaxTarget: 1 << 10, MaxFields: 100, SendTimeout: 10 * time.Second}, 0, h)
	var served sync.WaitGroup
	served.Go(func() {
		c := wire.NewConn(near)
		s.Serve(c, front.Origin{Listener: "main"}, nil)
		c.End()
	})
	tb.Cleanup(func() {
		_ = nc.Close()
		served.Wait()
	})
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	return nc
}

// head reads the head of an answer and returns its lines, sorted behind the first.
func head(t *testing.T, br *bufio.Reader) []string {
	t.Helper()
	var lines []string
	for {
		line, err := br.ReadString('\n')
		if err != nil || !strings.HasSuffix(line, "\r\n") {
			t.Fatalf("got %q, %v; want a line of a head", line, err)
		}
		if line == "\r\n" {
			slices.Sort(lines[1:])
			return lines
		}
		lines = append(lines, line)
	}
}

// TestLinesAreFields holds that fields sent as lines are those sent one by one.
func TestLinesAreFields(t *testing.T) {
	const names = "Date Etag Cache-Control Content-Type Content-Encoding Server X-One X-Two Set-Cookie Vary Age"
	random := rand.New(rand.NewPCG(1, 2))
	var mu sync.Mutex // of what follows
	var fields [][2]string
	var status, size int
	nc := dial(t, handle(func(x *exchange.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		lines := wire.AppendStatusLine(nil, status, nil)
		for _, f := range fields {
			lines = wire.AppendField(lines, []byte(f[0]), []byte(f[1]))
		}
		if string(x.Target) == "/lines" {
			x.Lines = lines[bytes.IndexByte(lines, '\n')+1:]
		} else if err := x.Response.Read(bufio.NewReader(bytes.NewReader(append(lines, "\r\n"...)))); err != nil {
			t.Error(err)
		}
		x.Response.SetStatusCode(status)
		x.Response.Set("X-Beside", "both")
		if status != 304 {
			x.Bytes = make([]byte, size)
		}
		_ = x.Front.Send(x)
	}))
	br := bufio.NewReader(nc)
	for range 300 {
		mu.Lock()
		fields = append(fields[:0], [2]string{"Date", "Sun, 06 Nov 1994 08:49:37 GMT"})
		for _, name := range strings.Fields(names)[1:] {
			if random.IntN(2) == 0 {
				fields = append(fields, [2]string{name, fmt.Sprintf("%x", random.Uint64())})
			}
		}
		status, size = []int{200, 206, 304, 404}[random.IntN(4)], random.IntN(20<<10)
		mu.Unlock()
		method := []string{"GET", "HEAD"}[random.IntN(2)]
		var got [2][]string
		for i, target := range []string{"/fields", "/lines"} {
			if _, err := fmt.Fprintf(nc, "%s %s HTTP/1.1\r\nHost: h\r\n\r\n", method, target); err != nil {
				t.Fatal(err)
			}
			got[i] = head(t, br)
			if method == "GET" && status != 304 {
				if _, err := br.Discard(size); err != nil {
					t.Fatal(err)
				}
			}
		}
		if !slices.Equal(got[0], got[1]) {
			t.Fatalf("%s %d %v: got %q; want %q", method, status, fields, got[1], got[0])
		}
	}
}

// pieces is content that lies somewhere in pieces. What is not there at once
// comes after a wait, which only Read does.
type pieces struct {
	list    [][]byte
	waits   []bool // before the piece of that number
	trailer []byte
	copied  int // bytes that were read although they could have been taken
}

func (p *pieces) Take() []byte {
	if len(p.list) == 0 || p.waits[0] {
		return nil
	}
	piece := p.list[0]
	p.list, p.waits = p.list[1:], p.waits[1:]
	return piece
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.list) == 0 {
		return 0, io.EOF
	}
	if !p.waits[0] {
		p.copied += min(len(b), len(p.list[0]))
	}
	n := copy(b, p.list[0])
	p.list[0], p.waits[0] = p.list[0][n:], false
	if len(p.list[0]) == 0 {
		p.list, p.waits = p.list[1:], p.waits[1:]
	}
	return n, nil
}

func (p *pieces) Done() bool       { return len(p.list) == 0 }
func (p *pieces) Ready() bool      { return len(p.list) == 0 || !p.waits[0] }
func (p *pieces) Trailers() []byte { return p.trailer }
func (p *pieces) Close() error     { return nil }

// TestContentInPieces holds that content arrives whole however it is cut, and
// that what lies there is not copied.
func TestContentInPieces(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	var mu sync.Mutex // of what follows
	stream := &pieces{}
	var length, sent int64
	served := make(chan struct{}, 1)
	handler := handle(func(x *exchange.Exchange) {
		mu.Lock()
		defer mu.Unlock()
		x.Response.SetStatusCode(200)
		x.Stream, x.Length = stream, length
		_ = x.Front.Send(x)
		sent = x.BytesOut
		served <- struct{}{}
	})
	nc := dial(t, handler)
	br := bufio.NewReader(nc)
	for range 300 {
		var want []byte
		mu.Lock()
		*stream = pieces{}
		for range random.IntN(6) {
			piece := bytes.Repeat([]byte{byte('a' + random.IntN(26))}, 1+random.IntN([]int{10, 5 << 10, 300 << 10}[random.IntN(3)]))
			stream.list, stream.waits = append(stream.list, piece), append(stream.waits, random.IntN(3) == 0)
			want = append(want, piece...)
		}
		length = int64(len(want))
		version := "HTTP/1.1"
		if random.IntN(2) == 0 {
			length, stream.trailer = exchange.Chunked, []byte("X-End: yes\r\n")
			if random.IntN(4) == 0 {
				version, nc = "HTTP/1.0", dial(t, handler)
				br.Reset(nc)
			}
		}
		mu.Unlock()
		if _, err := fmt.Fprintf(nc, "GET / %s\r\nHost: h\r\n\r\n", version); err != nil {
			t.Fatal(err)
		}
		resp, err := http.ReadResponse(br, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(resp.Body)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("length %d: got %d bytes, %v; want %d", length, len(got), err, len(want))
		}
		<-served
		if sent != int64(len(want)) {
			t.Fatalf("length %d: counted %d bytes; want %d", length, sent, len(want))
		}
		if (length < 0 || length >= takeLeast) && stream.copied > 0 {
			t.Fatalf("length %d: copied %d bytes; want none", length, stream.copied)
		}
		if version == "HTTP/1.0" {
			nc = dial(t, handler)
			br.Reset(nc)
			continue
		}
		if length < 0 && resp.Trailer.Get("X-End") != "yes" {
			t.Fatalf("got the trailers %v", resp.Trailer)
		}
	}
}
