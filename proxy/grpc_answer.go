package proxy

import (
	"errors"
	"io"
	"strconv"

	"weir/proxy/exchange"
	"weir/proxy/grpc"
	"weir/proxy/observe"
	"weir/proxy/wire"
)

// shapeCall makes of the upstream's answer to a call the one that the client
// takes. An answer of another kind, as a proxy on the way may give, is left to
// native clients, who all know what its status means for them (http-grpc-
// status-mapping); for gRPC-Web it becomes what they would make of it.
func (r *request) shapeCall() {
	x, c := r.x, &r.grpc
	h := &x.Response
	if x.Tunnel != nil || (c.kind.IsWeb() && !c.translated) {
		return
	}
	c.status = observe.NoGRPCStatus
	if status := h.PeekCanonical(nameGRPCStatus); len(status) > 0 {
		r.endCall(grpc.ParseCode(status))
	}
	if grpc.KindOf(h.ContentType()) != grpc.Native || h.StatusCode() != 200 {
		if c.translated {
			r.translatePage()
		}
		return
	}
	if c.translated {
		r.translateHead()
	}
	switch {
	case x.Stream != nil:
		c.answer.begin(r, x.Stream)
		x.Stream, x.Length = &c.answer, exchange.Chunked
	case c.translated:
		r.answer = c.answer.appendEnd(r.answer[:0], r, nil)
		x.Bytes = r.answer
	}
}

// translatePage makes a status of an answer that is not gRPC. Its content is
// given up: a page for people has no place in a message for programs.
func (r *request) translatePage() {
	x := r.x
	h := &x.Response
	if x.Stream != nil {
		_ = x.Stream.Close()
		x.Stream, x.Length = nil, 0
	}
	r.field = grpc.AppendContentType(r.field[:0], r.grpc.wants, r.x.Request.ContentType())
	h.SetContentTypeBytes(r.field)
	h.Del("Content-Encoding")
	if r.grpc.status != observe.NoGRPCStatus {
		return // a status that is there must be used
	}
	code := grpc.OfHTTP(h.StatusCode())
	r.endCall(code)
	r.field = code.Append(r.field[:0])
	h.SetCanonical(nameGRPCStatus, r.field)
	r.field = append(r.field[:0], "The upstream gave no gRPC answer, but HTTP status "...)
	r.field = append(strconv.AppendInt(r.field, int64(h.StatusCode()), 10), '.')
	h.SetCanonical(nameGRPCMessage, r.field)
}

// translateHead makes the head of an answer one of gRPC-Web. A status in it
// moves behind the content, where a browser can see it whatever the page's
// origin is.
func (r *request) translateHead() {
	h, a := &r.x.Response, &r.grpc.answer
	r.field = grpc.AppendContentType(r.field[:0], r.grpc.wants, h.ContentType())
	h.SetContentTypeBytes(r.field)
	h.DelBytes(nameTrailer)
	a.lines = a.lines[:0]
	if value := h.PeekCanonical(nameGRPCStatus); len(value) > 0 {
		a.lines = grpc.AppendField(a.lines, grpc.StatusField, value)
		if value := h.PeekCanonical(nameGRPCMessage); len(value) > 0 {
			a.lines = grpc.AppendField(a.lines, grpc.MessageField, value)
		}
		if value := h.PeekCanonical(nameGRPCDetails); len(value) > 0 {
			a.lines = grpc.AppendField(a.lines, grpc.DetailsField, value)
		}
		h.DelBytes(nameGRPCStatus)
		h.DelBytes(nameGRPCMessage)
		h.DelBytes(nameGRPCDetails)
	}
}

// grpcAnswer is the content of an answer to a call, on its way from the
// upstream to the client. It sees how the call ends, ends it with a status when
// the upstream fails, and writes gRPC-Web where that is asked for.
type grpcAnswer struct {
	body  exchange.Body
	taker taker // body, where its content can be had without copying it
	r     *request
	ended bool   // of body nothing more comes
	lines []byte // trailer field lines that the gateway has put together
	tail  []byte // trailer field lines for the client
	raw   []byte // content before it becomes text
	out   []byte // text or frame that waits to be read
	at    int    // how much of out was read
}

// rawSize is how much is turned into text at once: a multiple of three, so that
// content that is there has no padding in it.
const rawSize = 12 << 10

// taker is content that can be had without copying it.
type taker interface{ Take() []byte }

func (a *grpcAnswer) begin(r *request, body exchange.Body) {
	a.body, a.r, a.ended, a.tail, a.out, a.at = body, r, false, nil, a.out[:0], 0
	if !r.grpc.translated {
		a.lines = a.lines[:0]
	}
	if r.grpc.wants != grpc.WebText {
		a.taker, _ = body.(taker)
	} else if a.raw == nil {
		a.raw = make([]byte, rawSize)
	}
}

func (a *grpcAnswer) reset() {
	a.body, a.taker, a.r, a.tail = nil, nil, nil, nil
	a.lines, a.out, a.at = a.lines[:0], a.out[:0], 0
}

