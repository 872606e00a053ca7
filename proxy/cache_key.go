package proxy

import (
	"bytes"
	"encoding/binary"

	"github.com/valyala/fasthttp"

	"weir/cache"
	"weir/proxy/grpc"
)

// keyScratch is the memory that keys are built in. It belongs to a request.
type keyScratch struct{ host, query, value []byte }

func (s *keyScratch) reset() {
	for _, b := range []*[]byte{&s.host, &s.query, &s.value} {
		if cap(*b) > keptBuffer {
			*b = nil
		}
	}
}

// takes tells whether a request may use the cache at all, and why not. The
// content of a QUERY has to be gathered before.
func (p *cachePolicy) takes(r *request) (ok bool, why string) {
	x := r.x
	method := x.Request.Method()
	switch {
	case !p.looksUp(method):
		return false, "method"
	case r.grpc.kind != grpc.None:
		return false, "gRPC"
	case len(x.Request.PeekCanonical(nameUpgrade)) > 0 || len(r.asked) > 0:
		return false, "upgrade"
	case x.RequestBody == nil && x.RequestLength == 0:
		return true, ""
	case isSafe(method):
		return false, "content" // which tells nothing apart, and upstreams may heed
	case x.RequestBytes == nil:
		return false, "content too large"
	}
	return true, ""
}

// looksUp tells whether answers to a method are kept.
func (p *cachePolicy) looksUp(method []byte) bool {
	for _, m := range p.methods {
		if string(method) == m || m == "GET" && string(method) == "HEAD" {
			return true
		}
	}
	return false
}

func isSafe(method []byte) bool { return string(method) == "GET" || string(method) == "HEAD" }

// appendKey makes k the key of a request that p takes. What k.Place holds lies in
// the request, and is valid as long as nobody makes another key for it.
func (p *cachePolicy) appendKey(k *cache.Key, r *request) {
	x, h, s := r.x, &r.x.Request, &r.keyed
	s.host = appendHost(s.host[:0], x.Authority, x.Scheme)
	query := x.Query
	if p.key.query != nil {
		s.query, s.value = p.key.query.append(s.query[:0], query, s.value)
		query = s.query
	}
	k.Reset()
	k.Place = cache.Place{Stage: p.stage, Host: s.host, Path: x.Path, Query: query}
	k.Add(p.prefix)
	method := h.Method()
	if isSafe(method) {
		k.AddString("GET")
	} else {
		k.Add(method)
	}
	if p.aws {
		if p.anyPath { // no parameter could name it
			k.Add(x.Path)
		}
		p.addParameters(k, r)
	} else {
		k.AddString(x.Scheme)
		k.Add(s.host)
		k.Add(x.Path)
		k.Add(query)
		if p.key.query == nil && x.HasQuery && len(query) == 0 {
			k.AddString("?") // as no query at all is nothing: the upstream gets the one or the other
		} else {
			k.AddString("")
		}
		p.addClaimedHost(k, r)
		for _, name := range p.key.headers {
			s.value = appendLines(s.value[:0], h, name)
			k.Add(s.value)
		}
		for _, name := range p.key.cookies {
			s.value = appendCookies(s.value[:0], h, name)
			k.Add(s.value)
		}
	}
	if !p.key.shared {
		p.addCaller(k, r)
	}
	if string(method) == "QUERY" { // RFC 10008 §2.7
		for _, name := range contentFields {
			s.value = appendLines(s.value[:0], h, name)
			k.Add(s.value)
		}
		k.Add(x.RequestBytes)
	}
}

// placeOf returns where the answers to a request stand, whether or not it takes
// part in the cache.
func (p *cachePolicy) placeOf(r *request) cache.Place {
	x := r.x
	return cache.Place{
		Stage: p.stage, Host: appendHost(nil, x.Authority, x.Scheme), Path: x.Path, Query: p.key.ruled(x.Query),
	}
}

// ruled returns a query as keys have it.
func (k *keyRule) ruled(query []byte) []byte {
	if k.query != nil {
		query, _ = k.query.append(nil, query, nil)
	}
	return query
}

// contentFields say what the bytes of a content mean.
var contentFields = [][]byte{[]byte("Content-Type"), []byte("Content-Encoding"), []byte("Content-Language")}

// addCaller adds whom weir knows the request to be of.
func (p *cachePolicy) addCaller(k *cache.Key, r *request) {
	k.AddString(r.caller.keyID())
	if x := r.x; x.TLS != nil && x.TLS.Client != nil {
		k.Add(x.TLS.Client.Digest[:])
	} else {
		k.AddString("")
	}
}

