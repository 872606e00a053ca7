package shared

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
)

const (
	// longestText and mostElements bound what an answer may announce: those of
	// Redis to weir are far smaller, and the memory is taken before they come.
	longestText  = 16 << 20
	mostElements = 1 << 20
	deepest      = 16
)

// framing finds the ends of RESP messages in a stream that comes in parts. The
// zero value is at the beginning of one.
type framing struct {
	skip  int64   // bytes of a text that are still to come
	open  []int64 // elements that are still to come, of each array that is open
	line  []byte  // beginning of a line whose end has not come
	long  bool    // line has lost something
	push  bool    // the message is one that nobody has to have asked for
	whole int64   // messages that ended, without those
}

// feed goes on by p, or says what is wrong with it.
func (f *framing) feed(p []byte) error {
	for len(p) > 0 {
		if f.skip > 0 {
			n := min(f.skip, int64(len(p)))
			p = p[n:]
			if f.skip -= n; f.skip == 0 {
				f.end()
			}
			continue
		}
		end := bytes.IndexByte(p, '\n')
		part := p
		if end >= 0 {
			part = p[:end+1]
		}
		p = p[len(part):]
		const enough = 32 // for a kind and a number; of other lines only the kind matters
		if room := enough - len(f.line); len(part) > room {
			f.line, f.long = append(f.line, part[:room]...), true
		} else {
			f.line = append(f.line, part...)
		}
		if end < 0 {
			return nil
		}
		if err := f.header(); err != nil {
			return err
		}
		f.line, f.long = f.line[:0], false
	}
	return nil
}

// header reads a line that says what comes.
func (f *framing) header() error {
	kind := f.line[0]
	if len(f.open) == 0 {
		f.push = kind == '>'
	}
	switch kind {
	case '+', '-', ':', '_', ',', '#', '(':
		f.end()
		return nil
	case '$', '=', '!', '*', '~', '>', '%':
	default:
		return fmt.Errorf("an answer of Redis has an unknown message type %q", kind)
	}
	n, err := strconv.ParseInt(string(bytes.TrimRight(f.line[1:], "\r\n")), 10, 64)
	if err != nil || f.long || n < -1 {
		return errors.New("an answer of Redis has a length that is no number")
	}
	if kind == '%' {
		n *= 2
	}
	isText := kind == '$' || kind == '=' || kind == '!'
	switch {
	case isText && n > longestText, !isText && n > mostElements, !isText && len(f.open) == deepest:
		return errors.New("an answer of Redis is too large")
	case isText && n >= 0:
		f.skip = n + 2
	case !isText && n > 0:
		f.open = append(f.open, n)
	default:
		f.end()
	}
	return nil
}

// end ends an element, and whatever ends with it.
func (f *framing) end() {
	for len(f.open) > 0 {
		last := len(f.open) - 1
		if f.open[last]--; f.open[last] > 0 {
			return
		}
		f.open = f.open[:last]
	}
	if !f.push {
		f.whole++
	}
}

// guarded is a connection that ends with the client and that passes only what
// rueidis can stand: it panics at answers that nobody has asked for.
type guarded struct {
	net.Conn
	keep func() bool // ends the tie to the client

	in, out framing
	asked   atomic.Int64
	listens atomic.Bool // messages of channels come unasked
}

// guard ties conn to the end of ctx.
func guard(ctx context.Context, conn net.Conn) *guarded {
	return &guarded{Conn: conn, keep: context.AfterFunc(ctx, func() { _ = conn.Close() })}
}

func (g *guarded) Write(p []byte) (int, error) {
	if bytes.Contains(p, []byte("SUBSCRIBE")) {
		g.listens.Store(true)
	}
	if err := g.out.feed(p); err != nil {
		return 0, err
	}
	g.asked.Store(g.out.whole)
	return g.Conn.Write(p)
}

func (g *guarded) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	if wrong := g.in.feed(p[:n]); wrong != nil {
		return 0, wrong
	}
	if g.in.whole > g.asked.Load() && !g.listens.Load() {
		return 0, errors.New("an answer of Redis to what nobody has asked")
	}
	return n, err
}

func (g *guarded) Close() error {
	g.keep()
	return g.Conn.Close()
}
