package exchange

import (
	"errors"
	"io"
	"net/netip"
	"time"

	"github.com/valyala/fasthttp"
)

// Chunked is the length of a body whose end is not known ahead.
const Chunked int64 = -1

// ErrUnsent is what Front.Send returns when an answer's content failed before
// any byte of the answer was sent: another answer can take its place.
var ErrUnsent = errors.New("nothing of the answer was sent")

// ErrUnopened goes with ErrUnsent where the upstream has opened no tunnel
// although its answer says so, or where it says success without one.
var ErrUnopened = errors.New("the upstream opened no WebSocket")

// Body is the content of a message as it arrives. Read returns io.EOF only
// when the content is whole. It is used by one goroutine at a time.
type Body interface {
	io.Reader
	// Done tells whether everything was read, without waiting.
	Done() bool
	// Ready tells whether Read would return without waiting.
	Ready() bool
	// Trailers returns the trailer field lines, each ended by CRLF, once Done.
	Trailers() []byte
	// Close gives up what is unread and frees what the body stands on.
	Close() error
}

// Front is the front end that an exchange came in by.
type Front interface {
	// Interim sends a 1xx answer ahead of the final one (RFC 9110 §15.2).
	Interim(h *fasthttp.ResponseHeader) error
	// Gone tells whether the client has left. Any goroutine may ask.
	Gone() bool
	// Notify has w.Wake called when the client leaves, where the front end learns
	// of it by itself; nil takes that back. Without it, Gone has to be asked.
	Notify(w Waker)
	// StopBody ends a read of the request body that another goroutine is in.
	StopBody()
	// Send sends the answer of x, its stream or tunnel included, and returns
	// when all is sent or cannot be.
	Send(x *Exchange) error
}

// Waker is told that something is to be looked at again. Wake must not wait,
// may be called by any goroutine, and once more than it should have been.
type Waker interface{ Wake() }

// Exchange is one request and its answer. Front ends pool it: whatever it
// holds is valid until the way ends. It is used by one goroutine at a time.
type Exchange struct {
	// Set by the front end.

	Front     Front
	Start     time.Time // when the head was complete; carries monotonic time
	Shard     int       // of the connection, fixed when it was accepted
	Listener  string    // name in the document
	Protocol  string    // "HTTP/1.1"
	Secure    bool      // came in over TLS
	TLS       *TLS      // of the connection, nil in clear
	Peer      netip.AddrPort
	Malformed *Malformed // the request cannot be served; nothing else is set

	Request       fasthttp.RequestHeader
	Target        []byte // request target in origin form, as received
	Authority     []byte // host and port that the request names (RFC 9110 §7.1)
	Plain         bool   // none of its fields concerns caches; false where that is not known
	RequestLength int64  // bytes, 0 without a body, or Chunked
	RequestBody   Body   // nil without a body
	RequestBytes  []byte // the whole body, once buffered; RequestBody is then done
	Old           bool   // HTTP/1.0: no interim answers, no chunks
	MaxBody       int64  // limit of the request body, -1 for none; reads beyond it fail with ErrBodyTooLarge

	// Set by the steps.

	Client    netip.Addr // who sent it, trusted proxies looked through
	Scheme    string     // "http" or "https", as the client used it
	Path      []byte     // canonical path
	Query     []byte     // after '?', as received
	HasQuery  bool
	RequestID []byte

	Response fasthttp.ResponseHeader // the answer's head; framing fields are the front end's
	Lines    []byte                  // further fields of the answer's head, each line ended by CRLF; Date among them, none that frames it; not to be changed
	Bytes    []byte                  // the answer's whole content, or
	Stream   Body                    // the answer's content as it comes, or
	Tunnel   io.ReadWriteCloser      // the connection that a 101 leads to
	Length   int64                   // of Stream: bytes or Chunked
	Refusal  *Refusal                // why the gateway answered itself, nil otherwise
	Cause    error                   // what went wrong inside, for the log, never for the client
	Limits   TunnelLimits

	// Counted on the way, for log and metrics.

	BytesIn, BytesOut int64
	Upstream, Address string // names of the upstream and of its target
	UpstreamStatus    int
	Dialed, Reused    bool
	Retries           int
	FirstByte         time.Duration // from Start to the upstream's final head
	Aborted           bool          // the client left before its answer was whole
}

// TunnelLimits bounds a tunnel; zero means no limit.
type TunnelLimits struct{ Idle, Total time.Duration }

// Malformed is a request that broke the rules of its protocol.
type Malformed struct {
	Status int
	Reason string
}

// Reset makes x ready for the next request. Buffers keep their memory.
func (x *Exchange) Reset() {
	x.Request.Reset()
	x.Response.Reset()
	target, authority, path, id := x.Target[:0], x.Authority[:0], x.Path[:0], x.RequestID[:0]
	x.Front, x.Start, x.Malformed = nil, time.Time{}, nil
	x.Target, x.Authority, x.Path, x.RequestID = target, authority, path, id
	x.RequestLength, x.RequestBody, x.RequestBytes = 0, nil, nil
	x.Plain, x.Old, x.Secure, x.TLS, x.MaxBody = false, false, false, nil, 0
	x.Client, x.Peer, x.Scheme, x.Query, x.HasQuery = netip.Addr{}, netip.AddrPort{}, "", nil, false
	x.Listener, x.Protocol, x.Shard = "", "", 0
	x.Lines, x.Bytes, x.Stream, x.Tunnel, x.Length, x.Refusal, x.Cause, x.Limits = nil, nil, nil, nil, 0, nil, nil, TunnelLimits{}
	x.BytesIn, x.BytesOut, x.Upstream, x.Address, x.UpstreamStatus = 0, 0, "", "", 0
	x.Dialed, x.Reused, x.Retries, x.FirstByte, x.Aborted = false, false, 0, 0, false
}

// Refuse makes r the answer of x and returns false, so that a step can end
// the way with it. What was set of another answer is given up.
func (x *Exchange) Refuse(r *Refusal) bool {
	if x.Stream != nil {
		_ = x.Stream.Close()
		x.Stream = nil
	}
	if x.Tunnel != nil {
		_ = x.Tunnel.Close()
		x.Tunnel = nil
	}
	x.Lines, x.Bytes, x.Length, x.Refusal = nil, nil, 0, r
	return false
}
