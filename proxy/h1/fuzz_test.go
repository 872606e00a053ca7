package h1

import (
	"bytes"
	"io"
	"net"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// FuzzRequests holds the front end against the model: both must agree on how
// many requests a stream of bytes holds, on each of them, and on how it ends.
// How the bytes are cut into reads must not matter.
func FuzzRequests(f *testing.F) {
	for _, seed := range tableSeeds(f) {
		f.Add(seed, byte(0))
		f.Add(seed, byte(7))
	}
	f.Add([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"), byte(1))
	f.Fuzz(func(t *testing.T, stream []byte, step byte) {
		got, gotEnd := serveStream(stream, int(step), true)
		want, wantEnd := modelStream(stream)
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", stream, got, want)
		}
		// Of a head that is cut off the handler hears only if it was refused before.
		if gotEnd != wantEnd && (wantEnd != endCut || gotEnd == endBody) {
			t.Fatalf("%q: got the end %s; want %s", stream, gotEnd, wantEnd)
		}
	})
}

// FuzzUnreadBodies holds that a body which the handler does not read is never
// taken for a request: the connection ends, or goes on exactly behind it.
func FuzzUnreadBodies(f *testing.F) {
	for _, seed := range tableSeeds(f) {
		f.Add(seed, byte(0))
	}
	f.Add([]byte("POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\nbodyGET /b HTTP/1.1\r\nHost: h\r\n\r\n"), byte(0))
	f.Fuzz(func(t *testing.T, stream []byte, step byte) {
		got, _ := serveStream(stream, int(step), false)
		want, _ := modelStream(stream)
		if len(got) > len(want) {
			t.Fatalf("%q:\ngot  %+v\nwant %+v", stream, got, want)
		}
		for i := range got {
			want[i].Body, want[i].Trailers, want[i].BodyFails = "", "", false
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Fatalf("%q: request %d:\ngot  %+v\nwant %+v", stream, i, got[i], want[i])
			}
		}
	})
}

// tableSeeds reads what the table of the gateway's own test sends.
func tableSeeds(tb testing.TB) (seeds [][]byte) {
	files, err := filepath.Glob("../testdata/strict/*.txt")
	if err != nil || len(files) == 0 {
		tb.Fatalf("the table of raw requests: got %d files, %v; want some", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, c := range strings.Split(string(text), "\ncase ")[1:] {
			seed := ""
			for _, line := range strings.Split(c, "\n") {
				if line == "" || (line[0] != '>' && line[0] != '|') {
					continue
				}
				sent, err := strconv.Unquote(`"` + strings.ReplaceAll(strings.TrimPrefix(line[1:], " "), `"`, `\"`) + `"`)
				if err != nil {
					tb.Fatalf("%s: %q: %s", file, line, err)
				}
				seed += sent
				if line[0] == '>' {
					seed += "\r\n"
				}
			}
			seeds = append(seeds, []byte(seed))
		}
	}
	return seeds
}

// serveStream runs the front end over a stream and returns what its handler saw.
func serveStream(stream []byte, step int, readBodies bool) ([]modelRequest, modelEnd) {
	rec := &recorder{end: endClean, readBodies: readBodies}
	s := NewServer(front.Config{MaxHead: modelHead, MaxTarget: modelTarget, MaxFields: modelFields}, 0, rec)
	s.Serve(wire.NewConn(&memoryConn{in: bytes.NewReader(stream), step: step}), front.Origin{Listener: "main"}, nil)
	return rec.seen, rec.end
}

// recorder is a handler that notes requests.
type recorder struct {
	seen       []modelRequest
	end        modelEnd
	readBodies bool
}

func (rec *recorder) Serve(x *exchange.Exchange) {
	x.MaxBody = -1
	if x.Malformed != nil {
		rec.end = endRefused
	} else {
		rec.note(x)
	}
	x.Response.SetStatusCode(204)
	_ = x.Front.Send(x)
}

func (rec *recorder) note(x *exchange.Exchange) {
	r := modelRequest{Method: string(x.Request.Method()), Target: string(x.Target), Authority: string(x.Authority)}
	for name, value := range x.Request.All() {
		switch lower := strings.ToLower(string(name)); lower {
		case "host", "content-length", "transfer-encoding", "connection", "content-type", "user-agent", "cookie", "trailer":
		default:
			r.Fields = append(r.Fields, lower+": "+string(value))
		}
	}
	if x.RequestBody != nil && rec.readBodies {
		body, err := io.ReadAll(x.RequestBody)
		if err == nil {
			r.Body, r.Trailers = string(body), string(x.RequestBody.Trailers())
		} else {
			r.BodyFails, rec.end = true, endBody
		}
	}
	rec.seen = append(rec.seen, r)
}

// memoryConn is a connection whose peer has sent everything and closed.
type memoryConn struct {
	in   *bytes.Reader
	step int // most bytes of a read, 0 for any
	out  bytes.Buffer
}

func (c *memoryConn) Read(p []byte) (int, error) {
	if c.step > 0 && len(p) > c.step {
		p = p[:c.step]
	}
	return c.in.Read(p)
}

func (c *memoryConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *memoryConn) Close() error                     { return nil }
func (c *memoryConn) LocalAddr() net.Addr              { return &net.TCPAddr{} }
func (c *memoryConn) RemoteAddr() net.Addr             { return &net.TCPAddr{} }
func (c *memoryConn) SetDeadline(time.Time) error      { return nil }
func (c *memoryConn) SetReadDeadline(time.Time) error  { return nil }
func (c *memoryConn) SetWriteDeadline(time.Time) error { return nil }
