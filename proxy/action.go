package proxy

import (
	"strconv"
	"time"

	"weir/proxy/config"
	"weir/proxy/wire"
)

// template is a text with path parameters in it.
type template []config.Piece

// append appends the text with the parameters of r, as they stand in the
// canonical path: still percent-encoded.
func (t template) append(dst []byte, r *request) []byte {
	for _, piece := range t {
		if piece.Param == "" {
			dst = append(dst, piece.Text...)
			continue
		}
		value, _ := r.params.Lookup(r.rest, piece.Param)
		dst = append(dst, value...)
	}
	return dst
}

// redirect sends the client elsewhere.
type redirect struct {
	status   int
	location template
}

func (d *redirect) answer(r *request) bool {
	x := r.x
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(d.status)
	r.field = d.location.append(r.field[:0], r)
	x.Response.SetBytesV("Location", r.field)
	return true
}

// fixedAnswer is written by the gateway as the document has it.
type fixedAnswer struct {
	status  int
	headers []headerField
	body    []byte
}

func (f *fixedAnswer) answer(r *request) bool {
	x := r.x
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(f.status)
	for i := range f.headers {
		x.Response.SetCanonical(f.headers[i].name, f.headers[i].value)
	}
	x.Bytes = f.body
	return true
}

// eventStream is the built-in stream of server-sent events. It is the body of
// its own answer.
type eventStream struct {
	r     *request
	of    *config.Stream
	sent  int
	next  int64
	ended bool
}

func (e *eventStream) answer(r *request, of *config.Stream) bool {
	x := r.x
	*e = eventStream{r: r, of: of, next: wire.Now()}
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(200)
	x.Response.SetContentType("text/event-stream")
	x.Response.Set("Cache-Control", "no-cache")
	x.Stream, x.Length = e, -1
	return true
}

// eventPatience is how long the stream sleeps before it looks whether the
// client is still there.
const eventPatience = 500 * time.Millisecond

// Read waits for the next event and puts it into p.
func (e *eventStream) Read(p []byte) (int, error) {
	for {
		wait := time.Duration(e.next - wire.Now())
		if wait <= 0 {
			break
		}
		time.Sleep(min(wait, eventPatience))
		if e.r.x.Front.Gone() {
			return 0, wire.ErrAbandoned
		}
	}
	e.sent++
	e.next += int64(e.of.Interval)
	e.ended = e.of.Count > 0 && e.sent >= e.of.Count
	out := p[:0]
	if e.of.Event != "" {
		out = append(append(append(out, "event: "...), e.of.Event...), '\n')
	}
	out = append(strconv.AppendInt(append(out, "id: "...), int64(e.sent), 10), '\n')
	out = append(time.Now().UTC().AppendFormat(append(out, "data: "...), time.RFC3339Nano), "\n\n"...)
	return len(out), nil
}

// Ready tells whether the next event is due.
func (e *eventStream) Ready() bool { return wire.Now() >= e.next }

// Done tells whether the last event was read.
func (e *eventStream) Done() bool { return e.ended }

// Trailers returns nil: events have none.
func (e *eventStream) Trailers() []byte { return nil }

// Close ends the stream.
func (e *eventStream) Close() error {
	e.r = nil
	return nil
}
