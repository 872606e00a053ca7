package observe

import (
	"net/netip"
	"time"
)

// Record is what is known of one request when it ends. The zero value of a field
// means that it is not known. Its bytes are borrowed for the length of the call
// that it is handed to; they are read once and never kept.
type Record struct {
	Shard int // of the connection, counted from 0

	Start             time.Time
	Took              time.Duration // until the last byte of the answer was handed to the kernel
	UpstreamFirstByte time.Duration // from sending to the upstream until the first byte of its answer
	UpstreamTotal     time.Duration // from sending to the upstream until the last byte of its answer

	Client   netip.Addr     // whom weir believes to be calling, after trusted proxies
	Peer     netip.AddrPort // the other end of the connection
	Listener string
	Scheme   string // http or https
	Protocol string // HTTP/1.1, HTTP/2.0, ...
	TLS      string // version of the connection, e.g. TLSv1.3; "" in clear

	Method        []byte
	Host          []byte
	RequestTarget []byte // path and query as received
	Path          []byte // the canonical path

	API          string
	Stage        string
	Route        string // path pattern
	RouteKey     string // method and pattern, as in "GET /pets/{id}" or "$default"
	ResourceID   string
	DeploymentID string
	Domain       string // domain name of the document that matched
	BasePath     string // base path mapping that matched
	Canary       bool

	Status   int
	GRPC     GRPCStatus
	BytesIn  int64 // of the request's body
	BytesOut int64 // of the answer's body

	UpstreamName     string
	Target           string // address that answered last
	UpstreamStatus   int
	UpstreamError    string
	UpstreamID       []byte // the request id that the upstream answered with
	Retries          int
	ConnectionReused bool // the request went over a pooled connection

	RequestID   []byte
	ExtendedID  []byte // RequestID stands in when it is empty
	TraceParent []byte // W3C Trace Context
	UserAgent   []byte
	Referer     []byte

	Limit     string // that refused the request
	UsagePlan string // id of the plan that the caller's API key has for the stage

	Identity   Identity
	Authorizer Authorizer

	Cause           string // of a refusal or failure, e.g. "no_route"; "" when there is none
	ErrorMessage    string // what was wrong with the request or its client
	ErrorType       string // AWS's gateway response type, e.g. THROTTLED
	ValidationError string
	WAFAction       string // WAF_ALLOW, WAF_BLOCK, or "" where no rules apply

	CacheResult CacheResult
	CacheAge    time.Duration // of an answer that came out of the cache

	ConnectionID []byte // of a WebSocket, as are the next three
	EventType    string
	MessageID    []byte
	ConnectedAt  time.Time

	Aborted  bool // the client left before the end of the answer
	Upgraded bool // the connection became a tunnel
}

// Identity is who called, as far as authentication has told.
type Identity struct {
	AccountID         string
	APIKeyID          string
	Caller            string
	User              string
	UserARN           string
	ClientCertSubject string
	ClientCertIssuer  string
	ClientCertSerial  string

	ClientCertPEM                           string
	ClientCertNotBefore, ClientCertNotAfter string
}

// Authorizer is what became of the authorizer's work.
type Authorizer struct {
	Principal  string
	Error      string
	Status     int           // that the gateway made of it, e.g. 200, 401 or 403
	Took       time.Duration // 0 when no authorizer ran
	Properties Properties    // nil when it gave none
}

// Properties are the named values that an authorizer hands on: the claims of a
// token, or the context of a Lambda authorizer. A name may begin with "claims.".
type Properties interface {
	// AppendProperty appends the raw value of name to dst, or returns dst as it is.
	AppendProperty(dst []byte, name string) []byte
}

// isFailure tells whether a line must be kept by every sampling.
func (r *Record) isFailure() bool {
	return r.Status >= 400 || r.Status == 0 || r.Aborted || r.Cause != "" || r.GRPC.isFailure()
}
