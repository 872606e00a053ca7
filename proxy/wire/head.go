package wire

import (
	"bytes"

	"weir/cache/policy"
)

// Fault is why a message head or body is refused. Faults are constants, so
// that refusing hostile input allocates nothing.
type Fault struct {
	Status int    // what a client is answered; for an upstream's message it is always 502
	Reason string // for people, without any byte of the message
}

func (f *Fault) Error() string { return f.Reason }

var (
	faultTLS          = &Fault{400, "TLS on a port that is in clear; use http, or a listener with tls"}
	faultRequestLine  = &Fault{400, "malformed request line"}
	faultMethod       = &Fault{400, "method is not a token"}
	faultTarget       = &Fault{400, "malformed request target"}
	faultFragment     = &Fault{400, "fragment in request target"}
	faultScheme       = &Fault{400, "request target has a scheme other than http or https"}
	faultUserinfo     = &Fault{400, "userinfo in authority"}
	faultTargetLong   = &Fault{414, "request target is too long"}
	faultVersion      = &Fault{505, "HTTP version is not supported"}
	faultHeadLong     = &Fault{431, "header section is too large"}
	faultFieldsMany   = &Fault{431, "too many header fields"}
	faultBareLF       = &Fault{400, "line ends with a bare LF"}
	faultFold         = &Fault{400, "obsolete line folding"}
	faultName         = &Fault{400, "malformed header field name"}
	faultValue        = &Fault{400, "control character in header field value"}
	faultHostMissing  = &Fault{400, "Host is missing"}
	faultHostTwice    = &Fault{400, "more than one Host"}
	faultHost         = &Fault{400, "malformed Host"}
	faultLength       = &Fault{400, "malformed Content-Length"}
	faultLengthTwice  = &Fault{400, "more than one Content-Length"}
	faultBothFramings = &Fault{400, "both Content-Length and Transfer-Encoding"}
	faultCodingTwice  = &Fault{400, "more than one Transfer-Encoding"}
	faultCoding       = &Fault{400, "malformed Transfer-Encoding"}
	faultCodingOther  = &Fault{501, "transfer coding is not supported"}
	faultCodingOld    = &Fault{400, "Transfer-Encoding in an HTTP/1.0 message"}
	faultExpect       = &Fault{417, "expectation is not supported"}
	faultStatusLine   = &Fault{502, "malformed status line"}
)

// Limits bounds one message head. All are bytes or counts; zero means no limit.
type Limits struct {
	Head   int // whole head, start line and empty line included
	Target int // request target
	Fields int // header fields
}

// Chunked is the Length of a message whose end is told by its chunks, Unknown
// of an answer that ends with its connection.
const (
	Chunked int64 = -1
	Unknown int64 = -2
)

// methodMax is longer than any registered method; what is longer than that is
// no HTTP.
const methodMax = 64

// Head is what the strict pass learned of one message head. The zero value is
// ready; Reset makes it so again. Not safe for concurrent use.
type Head struct {
	Len    int   // bytes of the head, once complete
	Minor  int   // HTTP/1.Minor
	Status int   // of an answer
	Length int64 // of the body: bytes, Chunked or Unknown
	Fields int   // header fields seen

	Method, Target    span // of a request
	HasHost, Absolute bool
	Continue          bool // Expect: 100-continue
	Upgrade           bool // an Upgrade field is there
	Connection        bool // a field that speaks of the connection is there, Upgrade aside
	Caching           bool // a field that concerns caches is there
	Close, KeepAlive  bool // options that Connection names (RFC 9110 §7.6.1)

	line                int // start of the first line that was not yet checked
	scanned             int // no LF before this offset behind line
	started             bool
	hasLength, hasCoded bool
}

type span struct{ From, To int }

// Of returns the bytes of b that s names.
func (s span) Of(b []byte) []byte { return b[s.From:s.To] }

// HasLength tells whether Content-Length is there.
func (h *Head) HasLength() bool { return h.hasLength }

// Reset forgets the message.
func (h *Head) Reset() { *h = Head{} }

// ScanRequest checks the request head at the start of b (RFC 9112 §2 to §6)
// and returns true once it is complete, which h.Len then measures. With false
// and no fault it wants to be called again with more bytes; what was checked
// is not checked again.
func (h *Head) ScanRequest(b []byte, lim *Limits) (bool, *Fault) {
	if !h.started && len(b) > 1 && b[0] == 0x16 && b[1] == 3 { // a TLS record (RFC 8446 §5.1)
		return false, faultTLS
	}
	return h.scan(b, lim, true)
}

// ScanResponse does the same for the head of an answer.
func (h *Head) ScanResponse(b []byte, lim *Limits) (bool, *Fault) {
	return h.scan(b, lim, false)
}

