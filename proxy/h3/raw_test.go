package h3

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/quic-go/quic-go"
)

// raw is a client that sends what it is told to.
type raw struct {
	t    testing.TB
	conn *quic.Conn
}

// dial connects without opening any stream.
func dial(t testing.TB, s *served) *raw {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	conn, err := quic.DialAddr(ctx, s.addr.String(), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h3"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.CloseWithError(codeNoError, "") })
	return &raw{t: t, conn: conn}
}

// uni opens a unidirectional stream and sends b on it.
func (c *raw) uni(b []byte) *quic.SendStream {
	c.t.Helper()
	stream, err := c.conn.OpenUniStream()
	if err != nil {
		c.t.Fatal(err)
	}
	_, _ = stream.Write(b)
	return stream
}

// open opens a request stream and sends b on it.
func (c *raw) open(b []byte) *quic.Stream {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	stream, err := c.conn.OpenStreamSync(ctx)
	if err != nil {
		c.t.Fatal(err)
	}
	_ = stream.SetDeadline(time.Now().Add(10 * time.Second))
	_, _ = stream.Write(b)
	return stream
}

// reply is what came back on a request stream.
type reply struct {
	heads   []string // fields of each HEADERS frame, as lines
	content string
	err     error // nil when the stream ended in good order
}

func (r reply) status() string {
	if len(r.heads) == 0 {
		return ""
	}
	status, _, _ := strings.Cut(strings.TrimPrefix(r.heads[0], ":status: "), "\n")
	return status
}

// lines is a sink that notes lines.
type lines struct{ strings.Builder }

func (l *lines) Add(name, value []byte) { l.WriteString(string(name) + ": " + string(value) + "\n") }

// read reads a stream to its end.
func read(stream *quic.Stream) (out reply) {
	in, d := newReader(requestBuffer), decoder{}
	in.reset(stream)
	for {
		kind, length, err := in.next()
		if err != nil {
			if err != io.EOF {
				out.err = err
			}
			return out
		}
		payload := make([]byte, length)
		if out.err = in.full(payload); out.err != nil {
			return out
		}
		switch kind {
		case frameData:
			out.content += string(payload)
		case frameHeaders:
			var l lines
			if out.err = d.decode(payload, &l); out.err != nil {
				return out
			}
			out.heads = append(out.heads, l.String())
		}
	}
}

// section encodes fields as they are, in a HEADERS frame.
func section(fields ...[2]string) []byte {
	block := appendSection(nil)
	for _, f := range fields {
		block = append(appendInteger(block, 0x20, 3, uint64(len(f[0]))), f[0]...)
		block = appendText(block, []byte(f[1]))
	}
	return append(appendFrame(nil, frameHeaders, uint64(len(block))), block...)
}

func get(more ...[2]string) []byte {
	return section(append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/a"}}, more...)...)
}

func post(more ...[2]string) []byte {
	return section(append([][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/a"}}, more...)...)
}

func data(content string) []byte {
	return append(appendFrame(nil, frameData, uint64(len(content))), content...)
}

func join(parts ...[]byte) (out []byte) {
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

// settings opens a control stream in good order.
func settings() []byte {
	return append(appendVarint(nil, streamControl), appendFrame(nil, frameSettings, 0)...)
}

// closed waits for the connection to be closed and returns the code, -1 for
// another reason.
func (c *raw) closed() int {
	c.t.Helper()
	select {
	case <-c.conn.Context().Done():
	case <-time.After(10 * time.Second):
		c.t.Fatal("the connection was not closed")
	}
	var app *quic.ApplicationError
	if errors.As(context.Cause(c.conn.Context()), &app) && app.Remote {
		return int(app.ErrorCode)
	}
	return -1
}
