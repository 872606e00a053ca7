package observe

import (
	"net/netip"
	"time"
)

type claims map[string]string

func (c claims) AppendProperty(dst []byte, name string) []byte { return append(dst, c[name]...) }

// sampleRecord is a request of which nearly everything is known.
func sampleRecord() *Record {
	return &Record{
		Start:             time.Date(2026, 3, 9, 7, 5, 4, 21_987_000, time.FixedZone("", 3600)),
		Took:              12*time.Millisecond + 345*time.Microsecond,
		UpstreamFirstByte: 9*time.Millisecond + 5*time.Microsecond,
		UpstreamTotal:     11 * time.Millisecond,
		Client:            netip.MustParseAddr("203.0.113.7"),
		Peer:              netip.MustParseAddrPort("10.0.0.9:4711"),
		Listener:          ":8443",
		Scheme:            "https",
		Protocol:          "HTTP/1.1",
		TLS:               "TLSv1.3",
		Method:            []byte("GET"),
		Host:              []byte("api.example.org"),
		RequestTarget:     []byte("/v1/pets/7?full=1&access_token=hunter2"),
		Path:              []byte("/v1/pets/7"),
		API:               "petstore",
		Stage:             "prod",
		Route:             "/pets/{id}",
		Domain:            "api.example.org",
		BasePath:          "v1",
		Status:            200,
		BytesIn:           0,
		BytesOut:          1024,
		UpstreamName:      "pets",
		Target:            "10.0.0.1:8080",
		UpstreamStatus:    200,
		Retries:           1,
		ConnectionReused:  true,
		RequestID:         []byte("c6af9ac6-7b61-11e6-9a41-93e8deadbeef"),
		TraceParent:       []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		UserAgent:         []byte("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"),
		Referer:           []byte("https://example.org/list?page=2"),
		Authorizer:        Authorizer{Principal: "alice", Status: 200, Took: 3 * time.Millisecond, Properties: claims{"claims.sub": "user 7", "tier": "gold"}},
	}
}

// typicalRecord is a GET that weir -upstream has handed on.
func typicalRecord() *Record {
	return &Record{
		Start:             time.Date(2026, 3, 9, 7, 5, 4, 21_987_000, time.UTC),
		Took:              1*time.Millisecond + 57*time.Microsecond,
		UpstreamFirstByte: 912 * time.Microsecond,
		Client:            netip.MustParseAddr("203.0.113.7"),
		Peer:              netip.MustParseAddrPort("203.0.113.7:4711"),
		Listener:          "main",
		Scheme:            "http",
		Protocol:          "HTTP/1.1",
		Method:            []byte("GET"),
		Host:              []byte("api.example.org"),
		RequestTarget:     []byte("/v1/pets/7"),
		Path:              []byte("/v1/pets/7"),
		API:               "proxy",
		Stage:             "$default",
		Route:             "$default",
		RouteKey:          "$default",
		Domain:            "*",
		Status:            200,
		BytesOut:          1024,
		UpstreamName:      "upstream",
		Target:            "http://10.0.0.1:8080",
		UpstreamStatus:    200,
		ConnectionReused:  true,
		RequestID:         []byte("c6af9ac6-7b61-11e6-9a41-93e8deadbeef"),
		TraceParent:       []byte("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
		UserAgent:         []byte("curl/8.5.0"),
	}
}