// addClaimedHost adds the host that a trusted proxy says the client has named:
// upstreams make links of it.
func (p *cachePolicy) addClaimedHost(k *cache.Key, r *request) {
	s := &r.keyed
	s.value = s.value[:0]
	if r.trusted {
		s.value = appendLines(s.value, &r.x.Request, nameForwardedHost)
	}
	k.Add(s.value)
}

// addParameters adds the parameters that AWS's cacheKeyParameters declare.
func (p *cachePolicy) addParameters(k *cache.Key, r *request) {
	s := &r.keyed
	for i := range p.key.parameters {
		of := &p.key.parameters[i]
		s.value = s.value[:0]
		switch of.kind {
		case "path":
			if value, ok := r.params.Lookup(r.rest, of.name); ok {
				s.value = appendLength(s.value, value)
			}
		case "querystring":
			s.value = appendValuesOf(s.value, r.x.Query, of.name)
		case "header":
			for name, value := range r.x.Request.AllInOrder() {
				if string(name) == of.name {
					s.value = appendLength(s.value, value)
				}
			}
		}
		k.Add(s.value)
	}
}

// appendLength appends one of several values, which cannot run into each other;
// nothing at all stands for none.
func appendLength(dst, value []byte) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(value))), value...)
}

func appendLines(dst []byte, h *fasthttp.RequestHeader, name []byte) []byte {
	for key, value := range h.AllInOrder() {
		if string(key) == string(name) {
			dst = appendLength(dst, value)
		}
	}
	return dst
}

// appendValuesOf appends the values of the query parameters of that name, which
// may be written in several ways.
func appendValuesOf(dst, query []byte, name string) []byte {
	for len(query) > 0 {
		var pair []byte
		pair, query, _ = bytes.Cut(query, ampersand)
		key, value, _ := bytes.Cut(pair, equals)
		from := len(dst)
		dst = appendDecoded(dst, key)
		found := string(dst[from:]) == name
		if dst = dst[:from]; found {
			dst = appendLength(dst, value)
		}
	}
	return dst
}

var nameCookie = []byte("Cookie")

// appendCookies appends the values of the cookies of that name, in their order.
func appendCookies(dst []byte, h *fasthttp.RequestHeader, name []byte) []byte {
	for key, line := range h.AllInOrder() {
		if string(key) != string(nameCookie) {
			continue
		}
		for len(line) > 0 {
			var pair []byte
			pair, line, _ = bytes.Cut(line, semicolon)
			cookie, value, _ := bytes.Cut(pair, equals)
			if string(bytes.TrimSpace(cookie)) == string(name) {
				dst = appendLength(dst, bytes.TrimSpace(value))
			}
		}
	}
	return dst
}

var semicolon = []byte{';'}

// appendHost appends an authority as keys have it: in lower case, without the
// usual port of the scheme (RFC 9110 §4.2.3).
func appendHost(dst, authority []byte, scheme string) []byte {
	usual := ":80"
	if scheme == "https" {
		usual = ":443"
	}
	if n := len(authority) - len(usual); n > 0 && string(authority[n:]) == usual {
		authority = authority[:n]
	}
	for _, c := range authority {
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst
}

// unkeyedFields are request fields by which a client could choose what an
// upstream answers though no key has them: another path, host, scheme or method.
var unkeyedFields = []string{
	"Forwarded", "Front-End-Https", "X-Backend-Host", "X-Forwarded-Path", "X-Forwarded-Port", "X-Forwarded-Prefix",
	"X-Forwarded-Protocol", "X-Forwarded-Scheme", "X-Forwarded-Server", "X-Forwarded-Ssl", "X-Forwarded-Uri",
	"X-Host", "X-Http-Host-Override", "X-Http-Method", "X-Http-Method-Override", "X-Method-Override",
	"X-Original-Host", "X-Original-Method", "X-Original-Uri", "X-Original-Url", "X-Real-Ip", "X-Rewrite-Url",
	"X-Url-Scheme",
}

// unkeyed returns those of unkeyedFields that no part of the key holds.
func (k *keyRule) unkeyed() (out [][]byte) {
	for _, name := range unkeyedFields {
		keyed := false
		for _, h := range k.headers {
			keyed = keyed || string(h) == name
		}
		for _, p := range k.parameters {
			keyed = keyed || p.kind == "header" && p.name == name
		}
		if !keyed {
			out = append(out, []byte(name))
		}
	}
	return out
}

// stripUnkeyed removes from a request that is fetched for everybody what its key
// does not hold. It is for the request as it came, before introduce adds to it.
func (p *cachePolicy) stripUnkeyed(h *fasthttp.RequestHeader) {
	for _, name := range p.unkeyed {
		h.DelBytes(name)
	}
}
