package proxy

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"net/netip"
	"unsafe"
)

// identify finds out who sent the request: its client (through trusted
// proxies), the scheme that the client used, and the request's id.
func (g *Gateway) identify(r *request) {
	x := r.x
	x.Client = x.Peer.Addr()
	x.Scheme = "http"
	if x.Secure {
		x.Scheme = "https"
	}
	r.trusted = r.live.trusts(x.Client)
	if x.Malformed != nil {
		x.RequestID = appendUUID(x.RequestID[:0])
		return
	}
	if r.trusted {
		r.believe()
	}
	if len(x.RequestID) == 0 {
		x.RequestID = appendUUID(x.RequestID[:0])
	}
}

var (
	nameForwarded      = []byte("Forwarded")
	nameForwardedFor   = []byte("X-Forwarded-For")
	nameForwardedHost  = []byte("X-Forwarded-Host")
	nameForwardedProto = []byte("X-Forwarded-Proto")
	nameRequestID      = []byte("X-Request-Id")
	nameTraceParent    = []byte("Traceparent")
	nameVia            = []byte("Via")
	nameClientCert     = []byte("Client-Cert")
	nameClientChain    = []byte("Client-Cert-Chain")
	nameAltSvc         = []byte("Alt-Svc")
	nameHSTS           = []byte("Strict-Transport-Security")
)

// believe takes client, scheme and request id from what a trusted proxy says.
func (r *request) believe() {
	x := r.x
	if id := x.Request.PeekCanonical(nameRequestID); isRequestID(id) {
		x.RequestID = append(x.RequestID[:0], id...)
	}
	if proto := x.Request.PeekCanonical(nameForwardedProto); bytes.EqualFold(proto, []byte("https")) {
		x.Scheme = "https"
	} else if bytes.EqualFold(proto, []byte("http")) {
		x.Scheme = "http"
	}
	r.field = r.field[:0]
	if fwd := x.Request.PeekCanonical(nameForwarded); len(fwd) > 0 {
		for name, value := range x.Request.AllInOrder() {
			if bytes.Equal(name, nameForwarded) {
				r.field = append(append(r.field, value...), ',')
			}
		}
		r.walk(forwardedNode)
		return
	}
	for name, value := range x.Request.AllInOrder() {
		if bytes.Equal(name, nameForwardedFor) {
			r.field = append(append(r.field, value...), ',')
		}
	}
	r.walk(plainNode)
}

// walk goes from the nearest hop outwards and stops at the first address that
// is no trusted proxy: everything beyond it may be invented.
func (r *request) walk(node func([]byte) (netip.Addr, bool)) {
	for list := r.field; len(list) > 0; {
		var last []byte
		if i := bytes.LastIndexByte(list, ','); i >= 0 {
			last, list = list[i+1:], list[:i]
		} else {
			last, list = list, nil
		}
		last = bytes.TrimSpace(last)
		if len(last) == 0 {
			continue
		}
		addr, ok := node(last)
		if !ok {
			return
		}
		r.x.Client = addr
		if !r.live.trusts(addr) {
			return
		}
	}
}

// plainNode reads one element of X-Forwarded-For: an address, with or without
// a port. The form is told apart first, for a failed attempt would allocate.
func plainNode(b []byte) (netip.Addr, bool) {
	if len(b) == 0 || len(b) > 64 {
		return netip.Addr{}, false
	}
	host, port := b, []byte(nil)
	if end := bytes.LastIndexByte(b, ']'); b[0] == '[' && end > 0 {
		host, port = b[1:end], b[end+1:]
	} else if at := bytes.IndexByte(b, ':'); at > 0 && at == bytes.LastIndexByte(b, ':') {
		host, port = b[:at], b[at:]
	}
	if len(port) > 0 && !isPort(port) {
		return netip.Addr{}, false
	}
	// netip keeps no part of the text, zones aside, which it copies.
	addr, err := netip.ParseAddr(unsafe.String(unsafe.SliceData(host), len(host)))
	if err != nil || addr.Zone() != "" || (b[0] == '[' && !addr.Is6()) {
		return netip.Addr{}, false
	}
	return addr.Unmap(), true
}

