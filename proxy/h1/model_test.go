package h1

import (
	"bytes"
	"math/big"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// The model reads requests as RFC 9112 has them, and as slowly and plainly as
// can be: it has the whole stream in hand and shares no code with the front end.

type modelRequest struct {
	Method, Target, Authority string
	Fields                    []string // "name: value" of those that fasthttp keeps as they are
	Body                      string
	Trailers                  string
	BodyFails                 bool
}

type modelEnd string

const (
	endClean   modelEnd = "clean"   // between two requests, or as a request has asked for
	endRefused modelEnd = "refused" // a head was malformed
	endCut     modelEnd = "cut"     // the stream ended inside a head
	endBody    modelEnd = "body"    // a body was malformed or cut
)

// Limits of the model and of the server that is held against it.
const (
	modelHead   = 4096
	modelTarget = 512
	modelFields = 12
)

const tokenChars = "[!#$%&'*+\\-.^_`|~0-9A-Za-z]"

var (
	requestLineRule = regexp.MustCompile("^(" + tokenChars + `{1,64}) ([!-"$-~]+) HTTP/([0-9])\.([0-9])$`)
	fieldRule       = regexp.MustCompile("(?s)^(" + tokenChars + "+):(.*)$")
	tokenRule       = regexp.MustCompile("^" + tokenChars + "+$")
	unannounced     = regexp.MustCompile("^(authorization|content-(encoding|length|type|range)|connection|cookie|expect|host|" +
		"keep-alive|location|max-forwards|proxy-(connection|authenticate|authorization)|range|set-cookie|te|trailer|" +
		"transfer-encoding|www-authenticate)$|^x-(forwarded|real-ip)")
	absoluteRule  = regexp.MustCompile(`^(?i:https?)://([^/?]*)(.*)$`)
	authorityRule = regexp.MustCompile(`^(\[[^\]]*\]|[-._~0-9A-Za-z!$&'()*+,;=]+)(:[0-9]{0,5})?$`)
	lengthRule    = regexp.MustCompile(`^[0-9]{1,19}$`)
	sizeRule      = regexp.MustCompile("(?s)^([0-9A-Fa-f]{1,15})(;.*)?$")
)

// modelStream returns what a stream of bytes holds.
func modelStream(b []byte) (out []modelRequest, end modelEnd) {
	for {
		for range 2 {
			b = bytes.TrimPrefix(b, []byte("\r\n"))
		}
		if len(b) == 0 || string(b) == "\r" {
			return out, endClean
		}
		head, rest, whole := modelSplit(b)
		if !whole {
			return out, endCut
		}
		r, body, keep, ok := modelHeadOf(head)
		if !ok {
			return out, endRefused
		}
		b = body(r, rest)
		out = append(out, *r)
		if r.BodyFails {
			return out, endBody
		}
		if !keep {
			return out, endClean
		}
	}
}

// modelSplit finds the empty line, by either line end: whether the line ends
// are good ones is for later.
func modelSplit(b []byte) (head string, rest []byte, whole bool) {
	for i, c := range b {
		if c == '\n' && (bytes.HasSuffix(b[:i], []byte("\n")) || bytes.HasSuffix(b[:i], []byte("\n\r")) || i == 0 || (i == 1 && b[0] == '\r')) {
			return string(b[:i+1]), b[i+1:], true
		}
	}
	return "", nil, false
}

type modelBody func(r *modelRequest, rest []byte) []byte

func modelHeadOf(head string) (r *modelRequest, body modelBody, keep, ok bool) {
	lines := strings.Split(head, "\n")
	lines = lines[:len(lines)-1]
	for i, line := range lines {
		if !strings.HasSuffix(line, "\r") {
			return nil, nil, false, false
		}
		lines[i] = line[:len(line)-1]
	}
	start := requestLineRule.FindStringSubmatch(lines[0])
	if len(head) > modelHead || len(lines)-2 > modelFields || start == nil || start[3] != "1" || len(start[2]) > modelTarget {
		return nil, nil, false, false
	}
	old := start[4] == "0"
	r = &modelRequest{Method: start[1], Target: start[2]}
	values := make(map[string][]string)
	for _, line := range lines[1 : len(lines)-1] {
		parts := fieldRule.FindStringSubmatch(line)
		if parts == nil || !modelClean(parts[2]) {
			return nil, nil, false, false
		}
		name, value := strings.ToLower(parts[1]), strings.Trim(parts[2], " \t")
		values[name] = append(values[name], value)
		switch name {
		case "host", "content-length", "transfer-encoding", "connection", "content-type", "user-agent", "cookie", "trailer":
		default:
			r.Fields = append(r.Fields, name+": "+value)
		}
	}
	if !modelTargetOf(r, values["host"], old) {
		return nil, nil, false, false
	}
	for _, v := range values["trailer"] {
		if !modelAnnounces(v) {
			return nil, nil, false, false
		}
	}
	for _, v := range values["expect"] {
		if !strings.EqualFold(v, "100-continue") {
			return nil, nil, false, false
		}
	}
	body, ok = modelFraming(values["content-length"], values["transfer-encoding"], old)
	options := strings.Split(strings.ToLower(strings.Join(values["connection"], ",")), ",")
	keep = !old
	for _, option := range options {
		keep = keep || strings.Trim(option, " \t") == "keep-alive"
	}
	for _, option := range options {
		keep = keep && strings.Trim(option, " \t") != "close"
	}
	return r, body, keep, ok
}

// modelAnnounces tells whether a Trailer field names only what a trailer
// section may carry. What that is, fasthttp decides.
func modelAnnounces(value string) bool {
	if value == "" {
		return true
	}
	for _, name := range strings.Split(strings.TrimSuffix(value, ","), ",") {
		name = strings.ToLower(strings.Trim(name, " \t"))
		if !tokenRule.MatchString(name) || unannounced.MatchString(name) {
			return false
		}
	}
	return true
}

// modelTargetOf judges the target against method and Host.
func modelTargetOf(r *modelRequest, hosts []string, old bool) bool {
	if len(hosts) > 1 || (len(hosts) == 0 && !old) {
		return false
	}
	for _, host := range hosts {
		if !modelAuthority(host) {
			return false
		}
		r.Authority = host
	}
	if r.Method == "CONNECT" {
		return modelAuthority(r.Target)
	}
	if r.Target == "*" {
		return r.Method == "OPTIONS"
	}
	if strings.HasPrefix(r.Target, "/") {
		return true
	}
	parts := absoluteRule.FindStringSubmatch(r.Target)
	if parts == nil || !modelAuthority(parts[1]) {
		return false
	}
	r.Authority, r.Target = parts[1], parts[2]
	switch {
	case r.Target == "" && r.Method == "OPTIONS":
		r.Target = "*"
	case !strings.HasPrefix(r.Target, "/"):
		r.Target = "/" + r.Target
	}
	return true
}

func modelAuthority(a string) bool {
	parts := authorityRule.FindStringSubmatch(a)
	if parts == nil || len(a) > 261 {
		return false
	}
	if port := strings.TrimPrefix(parts[2], ":"); port != "" {
		if n, err := strconv.Atoi(port); err != nil || n > 65535 {
			return false
		}
	}
	if strings.HasPrefix(parts[1], "[") {
		addr, err := netip.ParseAddr(strings.Trim(parts[1], "[]"))
		return err == nil && addr.Is6() && addr.Zone() == ""
	}
	return true
}

func modelFraming(lengths, codings []string, old bool) (modelBody, bool) {
	none := func(_ *modelRequest, rest []byte) []byte { return rest }
	switch {
	case len(lengths)+len(codings) == 0:
		return none, true
	case len(lengths)+len(codings) > 1:
		return nil, false
	case len(codings) == 1:
		return modelChunks, !old && strings.EqualFold(codings[0], "chunked")
	case !lengthRule.MatchString(lengths[0]):
		return nil, false
	}
	n, _ := new(big.Int).SetString(lengths[0], 10)
	if !n.IsInt64() {
		return nil, false
	}
	return func(r *modelRequest, rest []byte) []byte {
		if int64(len(rest)) < n.Int64() {
			r.BodyFails = true
			return nil
		}
		r.Body = string(rest[:n.Int64()])
		return rest[n.Int64():]
	}, true
}

// modelChunks reads a chunked body.
func modelChunks(r *modelRequest, rest []byte) []byte {
	fail := func() []byte {
		r.Body, r.Trailers, r.BodyFails = "", "", true
		return nil
	}
	extensions := 0
	for {
		line, after, ok := modelLine(rest, 1024)
		parts := sizeRule.FindStringSubmatch(line)
		if !ok || parts == nil || !modelClean(parts[2]) {
			return fail()
		}
		if extensions += len(parts[2]); extensions > 16<<10 {
			return fail()
		}
		size, _ := strconv.ParseInt(parts[1], 16, 64)
		rest = after
		if size == 0 {
			break
		}
		if int64(len(rest)) < size+2 || string(rest[size:size+2]) != "\r\n" {
			return fail()
		}
		r.Body += string(rest[:size])
		rest = rest[size+2:]
	}
	for fields := 0; ; fields++ {
		line, after, ok := modelLine(rest, modelHead-1)
		rest = after
		switch {
		case !ok:
			return fail()
		case line == "":
			return rest
		}
		parts := fieldRule.FindStringSubmatch(line)
		if parts == nil || !modelClean(parts[2]) || fields == 64 || len(r.Trailers)+len(line) > 16<<10 || modelNoTrailer[strings.ToLower(parts[1])] {
			return fail()
		}
		r.Trailers += line + "\r\n"
	}
}

// modelNoTrailer are fields that frame, route, authenticate or describe a message.
var modelNoTrailer = map[string]bool{
	"transfer-encoding": true, "content-length": true, "host": true, "connection": true, "te": true, "trailer": true,
	"upgrade": true, "keep-alive": true, "proxy-connection": true, "authorization": true, "proxy-authorization": true,
	"proxy-authenticate": true, "www-authenticate": true, "cookie": true, "set-cookie": true, "content-encoding": true,
	"content-type": true, "content-range": true, "range": true, "expect": true, "max-forwards": true, "cache-control": true,
	"location": true, "forwarded": true, "via": true, "x-real-ip": true, "x-forwarded-for": true, "x-forwarded-host": true,
	"x-forwarded-proto": true,
}

// modelClean tells whether s has no control character but HTAB.
func modelClean(s string) bool {
	for i := range len(s) {
		if (s[i] < ' ' && s[i] != '\t') || s[i] == 0x7f {
			return false
		}
	}
	return true
}

// modelLine returns the line at the start of b, whose LF comes at or before limit.
func modelLine(b []byte, limit int) (line string, rest []byte, ok bool) {
	i := bytes.IndexByte(b, '\n')
	if i < 1 || i > limit || b[i-1] != '\r' {
		return "", nil, false
	}
	return string(b[:i-1]), b[i+1:], true
}
