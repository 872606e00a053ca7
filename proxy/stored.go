package proxy

import (
	"bytes"
	"io"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"

	"weir/cache"
	"weir/cache/policy"
	"weir/proxy/exchange"
	"weir/proxy/observe"
	"weir/proxy/wire"
)

var (
	nameWarning      = []byte("Warning")
	nameContentRange = []byte("Content-Range")
	ignoredWish      = []byte(`199 weir "Cache-control headers were ignored because the caller was unauthorized."`)
)

// answerStored answers with a stored answer, or the part of it that the request
// asks for. It returns false, so that the way can end with it.
func (g *Gateway) answerStored(r *request, e *cache.Entry, resident time.Duration, how observe.CacheResult) bool {
	x, c := r.x, &r.caching
	c.result, c.age, c.lifetime = how, e.Terms.Age(resident), e.Terms.Lifetime
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(e.Status)
	lines, body := e.Lines, e.Body
	if e.Encoded && !r.takesGzip() {
		plain, err := plainOf(e)
		if err != nil {
			x.Cause = err
			return x.Refuse(exchange.Internal)
		}
		lines, body = e.PlainLines, cache.WholeBody(plain)
	}
	notModified := e.Status == fasthttp.StatusOK && policy.NotModified(&c.asks, &e.Terms)
	if notModified {
		x.Response.SetStatusCode(fasthttp.StatusNotModified)
		c.head = appendWithoutContent(c.head[:0], lines)
	} else {
		c.head = append(c.head[:0], lines...)
	}
	if how != observe.CacheMiss && how != observe.CacheCollapsed || c.age >= time.Second {
		c.head = strconv.AppendInt(append(c.head, "Age: "...), int64(c.age/time.Second), 10)
		c.head = append(c.head, '\r', '\n')
	}
	if c.warning {
		c.head = wire.AppendField(c.head, nameWarning, ignoredWish)
	}
	x.Lines = c.head
	if notModified || e.Status == fasthttp.StatusOK && c.asks.Range != nil && x.Request.IsGet() && r.answerRange(body, &e.Terms) {
		return false
	}
	r.giveBody(body, 0, -1)
	return false
}

// giveBody makes n bytes of a stored body the content of the answer, all of it
// where n is -1.
func (r *request) giveBody(b *cache.Body, offset, n int64) {
	x := r.x
	if whole := b.Whole(); whole != nil {
		if n >= 0 {
			whole = whole[offset : offset+n]
		}
		x.Bytes = whole
		return
	}
	x.Length = n
	if n < 0 {
		x.Length = b.Length()
	}
	if x.Request.IsHead() {
		return
	}
	s := &r.caching.body
	s.front, s.patience = x.Front, &r.patience
	s.cursor.Begin(b, offset, n)
	x.Stream = s
}

// answerRange answers with the parts that the request asks for, and tells
// whether it could.
func (r *request) answerRange(body *cache.Body, terms *policy.Terms) bool {
	x, c := r.x, &r.caching
	length := body.Length()
	if length < 0 {
		return false
	}
	var room [policy.MaxSpans]policy.Span
	spans, outcome := policy.Ranges(room[:0], &c.asks, terms, length)
	switch {
	case outcome == policy.Unsatisfiable:
		x.Response.SetStatusCode(fasthttp.StatusRequestedRangeNotSatisfiable)
		r.field = strconv.AppendInt(append(r.field[:0], "bytes */"...), length, 10)
		x.Response.SetCanonical(nameContentRange, r.field)
		c.head = appendWithoutContent(c.head[:0], c.head) // in place: it only becomes shorter
		x.Lines = c.head
		return true
	case outcome != policy.PartialAnswer:
		return false
	case len(spans) > 1:
		return r.answerSpans(body, spans, length)
	}
	x.Response.SetStatusCode(fasthttp.StatusPartialContent)
	r.field = appendContentRange(r.field[:0], spans[0], length)
	x.Response.SetCanonical(nameContentRange, r.field)
	r.giveBody(body, spans[0].First, spans[0].Last-spans[0].First+1)
	return true
}

func appendContentRange(dst []byte, s policy.Span, length int64) []byte {
	dst = strconv.AppendInt(append(dst, "bytes "...), s.First, 10)
	dst = strconv.AppendInt(append(dst, '-'), s.Last, 10)
	return strconv.AppendInt(append(dst, '/'), length, 10)
}

