package h2

import (
	"bytes"

	"weir/proxy/exchange"
	"weir/proxy/frame"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// Marks of fields that a message may not have (RFC 9113 §8.2.1).
const (
	badName uint8 = 1 << iota
	badValue
)

// judge marks a field. Its rules are those of HTTP/1.1 and the stricter ones of
// HTTP/2: small letters, and no white space around a value.
func judge(token hpack.Token, name, value []byte) (mark uint8) {
	if token == 0 && (!wire.IsToken(name) || hasCapital(name)) {
		mark = badName
	}
	if !wire.IsFieldValue(value) || len(value) > 0 && (isBlank(value[0]) || isBlank(value[len(value)-1])) {
		mark |= badValue
	}
	return mark
}

func hasCapital(b []byte) bool {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			return true
		}
	}
	return false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// pseudo are the pseudo-header fields of a request (RFC 9113 §8.3.1).
type pseudo struct {
	method, scheme, path, authority, protocol []byte
	seen                                      pseudoBits
}

type pseudoBits uint8

const (
	hasMethod pseudoBits = 1 << iota
	hasScheme
	hasPath
	hasAuthority
	hasProtocol
)

// set notes a pseudo-header field; false means that it may not be there.
func (p *pseudo) set(token hpack.Token, value []byte) bool {
	var bit pseudoBits
	switch token {
	case hpack.Method:
		p.method, bit = value, hasMethod
	case hpack.Scheme:
		p.scheme, bit = value, hasScheme
	case hpack.Path:
		p.path, bit = value, hasPath
	case hpack.Authority:
		p.authority, bit = value, hasAuthority
	case hpack.Protocol:
		p.protocol, bit = value, hasProtocol
	default:
		return false // :status
	}
	if p.seen&bit != 0 {
		return false
	}
	p.seen |= bit
	return true
}

// valid tells whether the pseudo-header fields belong together.
func (p *pseudo) valid() bool {
	const usual = hasMethod | hasScheme | hasPath
	if string(p.method) == "CONNECT" && p.seen&hasProtocol == 0 {
		return p.seen == hasMethod|hasAuthority // RFC 9113 §8.5
	}
	if p.seen&usual != usual || len(p.path) == 0 {
		return false
	}
	if p.seen&hasProtocol != 0 { // RFC 8441 §4
		return string(p.method) == "CONNECT" && p.seen&hasAuthority != 0 && p.path[0] == '/'
	}
	return p.path[0] == '/' || string(p.path) == "*" && string(p.method) == "OPTIONS"
}

func isPseudo(token hpack.Token) bool {
	return token >= hpack.Authority && token <= hpack.Status || token == hpack.Protocol
}

// request makes the exchange of s of the fields in w. A code means that the
// request is malformed as HTTP/2 knows it (RFC 9113 §8.1.1); what HTTP/1.1
// would refuse too is left for the gateway to answer.
func (c *conn) request(s *stream, w *work, ended bool) frame.Code {
	x := &s.x
	x.Front, x.Shard, x.Listener, x.Protocol, x.Peer = s, c.server.shard, c.from.Listener, "HTTP/2.0", c.peer
	x.TLS, x.Secure = c.from.TLS, c.from.TLS != nil
	x.Start = wire.Time(wire.Now())
	p := pseudo{}
	code := c.write(s, w, &p)
	switch {
	case code != frame.NoError:
		return code
	case w.fields.Over():
		s.malformed(431, "header section is too large")
		return frame.NoError
	case p.seen&hasProtocol != 0 && string(p.protocol) != "websocket":
		s.malformed(501, "protocol of an extended CONNECT is not supported")
		return frame.NoError
	case p.seen&hasScheme != 0 && string(p.scheme) != "https" && string(p.scheme) != "http":
		s.malformed(400, "request target has a scheme other than http or https")
		return frame.NoError
	}
	w.head.Reset()
	done, fault := w.head.ScanRequest(w.text, &c.server.limits)
	if fault != nil {
		s.malformed(fault.Status, fault.Reason)
		return frame.NoError
	}
	w.src.Reset(w.text)
	w.br.Reset(&w.src)
	if err := x.Request.Read(w.br); err != nil || !done || w.head.Len != len(w.text) || w.br.Buffered() > 0 {
		s.malformed(400, "the request is malformed")
		return frame.NoError
	}
	x.Target = append(x.Target[:0], w.head.Target.Of(w.text)...)
	x.Authority = append(x.Authority[:0], x.Request.Host()...)
	x.Plain = !w.head.Caching
	return s.expectBody(&w.head, ended)
}

