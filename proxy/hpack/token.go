package hpack

// Token is a field name that HTTP/2 servers meet often, as a number. Up to
// staticLast it is the first index of the name in the static table (RFC 7541,
// Appendix A). Zero stands for every other name.
type Token uint8

// Names of the static table that code decides by.
const (
	Authority        Token = 1
	Method           Token = 2
	Path             Token = 4
	Scheme           Token = 6
	Status           Token = 8
	AcceptEncoding   Token = 16
	Authorization    Token = 23
	CacheControl     Token = 24
	ContentLength    Token = 28
	ContentType      Token = 31
	Cookie           Token = 32
	Date             Token = 33
	Expect           Token = 35
	Host             Token = 38
	Location         Token = 46
	ProxyAuth        Token = 49 // proxy-authorization
	Server           Token = 54
	SetCookie        Token = 55
	TransferEncoding Token = 57
	UserAgent        Token = 58
	Via              Token = 60

	staticLast = 61
)

// Names beyond the static table.
const (
	Protocol Token = staticLast + 1 + iota
	Connection
	KeepAlive
	ProxyConnection
	Upgrade
	TE
	Trailer
	Priority
	Origin
	XForwardedFor
	XForwardedHost
	XForwardedProto
	XRequestID
	TraceParent
	SecWebSocketVersion
	SecWebSocketKey
	SecWebSocketAccept
	AccessControlRequestMethod
	SecFetchMode
	SecFetchSite
	SecFetchDest
	UpgradeInsecureRequests
	XContentTypeOptions
	GRPCStatus
	GRPCMessage
	GRPCTimeout
	GRPCEncoding
	GRPCAcceptEncoding

	tokens
)

// beyond are the names of the tokens behind the static table, in their order.
var beyond = [...]string{
	":protocol", "connection", "keep-alive", "proxy-connection", "upgrade", "te", "trailer", "priority", "origin",
	"x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-request-id", "traceparent",
	"sec-websocket-version", "sec-websocket-key", "sec-websocket-accept", "access-control-request-method",
	"sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "upgrade-insecure-requests", "x-content-type-options",
	"grpc-status", "grpc-message", "grpc-timeout", "grpc-encoding", "grpc-accept-encoding",
}

type staticField struct{ name, value string }

// static is the static table (RFC 7541, Appendix A); index 0 is not in use.
var static = [staticLast + 1]staticField{
	{}, {":authority", ""}, {":method", "GET"}, {":method", "POST"}, {":path", "/"}, {":path", "/index.html"},
	{":scheme", "http"}, {":scheme", "https"}, {":status", "200"}, {":status", "204"}, {":status", "206"},
	{":status", "304"}, {":status", "400"}, {":status", "404"}, {":status", "500"}, {"accept-charset", ""},
	{"accept-encoding", "gzip, deflate"}, {"accept-language", ""}, {"accept-ranges", ""}, {"accept", ""},
	{"access-control-allow-origin", ""}, {"age", ""}, {"allow", ""}, {"authorization", ""}, {"cache-control", ""},
	{"content-disposition", ""}, {"content-encoding", ""}, {"content-language", ""}, {"content-length", ""},
	{"content-location", ""}, {"content-range", ""}, {"content-type", ""}, {"cookie", ""}, {"date", ""}, {"etag", ""},
	{"expect", ""}, {"expires", ""}, {"from", ""}, {"host", ""}, {"if-match", ""}, {"if-modified-since", ""},
	{"if-none-match", ""}, {"if-range", ""}, {"if-unmodified-since", ""}, {"last-modified", ""}, {"link", ""},
	{"location", ""}, {"max-forwards", ""}, {"proxy-authenticate", ""}, {"proxy-authorization", ""}, {"range", ""},
	{"referer", ""}, {"refresh", ""}, {"retry-after", ""}, {"server", ""}, {"set-cookie", ""},
	{"strict-transport-security", ""}, {"transfer-encoding", ""}, {"user-agent", ""}, {"vary", ""}, {"via", ""},
	{"www-authenticate", ""},
}

// known holds a name in the two forms that it is used in.
type known struct{ lower, canonical []byte }

var names = func() (t [tokens]known) {
	for i := range t {
		if i == 0 {
			continue
		}
		name := ""
		if i <= staticLast {
			name = static[i].name
		} else {
			name = beyond[i-staticLast-1]
		}
		t[i] = known{[]byte(name), AppendCanonical(nil, []byte(name))}
	}
	return t
}()

// tokenOfIndex is the token of each entry of the static table: that of the
// first entry with its name.
var tokenOfIndex = func() (t [staticLast + 1]Token) {
	for i := 1; i <= staticLast; i++ {
		t[i] = Token(i)
		if static[i].name == static[i-1].name {
			t[i] = t[i-1]
		}
	}
	return t
}()

// String returns the name in lower case, "" for no token.
func (t Token) String() string { return string(names[t].lower) }

// Name returns the name in lower case. It must not be changed.
func (t Token) Name() []byte { return names[t].lower }

// Canonical returns the name as HTTP/1.1 usually writes it: Content-Type. It
// must not be changed.
func (t Token) Canonical() []byte { return names[t].canonical }

// AppendCanonical appends name with a capital at its start and behind every
// hyphen, and small letters elsewhere.
func AppendCanonical(dst, name []byte) []byte {
	first := true
	for _, c := range name {
		switch {
		case first && c >= 'a' && c <= 'z':
			c -= 'a' - 'A'
		case !first && c >= 'A' && c <= 'Z':
			c += 'a' - 'A'
		}
		dst = append(dst, c)
		first = c == '-'
	}
	return dst
}

// slots finds tokens by a hash of a few bytes of the name; open addressing.
const slotCount = 512

var slots = func() (t [slotCount]Token) {
	for token := Token(1); token < tokens; token++ {
		if token <= staticLast && tokenOfIndex[token] != token {
			continue
		}
		at := slotOf(names[token].lower)
		for t[at] != 0 {
			at = (at + 1) % slotCount
		}
		t[at] = token
	}
	return t
}()

func slotOf(name []byte) uint32 {
	n := len(name)
	h := uint32(n) * 0x9e37
	h ^= uint32(name[0]|0x20)<<7 ^ uint32(name[n-1]|0x20)<<3 ^ uint32(name[n/2]|0x20)<<11
	return (h * 0x9e3779b1) >> 23
}

// Lookup returns the token of a name, whatever its case, or 0.
func Lookup(name []byte) Token {
	if len(name) == 0 {
		return 0
	}
	for at := slotOf(name); slots[at] != 0; at = (at + 1) % slotCount {
		if equalFold(name, names[slots[at]].lower) {
			return slots[at]
		}
	}
	return 0
}

// equalFold tells whether name is lower but for the case of letters.
func equalFold(name, lower []byte) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if c != lower[i] && (c < 'A' || c > 'Z' || c+('a'-'A') != lower[i]) {
			return false
		}
	}
	return true
}
