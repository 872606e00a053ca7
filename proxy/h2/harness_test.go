package h2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// handle makes a handler of a function.
type handle func(x *exchange.Exchange)

func (h handle) Serve(x *exchange.Exchange) {
	if x.Malformed != nil {
		x.Response.SetStatusCode(x.Malformed.Status)
		x.Bytes = []byte(x.Malformed.Reason)
		_ = x.Front.Send(x)
		return
	}
	x.MaxBody = -1
	h(x)
}

// answer answers with a fixed text.
func answer(text string) handle {
	return func(x *exchange.Exchange) {
		x.Response.SetStatusCode(200)
		x.Response.SetContentType("text/plain")
		x.Bytes = []byte(text)
		_ = x.Front.Send(x)
	}
}

// echo answers with the request's method, target and body, as it comes.
func echo(x *exchange.Exchange) {
	x.Response.SetStatusCode(200)
	if x.RequestBody == nil {
		x.Bytes = fmt.Appendf(nil, "%s %s", x.Request.Method(), x.Target)
	} else {
		x.Stream, x.Length = x.RequestBody, x.RequestLength
	}
	_ = x.Front.Send(x)
}

// settings are those that tests start from: nothing takes long.
func settings() (front.Config, Config) {
	return front.Config{
			HeadTimeout: 5 * time.Second, BodyTimeout: 5 * time.Second, IdleTimeout: 5 * time.Second,
			SendTimeout: 5 * time.Second, MaxHead: 16 << 10, MaxTarget: 8 << 10, MaxFields: 100,
		}, Config{
			MaxStreams: 100, Window: 256 << 10, ConnectionWindow: 1 << 20, MaxFrame: 16 << 10, TableSize: 4096,
			ResetBurst: 200, ResetRate: 10, FrameBurst: 1000, FrameRate: 10,
		}
}

// served is a server on a port of the loopback.
type served struct {
	*Server
	address string
}

// serve serves h until the test ends; change may change the settings.
func serve(tb testing.TB, h front.Handler, change func(*front.Config, *Config)) *served {
	tb.Helper()
	cfg, own := settings()
	if change != nil {
		change(&cfg, &own)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &served{NewServer(cfg, own, 0, h), ln.Addr().String()}
	var conns sync.WaitGroup
	conns.Go(func() {
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			conns.Go(func() {
				c := wire.NewConn(nc)
				s.Serve(c, front.Origin{Listener: "main"}, nil)
				c.End()
			})
		}
	})
	tb.Cleanup(func() {
		_ = ln.Close()
		s.Close()
		conns.Wait()
	})
	return s
}

// client is a client that can send anything.
type client struct {
	tb    testing.TB
	nc    net.Conn
	fr    *http2.Framer
	block bytes.Buffer
	enc   *hpack.Encoder
}

// dial opens a connection; nothing is sent.
func (s *served) dial(tb testing.TB) *client {
	tb.Helper()
	nc, err := net.Dial("tcp", s.address)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = nc.Close() })
	_ = nc.SetDeadline(time.Now().Add(20 * time.Second))
	c := &client{tb: tb, nc: nc, fr: http2.NewFramer(nc, nc)}
	c.fr.AllowIllegalWrites = true
	c.enc = hpack.NewEncoder(&c.block)
	c.fr.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	return c
}

// open opens a connection and greets.
func (s *served) open(tb testing.TB, settings ...http2.Setting) *client {
	tb.Helper()
	c := s.dial(tb)
	c.write([]byte(http2.ClientPreface))
	c.do(c.fr.WriteSettings(settings...))
	for acked := false; !acked; {
		switch f := c.next().(type) {
		case *http2.SettingsFrame:
			if acked = f.IsAck(); !acked {
				c.do(c.fr.WriteSettingsAck())
			}
		case *http2.WindowUpdateFrame:
		default:
			tb.Fatalf("got %v; want SETTINGS", f)
		}
	}
	return c
}

func (c *client) do(err error) {
	c.tb.Helper()
	if err != nil {
		c.tb.Fatal(err)
	}
}

func (c *client) write(b []byte) {
	c.tb.Helper()
	_, err := c.nc.Write(b)
	c.do(err)
}

// fields encodes "name: value" lines.
func (c *client) fields(lines ...string) []byte {
	c.block.Reset()
	for _, line := range lines {
		at := 1 + strings.Index(line[1:], ": ")
		_ = c.enc.WriteField(hpack.HeaderField{Name: line[:at], Value: line[at+2:]})
	}
	return bytes.Clone(c.block.Bytes())
}

// get are the fields of a GET, with more behind them.
func get(path string, more ...string) []string {
	return append([]string{":method: GET", ":scheme: http", ":path: " + path, ":authority: a.example"}, more...)
}

func post(path string, more ...string) []string {
	return append([]string{":method: POST", ":scheme: http", ":path: " + path, ":authority: a.example"}, more...)
}

func (c *client) headers(id uint32, end bool, lines ...string) {
	c.tb.Helper()
	c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: c.fields(lines...), EndStream: end, EndHeaders: true}))
}

// next reads a frame; nil is the end of the connection.
func (c *client) next() http2.Frame {
	c.tb.Helper()
	f, err := c.fr.ReadFrame()
	switch {
	case err == nil:
		return f
	case isEnd(err):
		return nil
	}
	c.tb.Fatalf("cannot read a frame: %v", err)
	return nil
}

func isEnd(err error) bool {
	var ne *net.OpError
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.As(err, &ne) && !ne.Timeout()
}

// reply is what came of a stream.
type reply struct {
	status   string
	fields   []hpack.HeaderField
	body     string
	trailers []hpack.HeaderField
	reset    http2.ErrCode // and
	wasReset bool
}

// await reads until stream id has come to its end.
func (c *client) await(id uint32) (r reply) {
	c.tb.Helper()
	for {
		switch f := c.next().(type) {
		case nil:
			c.tb.Fatalf("the connection ended before stream %d", id)
		case *http2.MetaHeadersFrame:
			if f.StreamID != id {
				continue
			}
			switch {
			case r.status != "" && r.status[0] != '1':
				r.trailers = f.Fields
			default:
				r.status, r.fields = f.PseudoValue("status"), f.Fields
			}
			if f.StreamEnded() {
				return r
			}
		case *http2.DataFrame:
			if f.StreamID != id {
				continue
			}
			r.body += string(f.Data())
			if n := uint32(f.Length); n > 0 {
				_ = c.fr.WriteWindowUpdate(0, n)
				if !f.StreamEnded() {
					_ = c.fr.WriteWindowUpdate(id, n)
				}
			}
			if f.StreamEnded() {
				return r
			}
		case *http2.RSTStreamFrame:
			if f.StreamID == id {
				r.reset, r.wasReset = f.ErrCode, true
				return r
			}
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				c.tb.Fatalf("the connection ended with %s: %s", f.ErrCode, f.DebugData())
			}
		}
	}
}

// goneWith reads to the end of the connection and returns the code it ended with.
func (c *client) goneWith() (code http2.ErrCode, reason string) {
	c.tb.Helper()
	code = http2.ErrCode(1 << 30)
	for {
		switch f := c.next().(type) {
		case nil:
			return code, reason
		case *http2.GoAwayFrame:
			code, reason = f.ErrCode, string(f.DebugData())
		}
	}
}

func (r reply) String() string {
	if r.wasReset {
		return r.status + " reset " + r.reset.String()
	}
	return r.status + " " + r.body
}

func (r reply) field(name string) string {
	for _, f := range r.fields {
		if f.Name == name {
			return f.Value
		}
	}
	return ""
}