// Read implements io.Reader. An upstream that fails is no error here: the
// answer ends, and its status tells.
func (a *grpcAnswer) Read(p []byte) (int, error) {
	if n := a.take(p); n > 0 {
		return n, nil
	}
	if a.ended {
		return 0, io.EOF
	}
	n, err := a.readContent(p)
	if err != nil && !a.body.Done() {
		if errors.Is(err, wire.ErrAbandoned) || a.r.x.Front.Gone() {
			return n, wire.ErrAbandoned // whatever broke, it broke because the client left
		}
		a.fail(err)
	}
	a.follow()
	n += a.take(p[n:])
	if n == 0 && a.Done() {
		return 0, io.EOF
	}
	return n, nil
}

// Take returns content that is there already, without copying it. It is valid
// until the next call.
func (a *grpcAnswer) Take() []byte {
	if a.at < len(a.out) {
		p := a.out[a.at:]
		a.at = len(a.out)
		return p
	}
	if a.ended || a.taker == nil {
		return nil
	}
	return a.taker.Take()
}

// readContent reads into p, or into out what becomes text.
func (a *grpcAnswer) readContent(p []byte) (int, error) {
	if a.r.grpc.wants != grpc.WebText {
		return a.body.Read(p)
	}
	n, err := a.body.Read(a.raw)
	a.out, a.at = grpc.AppendText(a.out[:0], a.raw[:n]), 0
	return 0, err
}

func (a *grpcAnswer) take(p []byte) int {
	n := copy(p, a.out[a.at:])
	a.at += n
	return n
}

// follow ends the answer when the upstream has ended it.
func (a *grpcAnswer) follow() {
	if a.ended || a.body == nil || !a.body.Done() {
		return
	}
	a.ended = true
	trailers := a.body.Trailers()
	if code, ok := grpc.StatusOf(trailers); ok {
		a.r.endCall(code)
	}
	if !a.r.grpc.translated {
		a.tail = trailers
		return
	}
	a.out = a.appendEnd(a.out, a.r, trailers) // behind what Take may just have lent
}

// fail ends the answer because err kept the upstream from doing so.
func (a *grpcAnswer) fail(err error) {
	r := a.r
	a.ended = true
	if r.x.Cause == nil {
		r.x.Cause = err
	}
	refusal := refusalOfContent(err)
	code := r.codeOf(refusal)
	r.endCall(code)
	a.lines = grpc.AppendStatus(a.lines[:0], code, refusal.Title)
	if !r.grpc.translated {
		a.tail = a.lines
		return
	}
	a.out = a.appendEnd(a.out, r, nil)
}

// appendEnd appends the frame that ends an answer of gRPC-Web, with the lines
// that were put together and the trailers that came.
func (a *grpcAnswer) appendEnd(dst []byte, r *request, trailers []byte) []byte {
	a.lines = append(a.lines, trailers...)
	if r.grpc.status == observe.NoGRPCStatus {
		r.endCall(grpc.Unknown)
		a.lines = grpc.AppendStatus(a.lines, grpc.Unknown, "The upstream's answer has no status.")
	}
	if r.grpc.wants != grpc.WebText {
		return grpc.AppendTrailerFrame(dst, a.lines)
	}
	from := len(a.lines)
	a.lines = grpc.AppendTrailerFrame(a.lines, a.lines[:from])
	return grpc.AppendText(dst, a.lines[from:])
}

// Done tells whether content and end were read.
func (a *grpcAnswer) Done() bool {
	a.follow()
	return a.ended && a.at == len(a.out)
}

// Ready tells whether Read would return without waiting.
func (a *grpcAnswer) Ready() bool { return a.ended || a.at < len(a.out) || a.body.Ready() }

// Trailers returns the trailers; gRPC-Web has none.
func (a *grpcAnswer) Trailers() []byte { return a.tail }

// Close gives up what is unread.
func (a *grpcAnswer) Close() error {
	body := a.body
	a.body = nil
	if body == nil {
		return nil
	}
	return body.Close()
}

// grpcText is the body of a request in the text form of gRPC-Web, decoded.
type grpcText struct {
	exchange.Body
	text grpc.Text
}

func (b *grpcText) begin(body exchange.Body) {
	b.Body = body
	b.text.Begin(body)
}

var faultText = &wire.Fault{Status: 400, Reason: grpc.ErrText.Error()}

// Read implements io.Reader: the decoded content.
func (b *grpcText) Read(p []byte) (int, error) {
	n, err := b.text.Read(p)
	if err == grpc.ErrText {
		err = faultText
	}
	return n, err
}

// Done tells whether everything was read and decoded.
func (b *grpcText) Done() bool { return b.Body.Done() && b.text.Whole() }

// Ready tells whether Read would return without waiting.
func (b *grpcText) Ready() bool { return b.text.Pending() || b.Body.Ready() }

// Count returns how many bytes of text were read.
func (b *grpcText) Count() int64 {
	if counted, ok := b.Body.(interface{ Count() int64 }); ok {
		return counted.Count()
	}
	return 0
}

var (
	_ exchange.Body = (*grpcAnswer)(nil)
	_ exchange.Body = (*grpcText)(nil)
)