// isPort tells whether b is a colon and a port.
func isPort(b []byte) bool {
	n := 0
	for _, c := range b[1:] {
		if c < '0' || c > '9' || n > 6553 {
			return false
		}
		n = n*10 + int(c-'0')
	}
	return b[0] == ':' && len(b) > 1 && n < 1<<16
}

// forwardedNode reads the for parameter of one element of Forwarded (RFC 7239 §6).
func forwardedNode(b []byte) (netip.Addr, bool) {
	for len(b) > 0 {
		var pair []byte
		pair, b, _ = bytes.Cut(b, []byte{';'})
		name, value, ok := bytes.Cut(bytes.TrimSpace(pair), []byte{'='})
		if !ok || !bytes.EqualFold(name, []byte("for")) {
			continue
		}
		if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
			value = value[1 : len(value)-1]
		}
		return plainNode(value)
	}
	return netip.Addr{}, false
}

// isRequestID tells whether an id from outside may go into logs and fields.
func isRequestID(id []byte) bool {
	if len(id) == 0 || len(id) > 128 {
		return false
	}
	for _, c := range id {
		switch {
		case c >= '0' && c <= '9', c|0x20 >= 'a' && c|0x20 <= 'z':
		case c == '-' || c == '_' || c == '.' || c == '=' || c == '+' || c == '/' || c == ':':
		default:
			return false
		}
	}
	return true
}

// appendUUID appends a random UUID (RFC 9562 §5.4). It names a request and
// protects nothing, so the runtime's fast generator is enough.
func appendUUID(dst []byte) []byte {
	var b [16]byte
	putRandom(&b)
	b[6] = b[6]&0x0f | 0x40
	b[8] = b[8]&0x3f | 0x80
	var text [36]byte
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	hex.Encode(text[0:8], b[0:4])
	hex.Encode(text[9:13], b[4:6])
	hex.Encode(text[14:18], b[6:8])
	hex.Encode(text[19:23], b[8:10])
	hex.Encode(text[24:36], b[10:16])
	return append(dst, text[:]...)
}

func putRandom(b *[16]byte) {
	binary.LittleEndian.PutUint64(b[:8], rand.Uint64())
	binary.LittleEndian.PutUint64(b[8:], rand.Uint64())
}

// appendTraceParent continues the trace of parent with a span of the gateway's
// own, or starts one (W3C Trace Context §3.2).
func appendTraceParent(dst, parent []byte) []byte {
	var span [8]byte
	binary.LittleEndian.PutUint64(span[:], rand.Uint64())
	span[0] |= 1
	if isTraceParent(parent) {
		dst = append(append(dst, "00-"...), parent[3:36]...)
		dst = hex.AppendEncode(dst, span[:])
		return append(dst, parent[52:55]...)
	}
	var trace [16]byte
	putRandom(&trace)
	trace[0] |= 1
	dst = hex.AppendEncode(append(dst, "00-"...), trace[:])
	dst = hex.AppendEncode(append(dst, '-'), span[:])
	return append(dst, "-00"...)
}

func isTraceParent(b []byte) bool {
	if len(b) < 55 || (len(b) > 55 && (string(b[:2]) == "00" || b[55] != '-')) || string(b[:2]) == "ff" {
		return false
	}
	zeroTrace, zeroSpan := true, true
	for i, c := range b[:55] {
		switch i {
		case 2, 35, 52:
			if c != '-' {
				return false
			}
		default:
			if !(c >= '0' && c <= '9' || c >= 'a' && c <= 'f') {
				return false
			}
			if i > 2 && i < 35 && c != '0' {
				zeroTrace = false
			}
			if i > 35 && i < 52 && c != '0' {
				zeroSpan = false
			}
		}
	}
	return !zeroTrace && !zeroSpan
}
