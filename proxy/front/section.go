package front

import (
	"bytes"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// Section gathers the field section of a request of HTTP/2 or HTTP/3 and makes
// an exchange of it. It writes the HTTP/1.1 head that says the same and has
// wire check that one: what HTTP/1.1 refuses can come in by no other protocol.
// Begin makes it ready. Not safe for concurrent use.
type Section struct {
	readers *wire.Readers
	limits  *wire.Limits

	text    []byte    // the head
	lines   []byte    // its field lines
	kept    []byte    // values of pseudo fields and Host
	crumbs  []byte    // values of Cookie, joined
	value   [kinds]at // where they lie in kept
	seen    uint16    // a bit for each kind
	plain   bool      // a field that is no pseudo field was seen
	keyed   bool      // a WebSocket version was sent
	expects bool      // Expect was sent
	fault   *wire.Fault
	head    wire.Head
	in      bytes.Reader
}

type at struct{ from, to int }

// kind is a field that is kept aside until all are there.
type kind uint8

const (
	method kind = iota
	scheme
	authority
	path
	protocol
	host
	kinds
)

var (
	faultPseudo     = &wire.Fault{Status: 400, Reason: "unknown pseudo-header field"}
	faultPseudoLate = &wire.Fault{Status: 400, Reason: "pseudo-header field after other fields"}
	faultTwice      = &wire.Fault{Status: 400, Reason: "more than one of a pseudo-header field or Host"}
	faultMissing    = &wire.Fault{Status: 400, Reason: "pseudo-header field is missing"}
	faultUnasked    = &wire.Fault{Status: 400, Reason: "pseudo-header field does not belong to the method"}
	faultName       = &wire.Fault{Status: 400, Reason: "malformed field name"}
	faultValue      = &wire.Fault{Status: 400, Reason: "malformed field value"}
	faultConnection = &wire.Fault{Status: 400, Reason: "field of an HTTP/1.1 connection"}
	faultMethod     = &wire.Fault{Status: 400, Reason: "method is not a token"}
	faultScheme     = &wire.Fault{Status: 400, Reason: "scheme other than http or https"}
	faultPath       = &wire.Fault{Status: 400, Reason: "malformed path"}
	faultHost       = &wire.Fault{Status: 400, Reason: "Host differs from the authority"}
	faultProtocol   = &wire.Fault{Status: 501, Reason: "protocol is not supported"}
	faultLarge      = &wire.Fault{Status: 431, Reason: "header section is too large"}
	faultShort      = &wire.Fault{Status: 400, Reason: "content is shorter than Content-Length"}
	faultHead       = &wire.Fault{Status: 400, Reason: "the request is malformed"}
	faultTrailer    = &wire.Fault{Status: 400, Reason: "malformed trailer section"}
)

// Begin makes s ready for a request. Readers must hold limits.Head bytes.
func (s *Section) Begin(readers *wire.Readers, limits *wire.Limits) {
	s.readers, s.limits = readers, limits
	s.text, s.lines, s.kept, s.crumbs = s.text[:0], s.lines[:0], s.kept[:0], s.crumbs[:0]
	s.seen, s.plain, s.keyed, s.expects, s.fault = 0, false, false, false, nil
	s.head.Reset()
}

// Add adds a field as it was decoded; its bytes are copied. What is wrong with
// it Finish tells.
func (s *Section) Add(name, value []byte) {
	switch {
	case s.fault != nil:
		return
	case s.limits.Head > 0 && len(s.lines)+len(s.kept)+len(s.crumbs)+len(name)+len(value) > s.limits.Head:
		s.fault = faultLarge
	case len(name) > 0 && name[0] == ':':
		s.pseudo(name, value)
	default:
		s.plain = true
		s.regular(name, value)
	}
}

// pseudo notes a pseudo-header field (RFC 9113 §8.3.1, RFC 9114 §4.3.1, RFC 8441 §4).
func (s *Section) pseudo(name, value []byte) {
	if s.plain {
		s.fault = faultPseudoLate
		return
	}
	switch string(name) {
	case ":method":
		s.once(method, value)
	case ":scheme":
		s.once(scheme, value)
	case ":authority":
		s.once(authority, value)
	case ":path":
		s.once(path, value)
	case ":protocol":
		s.once(protocol, value)
	default:
		s.fault = faultPseudo
	}
}

func (s *Section) has(k kind) bool { return s.seen&(1<<k) != 0 }

func (s *Section) of(k kind) []byte { return s.kept[s.value[k].from:s.value[k].to] }

func (s *Section) once(k kind, value []byte) {
	if s.has(k) {
		s.fault = faultTwice
		return
	}
	if !isVisible(value) {
		s.fault = faultValue
		return
	}
	s.seen |= 1 << k
	s.value[k].from = len(s.kept)
	s.kept = append(s.kept, value...)
	s.value[k].to = len(s.kept)
}

// regular adds the line of a field.
func (s *Section) regular(name, value []byte) {
	if !isName(name) {
		s.fault = faultName
		return
	}
	if !isValue(value) {
		s.fault = faultValue
		return
	}
	switch string(name) {
	case "connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade":
		s.fault = faultConnection
		return
	case "te":
		if string(value) != "trailers" {
			s.fault = faultConnection
			return
		}
	case "host":
		s.once(host, value)
		return
	case "cookie": // which clients split (RFC 9113 §8.2.3)
		if len(s.crumbs) > 0 {
			s.crumbs = append(s.crumbs, "; "...)
		}
		s.crumbs = append(s.crumbs, value...)
		return
	case "expect":
		s.expects = true
	case "sec-websocket-key":
		if s.has(protocol) {
			return // means nothing there (RFC 8441 §5)
		}
	case "sec-websocket-version":
		s.keyed = true
	}
	s.lines = wire.AppendField(s.lines, name, value)
}

// Finish fills the request of x in, or tells why it is refused; ended says that
// no content follows. A WebSocket's request becomes the GET that asks for one
// (RFC 8441 §5), with key.
func (s *Section) Finish(x *exchange.Exchange, ended bool, key []byte) *wire.Fault {
	if s.fault == nil {
		s.fault = s.judge()
	}
	if s.fault != nil {
		return s.fault
	}
	s.write(ended, key)
	done, fault := s.head.ScanRequest(s.text, s.limits)
	switch {
	case fault != nil:
		return fault
	case !done || s.head.Len != len(s.text):
		return faultHead
	case ended && s.head.Length > 0:
		return faultShort
	case s.has(protocol) && s.head.Length != 0:
		return faultUnasked
	}
	s.in.Reset(s.text)
	br := s.readers.Get(&s.in)
	err := x.Request.Read(br)
	rest := br.Buffered() + s.in.Len()
	s.readers.Put(br)
	if err != nil || rest != 0 {
		return faultHead
	}
	x.Target = append(x.Target[:0], s.head.Target.Of(s.text)...)
	x.Authority = append(x.Authority[:0], x.Request.Host()...)
	x.RequestLength, x.Plain = s.head.Length, !s.head.Caching
	return nil
}

// Tunnels tells whether the request is an extended CONNECT.
func (s *Section) Tunnels() bool { return s.has(protocol) }

// IsBare tells whether the request is of a kind that has no content as a rule
// and announces none. It may be asked before Finish.
func (s *Section) IsBare() bool {
	if s.fault != nil || s.expects || !s.has(method) || s.isSized() {
		return false
	}
	switch string(s.of(method)) {
	case "POST", "PUT", "PATCH", "CONNECT":
		return false
	}
	return true
}

// Continues tells whether the client waits for 100 Continue.
func (s *Section) Continues() bool { return s.head.Continue }

// judge judges the pseudo-header fields as a whole.
func (s *Section) judge() *wire.Fault {
	if !s.has(method) {
		return faultMissing
	}
	name := s.of(method)
	if !isToken(name) {
		return faultMethod
	}
	if s.has(host) && s.has(authority) && !bytes.Equal(s.of(host), s.of(authority)) {
		return faultHost
	}
	connects := string(name) == "CONNECT"
	if connects && !s.has(protocol) {
		if s.has(scheme) || s.has(path) {
			return faultUnasked
		}
		if !s.has(authority) {
			return faultMissing
		}
		return nil
	}
	switch {
	case s.has(protocol) && !connects:
		return faultUnasked
	case !s.has(scheme) || !s.has(path) || (connects && !s.has(authority)):
		return faultMissing
	case !bytes.EqualFold(s.of(scheme), []byte("https")) && !bytes.EqualFold(s.of(scheme), []byte("http")):
		return faultScheme
	case s.has(protocol) && string(s.of(protocol)) != "websocket":
		return faultProtocol
	}
	target := s.of(path)
	if (len(target) == 0 || target[0] != '/') && (string(target) != "*" || string(name) != "OPTIONS") {
		return faultPath
	}
	return nil
}

// write writes the head.
func (s *Section) write(ended bool, key []byte) {
	target, name := s.of(path), s.of(method)
	switch {
	case s.has(protocol):
		name = []byte("GET")
	case !s.has(path):
		target = s.of(authority)
	}
	b := append(append(s.text[:0], name...), ' ')
	b = append(append(b, target...), " HTTP/1.1\r\n"...)
	switch {
	case s.has(authority):
		b = wire.AppendField(b, []byte("Host"), s.of(authority))
	case s.has(host):
		b = wire.AppendField(b, []byte("Host"), s.of(host))
	}
	b = append(b, s.lines...)
	if len(s.crumbs) > 0 {
		b = wire.AppendField(b, []byte("Cookie"), s.crumbs)
	}
	switch {
	case s.has(protocol):
		b = append(b, "Connection: Upgrade\r\nUpgrade: websocket\r\n"...)
		b = wire.AppendField(b, []byte("Sec-WebSocket-Key"), key)
		if !s.keyed {
			b = append(b, "Sec-WebSocket-Version: 13\r\n"...)
		}
	case !ended && !s.isSized():
		b = append(b, "Transfer-Encoding: chunked\r\n"...)
	}
	s.text = append(b, '\r', '\n')
}

// isSized tells whether Content-Length is among the lines.
func (s *Section) isSized() bool {
	const name = "content-length: "
	return bytes.HasPrefix(s.lines, []byte(name)) || bytes.Contains(s.lines, []byte("\r\n"+name))
}

// AppendTrailer appends a trailer field as an HTTP/1.1 line, under the rules
// that hold there.
func AppendTrailer(dst, name, value []byte) ([]byte, *wire.Fault) {
	if !isName(name) || !isValue(value) || !wire.TrailerAllowed(name) {
		return dst, faultTrailer
	}
	return wire.AppendField(dst, name, value), nil
}

// nameChars are those of a token, none in upper case (RFC 9113 §8.2).
const nameChars = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz"

var nameTable = func() (t [256]bool) {
	for i := range len(nameChars) {
		t[nameChars[i]] = true
	}
	return t
}()

func isName(b []byte) bool {
	for _, c := range b {
		if !nameTable[c] {
			return false
		}
	}
	return len(b) > 0
}

func isToken(b []byte) bool {
	for _, c := range b {
		if !nameTable[c] && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return len(b) > 0
}

// isValue holds a value to RFC 9113 §8.2.1: no control character, no white
// space around it.
func isValue(b []byte) bool {
	for _, c := range b {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return len(b) == 0 || (!isBlank(b[0]) && !isBlank(b[len(b)-1]))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// isVisible tells whether b could stand in a request line.
func isVisible(b []byte) bool {
	for _, c := range b {
		if c <= ' ' || c >= 0x7f {
			return false
		}
	}
	return true
}
