package upstream

import (
	"encoding/binary"
	"io"
	"net"
	"testing"

	"weir/proxy/frame"
	"weir/proxy/hpack"
)

// raw is one connection as an upstream sees it that writes its own frames.
type raw struct {
	*peer
	t   *testing.T
	enc hpack.Encoder
	dec hpack.Decoder
}

// got is a frame that came.
type got struct {
	frame.Header
	payload []byte
}

// listenRaw starts an upstream that runs play for each of its connections,
// after it has taken the preface.
func listenRaw(t *testing.T, play func(r *raw)) *script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, l, "h2c://"+l.Addr().String(), func(p *peer) {
		if r := newRaw(t, p); r != nil {
			play(r)
		}
	})
}

// newRaw takes the preface; nil means that there was none.
func newRaw(t *testing.T, p *peer) *raw {
	preface := make([]byte, len(frame.Preface))
	if _, err := io.ReadFull(p.br, preface); err != nil || string(preface) != frame.Preface {
		return nil
	}
	return &raw{peer: p, t: t, enc: hpack.NewEncoder(4096), dec: hpack.NewDecoder(4096)}
}

// next returns the next frame, false when the connection has ended.
func (r *raw) next() (got, bool) {
	head := make([]byte, frame.HeaderLen)
	if _, err := io.ReadFull(r.br, head); err != nil {
		return got{}, false
	}
	g := got{Header: frame.Parse(head)}
	g.payload = make([]byte, g.Length)
	_, err := io.ReadFull(r.br, g.payload)
	return g, err == nil
}

// await returns the next frame of a type; what comes before it is dropped.
func (r *raw) await(of frame.Type) (got, bool) {
	for {
		g, ok := r.next()
		if !ok || g.Type == of {
			return g, ok
		}
	}
}

// code returns the error code of the next frame of a type.
func (r *raw) code(of frame.Type) frame.Code {
	g, ok := r.await(of)
	if !ok {
		return 1 << 30
	}
	return frame.Code(binary.BigEndian.Uint32(g.payload[len(g.payload)-4:]))
}

func (r *raw) send(b []byte) { _, _ = r.Conn.Write(b) }

func (r *raw) settings(list ...frame.Setting) { r.send(frame.AppendSettings(nil, list...)) }

// block encodes fields, given as name, value, name, value.
func (r *raw) block(fields ...string) []byte {
	b := r.enc.Begin(nil)
	for i := 0; i+1 < len(fields); i += 2 {
		b = append(b, 0, byte(len(fields[i])))
		b = append(b, fields[i]...)
		b = append(b, 0x7f, 0)
		if n := len(fields[i+1]); n < 127 {
			b[len(b)-2] = byte(n)
			b = b[:len(b)-1]
		} else {
			b = b[:len(b)-2]
			b = append(b, 0x7f)
			for n -= 127; n >= 128; n >>= 7 {
				b = append(b, byte(n)|0x80)
			}
			b = append(b, byte(n))
		}
		b = append(b, fields[i+1]...)
	}
	return b
}

func (r *raw) headers(id uint32, flags frame.Flags, fields ...string) {
	b := r.block(fields...)
	r.send(append(frame.Append(nil, len(b), frame.Headers, flags, id), b...))
}

func (r *raw) data(id uint32, flags frame.Flags, content string) {
	r.send(append(frame.Append(nil, len(content), frame.Data, flags, id), content...))
}

// answer answers a stream with hello.
func (r *raw) answer(id uint32) {
	r.headers(id, frame.EndHeaders, ":status", "200", "content-length", "5")
	r.data(id, frame.EndStream, "hello")
}

// drainFrames waits for the end of the connection.
func (r *raw) drainFrames() {
	for {
		if _, ok := r.next(); !ok {
			return
		}
	}
}

// fields decodes the block of a HEADERS frame.
func (r *raw) fields(block []byte) (list []string) {
	var f hpack.Fields
	if err := r.dec.Decode(block, &f); err != nil {
		r.t.Error(err)
	}
	for i := range f.Len() {
		list = append(list, string(f.Name(i))+"="+string(f.Value(i)))
	}
	return list
}