func (h *Head) scan(b []byte, lim *Limits, request bool) (bool, *Fault) {
	for {
		lf := bytes.IndexByte(b[h.scanned:], '\n')
		if lf < 0 {
			h.scanned = len(b)
			return false, h.partial(b, lim, request)
		}
		end := h.scanned + lf
		line := b[h.line:end]
		if lim.Head > 0 && end+1 > lim.Head {
			return false, h.tooLong(b, lim, request)
		}
		if len(line) == 0 || line[len(line)-1] != '\r' {
			return false, faultBareLF
		}
		line = line[:len(line)-1]
		h.scanned = end + 1
		if !h.started {
			h.started = true
			if f := h.startLine(line, lim, request); f != nil {
				return false, f
			}
			h.line = end + 1
			continue
		}
		h.line = end + 1
		if len(line) == 0 {
			h.Len = end + 1
			return true, h.finish(request)
		}
		if h.Fields++; lim.Fields > 0 && h.Fields > lim.Fields {
			return false, faultFieldsMany
		}
		if f := h.field(line, request); f != nil {
			return false, f
		}
	}
}

// partial judges what is there of a head that is not complete.
func (h *Head) partial(b []byte, lim *Limits, request bool) *Fault {
	if lim.Head > 0 && len(b) >= lim.Head {
		return h.tooLong(b, lim, request)
	}
	if request && !h.started {
		return startsLikeRequest(b, lim)
	}
	return nil
}

// tooLong tells a target that is too long from a head that is.
func (h *Head) tooLong(b []byte, lim *Limits, request bool) *Fault {
	if request && !h.started && lim.Target > 0 {
		if f := startsLikeRequest(b, lim); f != nil {
			return f
		}
	}
	return faultHeadLong
}

// startsLikeRequest refuses early what can no longer become a request line, so
// that a TLS hello or another protocol is not waited for until its time limit.
func startsLikeRequest(b []byte, lim *Limits) *Fault {
	i := 0
	for i < len(b) && isToken[b[i]] {
		i++
	}
	if i > methodMax {
		return faultMethod
	}
	if i == len(b) {
		return nil
	}
	if i == 0 || b[i] != ' ' {
		if i == len(b)-1 && b[i] == '\r' {
			return nil
		}
		return faultRequestLine
	}
	target := b[i+1:]
	if sp := bytes.IndexByte(target, ' '); sp >= 0 {
		target = target[:sp]
	}
	if lim.Target > 0 && len(target) > lim.Target {
		return faultTargetLong
	}
	return nil
}

func (h *Head) startLine(line []byte, lim *Limits, request bool) *Fault {
	if request {
		return h.requestLine(line, lim)
	}
	return h.statusLine(line)
}

// requestLine checks method SP request-target SP HTTP-version (RFC 9112 §3).
func (h *Head) requestLine(line []byte, lim *Limits) *Fault {
	i := 0
	for i < len(line) && isToken[line[i]] {
		i++
	}
	if i == 0 || i > methodMax || i == len(line) || line[i] != ' ' {
		return faultMethod
	}
	h.Method = span{0, i}
	from := i + 1
	i = from
	for i < len(line) && isTarget[line[i]] {
		i++
	}
	if lim.Target > 0 && i-from > lim.Target {
		return faultTargetLong
	}
	if i < len(line) && line[i] == '#' {
		return faultFragment
	}
	if i == from || i == len(line) || line[i] != ' ' {
		return faultTarget
	}
	h.Target = span{from, i}
	if f := h.version(line[i+1:]); f != nil {
		return f
	}
	return h.targetForm(line)
}

// targetForm checks the form of the target against the method (RFC 9112 §3.2).
func (h *Head) targetForm(line []byte) *Fault {
	method, target := h.Method.Of(line), h.Target.Of(line)
	switch {
	case target[0] == '/':
		if string(method) == "CONNECT" {
			return faultTarget
		}
		return nil
	case string(method) == "CONNECT":
		return checkAuthority(target)
	case string(target) == "*":
		if string(method) != "OPTIONS" {
			return faultTarget
		}
		return nil
	}
	at := bytes.Index(target, []byte("://"))
	if at < 0 {
		return faultTarget
	}
	if !equalFold(target[:at], "http") && !equalFold(target[:at], "https") {
		return faultScheme
	}
	h.Absolute = true
	authority := target[at+3:]
	if i := bytes.IndexAny(authority, "/?"); i >= 0 {
		authority = authority[:i]
	}
	return checkAuthority(authority)
}

