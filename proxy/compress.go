package proxy

import (
	"bytes"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/wire"
)

// compressFrom is the smallest text that is worth it.
const compressFrom = 1 << 10

var (
	compressors   = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}
	decompressors = sync.Pool{New: func() any { return new(gzip.Reader) }}
	gzipOnly      = policy.Normal{Values: []string{"gzip"}}
)

// compressed returns e with its content as gzip; nil where that is not to be done,
// or brings nothing.
func compressed(e *cache.Entry) *cache.Entry {
	whole := e.Body.Whole()
	if e.Status != 200 || len(whole) < compressFrom || !isText(lineOf(e.Lines, "Content-Type")) ||
		lineOf(e.Lines, "Content-Encoding") != nil || forbidsChange(e.Lines) {
		return nil
	}
	var out bytes.Buffer
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	w.Reset(&out)
	_, err := w.Write(whole)
	if err == nil {
		err = w.Close()
	}
	if err != nil || out.Len() >= len(whole)*9/10 {
		return nil
	}
	plain := e.Lines
	if !variesByEncoding(plain) {
		plain = wire.AppendField(bytes.Clone(plain), []byte("Vary"), []byte("Accept-Encoding"))
	}
	return &cache.Entry{
		Status: e.Status, Lines: encodedLines(plain), Terms: e.Terms, Vary: e.Vary, Tags: e.Tags, At: e.At,
		Encoded: true, PlainLength: int64(len(whole)), PlainLines: plain, Body: cache.WholeBody(bytes.Clone(out.Bytes())),
	}
}

// isText tells whether content of a media type is text of some kind.
func isText(kind []byte) bool {
	kind, _, _ = bytes.Cut(kind, []byte{';'})
	kind = bytes.ToLower(bytes.TrimSpace(kind))
	if string(kind) == "text/event-stream" {
		return false
	}
	for _, end := range [...]string{"json", "xml", "javascript", "yaml", "ecmascript", "wasm"} {
		if bytes.HasSuffix(kind, []byte(end)) {
			return true
		}
	}
	return bytes.HasPrefix(kind, []byte("text/"))
}

// forbidsChange tells whether no-transform is said of the content (RFC 9111 §5.2.2.6).
func forbidsChange(lines []byte) bool {
	var d policy.Directives
	eachLine(lines, func(name, value, _ []byte) {
		if string(name) == "Cache-Control" {
			d.Add(value)
		}
	})
	return d.Has&policy.NoTransform != 0
}

func variesByEncoding(lines []byte) bool {
	found := false
	eachLine(lines, func(name, value, _ []byte) {
		found = found || string(name) == "Vary" && bytes.Contains(bytes.ToLower(value), []byte("accept-encoding"))
	})
	return found
}

// encodedLines tells of the coding. An ETag says no longer that each byte is the
// same (RFC 9110 §8.8.1).
func encodedLines(plain []byte) []byte {
	out := make([]byte, 0, len(plain)+32)
	eachLine(plain, func(name, value, line []byte) {
		switch {
		case string(name) == "Accept-Ranges":
		case string(name) == "Etag" && !bytes.HasPrefix(value, []byte("W/")):
			out = wire.AppendField(out, name, append([]byte("W/"), value...))
		default:
			out = append(out, line...)
		}
	})
	return wire.AppendField(out, []byte("Content-Encoding"), []byte("gzip"))
}

// takesGzip tells whether the client takes gzip.
func (r *request) takesGzip() bool {
	c := &r.caching
	c.lines = appendValuesIn(c.lines[:0], &r.x.Request, "Accept-Encoding")
	r.field = policy.AppendSelected(r.field[:0], "Accept-Encoding", c.lines, &gzipOnly)
	return bytes.Contains(r.field, []byte("gzip"))
}

// plainOf returns the content of an entry that is stored as gzip.
func plainOf(e *cache.Entry) ([]byte, error) {
	r := decompressors.Get().(*gzip.Reader)
	defer decompressors.Put(r)
	if err := r.Reset(bytes.NewReader(e.Body.Whole())); err != nil {
		return nil, err
	}
	out := make([]byte, e.PlainLength)
	_, err := io.ReadFull(r, out)
	return out, err
}
