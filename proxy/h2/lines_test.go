package h2

import (
	"bufio"
	"bytes"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/http2/hpack"

	"weir/proxy/exchange"
	"weir/proxy/front/cases"
	"weir/proxy/wire"
)

// TestLinesAreFields holds that fields sent as lines are those sent one by one,
// but those of a connection, which an answer kept for HTTP/1.1 may have.
func TestLinesAreFields(t *testing.T) {
	const fields = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/css\r\nETag: \"1\"\r\nX-Empty: \r\n" +
		"Set-Cookie: a=b\r\nset-cookie: c=d\r\nKeep-Alive: timeout=5\r\nX-Long: "
	long := strings.Repeat("long ", 5000) + "end\r\n"
	s := serve(t, handle(func(x *exchange.Exchange) {
		lines := []byte(fields + long)
		if string(x.Target) == "/lines" {
			x.Lines = lines
		} else {
			head := append(append(wire.AppendStatusLine(nil, 200, nil), lines...), '\r', '\n')
			if err := x.Response.Read(bufio.NewReaderSize(bytes.NewReader(head), 64<<10)); err != nil {
				t.Error(err)
			}
		}
		x.Response.SetNoDefaultContentType(true)
		x.Response.SetStatusCode(200)
		x.Response.Set("X-Beside", "both")
		x.Bytes = []byte("content")
		_ = x.Front.Send(x)
	}), nil)
	c := s.open(t)
	var got [2][]string
	id := uint32(1)
	for range 4 { // lines that repeat are encoded in other ways
		for i, path := range []string{"/fields", "/lines"} {
			c.headers(id, true, get(path)...)
			r := c.await(id)
			if r.String() != "200 content" {
				t.Fatalf("%s: got %s", path, r)
			}
			got[i] = got[i][:0]
			for _, f := range r.fields {
				got[i] = append(got[i], f.Name+": "+f.Value)
			}
			slices.Sort(got[i])
			id += 2
		}
		if !slices.Equal(got[0], got[1]) || slices.Contains(got[1], "keep-alive: timeout=5") {
			t.Fatalf("got %q; want %q", got[1], got[0])
		}
	}
}

func TestContentInPieces(t *testing.T) {
	var want []byte
	var list [][]byte
	for i := range 11 {
		list = append(list, bytes.Repeat([]byte{byte('a' + i)}, 1+i*i*1000))
		want = append(want, list[i]...)
	}
	taken := make(chan int, 1)
	s := serve(t, handle(func(x *exchange.Exchange) {
		stream := &cases.Pieces{List: slices.Clone(list)}
		x.Response.SetStatusCode(200)
		x.Stream, x.Length = stream, exchange.Chunked
		if string(x.Target) == "/known" {
			x.Length = int64(len(want))
		}
		_ = x.Front.Send(x)
		taken <- stream.Taken
	}), nil)
	c := s.open(t)
	for i, path := range []string{"/known", "/chunked"} {
		id := uint32(1 + 2*i)
		c.headers(id, true, get(path)...)
		r := c.await(id)
		if r.body != string(want) || !slices.Equal(r.trailers, []hpack.HeaderField{{Name: "x-end", Value: "yes"}}) {
			t.Fatalf("%s: got %d bytes and %v; want %d", path, len(r.body), r.trailers, len(want))
		}
		if got := <-taken; got < len(want)/2 {
			t.Fatalf("%s: %d bytes were taken; want most of %d", path, got, len(want))
		}
	}
}