// version checks HTTP-version (RFC 9112 §2.3). A higher minor version is
// served as 1.1 (RFC 9110 §2.5).
func (h *Head) version(v []byte) *Fault {
	if len(v) != 8 || string(v[:5]) != "HTTP/" || v[6] != '.' || !isDigit(v[5]) || !isDigit(v[7]) {
		return faultRequestLine
	}
	if v[5] != '1' {
		return faultVersion
	}
	h.Minor = min(int(v[7]-'0'), 1)
	return nil
}

// statusLine checks HTTP-version SP status-code SP [reason] (RFC 9112 §4).
func (h *Head) statusLine(line []byte) *Fault {
	if len(line) < 12 || h.version(line[:8]) != nil || line[8] != ' ' {
		return faultStatusLine
	}
	code := line[9:12]
	if !isDigit(code[0]) || !isDigit(code[1]) || !isDigit(code[2]) || (len(line) > 12 && line[12] != ' ') {
		return faultStatusLine
	}
	h.Status = int(code[0]-'0')*100 + int(code[1]-'0')*10 + int(code[2]-'0')
	if h.Status < 100 || h.Status > 599 || !cleanValue(line[12:]) {
		return faultStatusLine
	}
	h.Length = Unknown
	return nil
}

// field checks one field line (RFC 9112 §5) and notes what frames the message.
func (h *Head) field(line []byte, request bool) *Fault {
	i := 0
	for i < len(line) && isToken[line[i]] {
		i++
	}
	if i == 0 || i == len(line) || line[i] != ':' {
		if line[0] == ' ' || line[0] == '\t' {
			return faultFold
		}
		return faultName
	}
	name, value := line[:i], line[i+1:]
	if !cleanValue(value) {
		return faultValue
	}
	h.Caching = h.Caching || request && policy.Concerns(name)
	switch len(name) {
	case len("Host"):
		if request && equalFold(name, "Host") {
			return h.host(trim(value))
		}
	case len("Expect"):
		if request && equalFold(name, "Expect") {
			if !equalFold(trim(value), "100-continue") {
				return faultExpect
			}
			h.Continue = true
		}
	case len("Upgrade"):
		h.Upgrade = h.Upgrade || equalFold(name, "Upgrade")
	case len("Connection"): // and of Keep-Alive
		if equalFold(name, "Connection") {
			h.options(value)
		}
		h.Connection = h.Connection || equalFold(name, "Keep-Alive")
	case len("Proxy-Authenticate"):
		h.Connection = h.Connection || equalFold(name, "Proxy-Authenticate")
	case len("Proxy-Connection"):
		h.Connection = h.Connection || equalFold(name, "Proxy-Connection")
	case len("Content-Length"):
		if equalFold(name, "Content-Length") {
			return h.length(trim(value))
		}
	case len("Transfer-Encoding"):
		if equalFold(name, "Transfer-Encoding") {
			return h.coding(trim(value))
		}
	}
	return nil
}

// options notes what a Connection field says of the connection's future.
func (h *Head) options(value []byte) {
	h.Connection = true
	for len(value) > 0 {
		option := value
		if comma := bytes.IndexByte(value, ','); comma >= 0 {
			option, value = value[:comma], value[comma+1:]
		} else {
			value = nil
		}
		option = trim(option)
		h.Close = h.Close || equalFold(option, "close")
		h.KeepAlive = h.KeepAlive || equalFold(option, "keep-alive")
	}
}

func (h *Head) host(value []byte) *Fault {
	if h.HasHost {
		return faultHostTwice
	}
	h.HasHost = true
	return checkAuthority(value)
}

func (h *Head) length(value []byte) *Fault {
	if h.hasLength {
		return faultLengthTwice
	}
	h.hasLength = true
	n, ok := parseDecimal(value)
	if !ok {
		return faultLength
	}
	if !h.hasCoded {
		h.Length = n
	}
	return nil
}

func (h *Head) coding(value []byte) *Fault {
	if h.hasCoded {
		return faultCodingTwice
	}
	h.hasCoded = true
	if equalFold(value, "chunked") {
		h.Length = Chunked
		return nil
	}
	if len(value) == 0 || equalFold(value, "identity") {
		return faultCoding
	}
	for _, c := range value {
		if !isToken[c] && c != ',' && c != ' ' && c != '\t' {
			return faultCoding
		}
	}
	if bytes.Count(bytes.ToLower(value), []byte("chunked")) > 1 {
		return faultCoding
	}
	return faultCodingOther
}

// finish judges the head as a whole (RFC 9112 §3.2, §6.1, §6.3).
func (h *Head) finish(request bool) *Fault {
	if h.hasLength && h.hasCoded {
		return faultBothFramings
	}
	if h.hasCoded && h.Minor == 0 {
		return faultCodingOld
	}
	if request && !h.HasHost && h.Minor > 0 {
		return faultHostMissing
	}
	return nil
}