// answerSpans answers with several parts in one content (RFC 9110 §14.6). Of a
// body that does not lie in one piece the client gets the whole.
func (r *request) answerSpans(body *cache.Body, spans []policy.Span, length int64) bool {
	x := r.x
	whole := body.Whole()
	if whole == nil {
		return false
	}
	boundary := appendUUID(nil)
	kind := lineOf(x.Lines, "Content-Type")
	var out []byte
	for _, s := range spans {
		out = append(append(append(out, "--"...), boundary...), '\r', '\n')
		if kind != nil {
			out = wire.AppendField(out, []byte("Content-Type"), kind)
		}
		out = append(appendContentRange(append(out, "Content-Range: "...), s, length), "\r\n\r\n"...)
		out = append(append(out, whole[s.First:s.Last+1]...), '\r', '\n')
	}
	out = append(append(append(out, "--"...), boundary...), "--\r\n"...)
	x.Response.SetStatusCode(fasthttp.StatusPartialContent)
	x.Response.SetContentTypeBytes(append([]byte("multipart/byteranges; boundary="), boundary...))
	r.caching.head = withoutField(r.caching.head, "Content-Type")
	x.Lines = r.caching.head
	x.Bytes = out
	return true
}

// eachLine calls f for the field lines of a stored answer, each with its CRLF.
func eachLine(lines []byte, f func(name, value, line []byte)) {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n') + 1
		line := lines[:end]
		lines = lines[end:]
		name, value, _ := bytes.Cut(line[:end-2], colon)
		f(name, bytes.TrimSpace(value), line)
	}
}

var colon = []byte{':'}

// lineOf returns the value of the first field of that name, in canonical case;
// nil without one.
func lineOf(lines []byte, name string) (found []byte) {
	eachLine(lines, func(n, value, _ []byte) {
		if found == nil && string(n) == name {
			found = value
		}
	})
	return found
}

// appendWithoutContent leaves the fields out that a 304 needs not tell of content
// that does not follow (RFC 9110 §15.4.5).
func appendWithoutContent(dst, lines []byte) []byte {
	for len(lines) > 0 {
		end := bytes.IndexByte(lines, '\n') + 1
		line := lines[:end]
		if lines = lines[end:]; !bytes.HasPrefix(line, contentPrefix) || bytes.HasPrefix(line, contentLocation) {
			dst = append(dst, line...)
		}
	}
	return dst
}

var contentPrefix, contentLocation = []byte("Content-"), []byte("Content-Location:")

func withoutField(lines []byte, name string) []byte {
	out := make([]byte, 0, len(lines))
	eachLine(lines, func(n, _, line []byte) {
		if string(n) != name {
			out = append(out, line...)
		}
	})
	return out
}

// storedBody is the content of a stored answer, which may still be coming, on
// its way to one client. It waits without a goroutine of its own.
type storedBody struct {
	cursor   cache.Cursor
	front    exchange.Front
	patience *patience
}

// Take returns what is there without copying it.
func (s *storedBody) Take() []byte { return s.cursor.Take() }

// Read implements exchange.Body.
func (s *storedBody) Read(p []byte) (int, error) {
	for {
		if n := s.cursor.Copy(p); n > 0 {
			return n, nil
		}
		if s.cursor.Done() {
			return 0, io.EOF
		}
		if err := s.cursor.Err(); err != nil {
			return 0, err
		}
		if err := s.wait(); err != nil {
			return 0, err
		}
	}
}

// wait returns when there is something to look at, or the client has left.
func (s *storedBody) wait() error {
	p := s.patience
	p.ready()
	defer p.timer.Stop()
	s.cursor.Watch(p)
	defer s.cursor.Unwatch(p)
	s.front.Notify(p)
	defer s.front.Notify(nil)
	for !s.Ready() {
		if s.front.Gone() {
			return wire.ErrAbandoned
		}
		p.timer.Reset(look)
		select {
		case <-p.timer.C:
		case <-p.woken:
		}
	}
	return nil
}

// Done implements exchange.Body.
func (s *storedBody) Done() bool { return s.cursor.Done() }

// Ready implements exchange.Body.
func (s *storedBody) Ready() bool { return s.cursor.Ready() }

// Trailers implements exchange.Body.
func (s *storedBody) Trailers() []byte { return s.cursor.Trailers() }

// Close implements exchange.Body.
func (s *storedBody) Close() error {
	s.cursor.Close()
	s.front = nil
	return nil
}
