package proxy

import (
	"errors"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/grpc"
	"weir/proxy/observe"
)

// grpcCall is what a request is as a gRPC call. The zero value is none. It
// keeps memory for the next one.
type grpcCall struct {
	kind       grpc.Kind // of the request as it came
	wants      grpc.Kind // of the answer that the client takes
	translated bool      // the route makes gRPC of gRPC-Web
	deadline   time.Time // when grpc-timeout is over, zero without one
	isBound    bool      // it ends the exchange before any limit of the route
	status     observe.GRPCStatus

	text   *grpcText // the request's body, where it comes as text
	answer grpcAnswer
}

func (c *grpcCall) reset() {
	c.kind, c.wants, c.translated, c.status = grpc.None, grpc.None, false, 0
	c.deadline, c.isBound = time.Time{}, false
	if c.text != nil {
		c.text.Body = nil
		c.text.text.Begin(nil)
	}
	c.answer.reset()
}

var (
	nameGRPCTimeout = []byte("Grpc-Timeout")
	nameGRPCStatus  = []byte("Grpc-Status")
	nameGRPCMessage = []byte("Grpc-Message")
	nameGRPCDetails = []byte("Grpc-Status-Details-Bin")
	nameAccept      = []byte("Accept")
	nameRPCWeb      = []byte("X-Grpc-Web")
	nameTrailer     = []byte("Trailer")
)

var errGRPCTimeout = errors.New("grpc-timeout is malformed")

// recognize finds out whether the request is a call: all of them are POSTs.
func (r *request) recognize() {
	h := &r.x.Request
	kind := grpc.KindOf(h.ContentType())
	if kind == grpc.None || !h.IsPost() {
		return
	}
	r.grpc.kind, r.grpc.wants = kind, kind
	if kind.IsWeb() {
		r.grpc.wants = grpc.Wants(kind, h.PeekCanonical(nameAccept))
	}
}

// prepareCall reads until when a call must be over, and makes gRPC of gRPC-Web
// where the route says so.
func (r *request) prepareCall() bool {
	x, c := r.x, &r.grpc
	if value := x.Request.PeekCanonical(nameGRPCTimeout); len(value) > 0 {
		timeout, ok := grpc.ParseTimeout(value)
		if !ok {
			return r.refuse(exchange.BadRequest, errGRPCTimeout)
		}
		c.deadline = x.Start.Add(timeout)
	}
	if !r.route.grpcWeb || !c.kind.IsWeb() {
		return true
	}
	c.translated = true
	r.field = grpc.AppendContentType(r.field[:0], grpc.Native, x.Request.ContentType())
	x.Request.SetContentTypeBytes(r.field)
	x.Request.DelBytes(nameAccept) // it speaks of a form that the upstream does not have
	x.Request.DelBytes(nameRPCWeb)
	x.Request.SetCanonical(nameTE, trailers) // a browser cannot send it, and servers insist
	return true
}

// decodeCall makes bytes of the body of a call that comes as text: at once of
// what was gathered, else as it is sent on.
func (r *request) decodeCall() bool {
	x, c := r.x, &r.grpc
	if !c.translated || c.kind != grpc.WebText || x.RequestBody == nil {
		return true
	}
	if x.RequestBytes != nil {
		var err error
		if x.RequestBytes, err = grpc.DecodeText(x.RequestBytes); err != nil {
			return r.refuse(exchange.BadRequest, err)
		}
		return true
	}
	if c.text == nil {
		c.text = &grpcText{}
	}
	c.text.begin(x.RequestBody)
	x.RequestBody, x.RequestLength = c.text, exchange.Chunked
	return true
}

// refuse refuses the request for a reason that only the log gets.
func (r *request) refuse(refusal *exchange.Refusal, cause error) bool {
	r.x.Cause = cause
	return r.x.Refuse(refusal)
}

// usedEnough is the part of a deadline from which on the upstream is told what
// is left: less is noise, and the client's own words can stay.
const usedEnough = 100

// boundCall limits the exchange by the deadline of the call, and tells the
// upstream how much of it is left.
func (r *request) boundCall() bool {
	x, c := r.x, &r.grpc
	if c.deadline.IsZero() {
		return true
	}
	now := time.Now()
	whole, left := c.deadline.Sub(x.Start), c.deadline.Sub(now)
	c.isBound = r.call.Total == 0 || whole <= r.call.Total
	tell := now.Sub(x.Start) > whole/usedEnough
	if c.isBound {
		r.call.Total = max(whole, 1)
	} else {
		left, tell = x.Start.Add(r.call.Total).Sub(now), true
	}
	if left <= 0 {
		return x.Refuse(exchange.TotalTimeout)
	}
	if r.call.Connect <= 0 || left < r.call.Connect {
		r.call.Connect = left
	}
	if tell {
		x.Request.DelBytes(nameGRPCTimeout) // or lines after the first would stay
		r.field = grpc.AppendTimeout(r.field[:0], left)
		x.Request.SetCanonical(nameGRPCTimeout, r.field)
	}
	return true
}

// codeOf returns the status of a call that the gateway ends itself. Whatever
// went wrong once the deadline was over, that is what ended it.
func (r *request) codeOf(refusal *exchange.Refusal) grpc.Code {
	c := &r.grpc
	code := grpc.OfRefusal(refusal)
	if code != grpc.Unavailable || c.deadline.IsZero() {
		return code
	}
	if (c.isBound && refusal == exchange.TotalTimeout) || !time.Now().Before(c.deadline) {
		return grpc.DeadlineExceeded
	}
	return code
}

// refuseCall writes the answer of a refusal for a call: a head that holds the
// status, and no content (PROTOCOL-HTTP2, Trailers-Only; PROTOCOL-WEB has the
// same).
func (r *request) refuseCall() {
	x, refusal := r.x, r.x.Refusal
	h := &x.Response
	h.SetStatusCode(200)
	r.field = grpc.AppendContentType(r.field[:0], r.grpc.wants, x.Request.ContentType())
	h.SetContentTypeBytes(r.field)
	code := r.codeOf(refusal)
	r.endCall(code)
	r.field = code.Append(r.field[:0])
	h.SetCanonical(nameGRPCStatus, r.field)
	r.field = grpc.AppendMessage(r.field[:0], refusal.Title)
	h.SetCanonical(nameGRPCMessage, r.field)
	if len(x.RequestID) > 0 {
		h.SetCanonical(nameRequestID, x.RequestID)
	}
	if r.grpc.wants.IsWeb() && r.route != nil {
		// A browser shows a page of another origin only what these fields allow.
		r.route.responseHeaders.applyToResponse(h)
	}
	x.Bytes = nil
}

func (r *request) endCall(code grpc.Code) { r.grpc.status = observe.GRPCStatusOf(uint8(code)) }

// callEnd returns how the call ended, for metrics and log.
func (r *request) callEnd() observe.GRPCStatus {
	if r.grpc.status == observe.NoGRPCStatus && r.x.Aborted {
		return observe.GRPCStatusOf(uint8(grpc.Cancelled))
	}
	return r.grpc.status
}