// expectBody sets what is known of the request's body.
func (s *stream) expectBody(h *wire.Head, ended bool) frame.Code {
	x, b := &s.x, &s.body
	b.declared = exchange.Chunked
	if h.Length > 0 || h.HasLength() {
		b.declared = h.Length
	}
	switch {
	case ended && b.declared > 0, s.connect && h.HasLength():
		return frame.ProtocolError
	case ended, s.connect:
		b.ended = ended
		return frame.NoError
	}
	b.expect = h.Continue
	if x.RequestLength = b.declared; x.RequestLength != 0 {
		x.RequestBody = b
	}
	return frame.NoError
}

// write writes the fields down in w.text as the head of an HTTP/1.1 request.
// Nothing that is written can end a line: judge has seen to that.
func (c *conn) write(s *stream, w *work, p *pseudo) frame.Code {
	f := &w.fields
	w.text = w.text[:0]
	var host []byte
	hosts, cookies, regular := 0, 0, false
	for i := range f.Len() {
		token, value := f.Token(i), f.Value(i)
		if f.Mark(i) != 0 {
			return frame.ProtocolError
		}
		if isPseudo(token) {
			if regular || !p.set(token, value) {
				return frame.ProtocolError
			}
			continue
		}
		if !regular {
			regular = true
			if code := s.requestLine(w, p); code != frame.NoError {
				return code
			}
		}
		switch token {
		case 0:
			w.text = appendLine(w.text, f.Name(i), value)
			continue
		case hpack.Connection, hpack.KeepAlive, hpack.ProxyConnection, hpack.TransferEncoding, hpack.Upgrade:
			return frame.ProtocolError // RFC 9113 §8.2.2
		case hpack.TE:
			if string(value) != "trailers" {
				return frame.ProtocolError
			}
		case hpack.Host:
			hosts++
			host = value
			continue
		case hpack.Cookie:
			cookies++
			continue
		case hpack.Priority:
			s.urgency, s.urged = frame.ParseUrgency(value), true
		case hpack.SecWebSocketKey:
			if s.connect {
				continue
			}
		case hpack.SecWebSocketVersion:
			s.versioned = true
		}
		w.text = appendLine(w.text, token.Canonical(), value)
	}
	if !regular {
		if code := s.requestLine(w, p); code != frame.NoError {
			return code
		}
	}
	return s.endHead(w, p, host, hosts, cookies)
}

// requestLine checks the pseudo-header fields, which all stand ahead, and
// writes the line that they make.
func (s *stream) requestLine(w *work, p *pseudo) frame.Code {
	if !p.valid() {
		if w.fields.Over() {
			return frame.NoError // they may have been dropped
		}
		return frame.ProtocolError
	}
	method, target := p.method, p.path
	switch {
	case p.seen&hasProtocol != 0:
		s.connect = true
		method = methodGet
	case p.seen&hasPath == 0:
		target = p.authority
	}
	w.text = append(append(w.text, method...), ' ')
	w.text = append(append(w.text, target...), " HTTP/1.1\r\n"...)
	return frame.NoError
}

var methodGet = []byte("GET")

// endHead writes what can be written only when all fields were seen.
func (s *stream) endHead(w *work, p *pseudo, host []byte, hosts, cookies int) frame.Code {
	switch {
	case hosts > 1, hosts == 1 && p.seen&hasAuthority != 0 && !bytes.EqualFold(host, p.authority):
		return frame.ProtocolError // RFC 9113 §8.3.1
	case p.seen&hasAuthority != 0:
		w.text = appendLine(w.text, hpack.Host.Canonical(), p.authority)
	case hosts == 1:
		w.text = appendLine(w.text, hpack.Host.Canonical(), host)
	}
	if cookies > 0 { // RFC 9113 §8.2.3
		w.text = append(w.text, "Cookie: "...)
		first := true
		for i := range w.fields.Len() {
			if w.fields.Token(i) != hpack.Cookie {
				continue
			}
			if !first {
				w.text = append(w.text, "; "...)
			}
			first = false
			w.text = append(w.text, w.fields.Value(i)...)
		}
		w.text = append(w.text, '\r', '\n')
	}
	if s.connect {
		s.challenge.Make()
		w.text = append(w.text, "Upgrade: websocket\r\nConnection: Upgrade\r\n"...)
		w.text = appendLine(w.text, hpack.SecWebSocketKey.Canonical(), s.challenge.Key())
		if !s.versioned {
			w.text = append(w.text, "Sec-Websocket-Version: 13\r\n"...)
		}
	}
	w.text = append(w.text, '\r', '\n')
	return frame.NoError
}

func appendLine(dst, name, value []byte) []byte { return wire.AppendField(dst, name, value) }

// malformed makes s an exchange of a request that cannot be served, so that it
// is answered, logged and counted like any other.
func (s *stream) malformed(status int, reason string) {
	s.x.Malformed = &exchange.Malformed{Status: status, Reason: reason}
	s.x.Request.SetMethod("")
	s.connect = false
}
