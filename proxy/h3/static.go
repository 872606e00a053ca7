package h3

// static is the static table of QPACK (RFC 9204 Appendix A).
var static = [...]field{
	{[]byte(":authority"), []byte("")},
	{[]byte(":path"), []byte("/")},
	{[]byte("age"), []byte("0")},
	{[]byte("content-disposition"), []byte("")},
	{[]byte("content-length"), []byte("0")},
	{[]byte("cookie"), []byte("")},
	{[]byte("date"), []byte("")},
	{[]byte("etag"), []byte("")},
	{[]byte("if-modified-since"), []byte("")},
	{[]byte("if-none-match"), []byte("")},
	{[]byte("last-modified"), []byte("")},
	{[]byte("link"), []byte("")},
	{[]byte("location"), []byte("")},
	{[]byte("referer"), []byte("")},
	{[]byte("set-cookie"), []byte("")},
	{[]byte(":method"), []byte("CONNECT")},
	{[]byte(":method"), []byte("DELETE")},
	{[]byte(":method"), []byte("GET")},
	{[]byte(":method"), []byte("HEAD")},
	{[]byte(":method"), []byte("OPTIONS")},
	{[]byte(":method"), []byte("POST")},
	{[]byte(":method"), []byte("PUT")},
	{[]byte(":scheme"), []byte("http")},
	{[]byte(":scheme"), []byte("https")},
	{[]byte(":status"), []byte("103")},
	{[]byte(":status"), []byte("200")},
	{[]byte(":status"), []byte("304")},
	{[]byte(":status"), []byte("404")},
	{[]byte(":status"), []byte("503")},
	{[]byte("accept"), []byte("*/*")},
	{[]byte("accept"), []byte("application/dns-message")},
	{[]byte("accept-encoding"), []byte("gzip, deflate, br")},
	{[]byte("accept-ranges"), []byte("bytes")},
	{[]byte("access-control-allow-headers"), []byte("cache-control")},
	{[]byte("access-control-allow-headers"), []byte("content-type")},
	{[]byte("access-control-allow-origin"), []byte("*")},
	{[]byte("cache-control"), []byte("max-age=0")},
	{[]byte("cache-control"), []byte("max-age=2592000")},
	{[]byte("cache-control"), []byte("max-age=604800")},
	{[]byte("cache-control"), []byte("no-cache")},
	{[]byte("cache-control"), []byte("no-store")},
	{[]byte("cache-control"), []byte("public, max-age=31536000")},
	{[]byte("content-encoding"), []byte("br")},
	{[]byte("content-encoding"), []byte("gzip")},
	{[]byte("content-type"), []byte("application/dns-message")},
	{[]byte("content-type"), []byte("application/javascript")},
	{[]byte("content-type"), []byte("application/json")},
	{[]byte("content-type"), []byte("application/x-www-form-urlencoded")},
	{[]byte("content-type"), []byte("image/gif")},
	{[]byte("content-type"), []byte("image/jpeg")},
	{[]byte("content-type"), []byte("image/png")},
	{[]byte("content-type"), []byte("text/css")},
	{[]byte("content-type"), []byte("text/html; charset=utf-8")},
	{[]byte("content-type"), []byte("text/plain")},
	{[]byte("content-type"), []byte("text/plain;charset=utf-8")},
	{[]byte("range"), []byte("bytes=0-")},
	{[]byte("strict-transport-security"), []byte("max-age=31536000")},
	{[]byte("strict-transport-security"), []byte("max-age=31536000; includesubdomains")},
	{[]byte("strict-transport-security"), []byte("max-age=31536000; includesubdomains; preload")},
	{[]byte("vary"), []byte("accept-encoding")},
	{[]byte("vary"), []byte("origin")},
	{[]byte("x-content-type-options"), []byte("nosniff")},
	{[]byte("x-xss-protection"), []byte("1; mode=block")},
	{[]byte(":status"), []byte("100")},
	{[]byte(":status"), []byte("204")},
	{[]byte(":status"), []byte("206")},
	{[]byte(":status"), []byte("302")},
	{[]byte(":status"), []byte("400")},
	{[]byte(":status"), []byte("403")},
	{[]byte(":status"), []byte("421")},
	{[]byte(":status"), []byte("425")},
	{[]byte(":status"), []byte("500")},
	{[]byte("accept-language"), []byte("")},
	{[]byte("access-control-allow-credentials"), []byte("FALSE")},
	{[]byte("access-control-allow-credentials"), []byte("TRUE")},
	{[]byte("access-control-allow-headers"), []byte("*")},
	{[]byte("access-control-allow-methods"), []byte("get")},
	{[]byte("access-control-allow-methods"), []byte("get, post, options")},
	{[]byte("access-control-allow-methods"), []byte("options")},
	{[]byte("access-control-expose-headers"), []byte("content-length")},
	{[]byte("access-control-request-headers"), []byte("content-type")},
	{[]byte("access-control-request-method"), []byte("get")},
	{[]byte("access-control-request-method"), []byte("post")},
	{[]byte("alt-svc"), []byte("clear")},
	{[]byte("authorization"), []byte("")},
	{[]byte("content-security-policy"), []byte("script-src 'none'; object-src 'none'; base-uri 'none'")},
	{[]byte("early-data"), []byte("1")},
	{[]byte("expect-ct"), []byte("")},
	{[]byte("forwarded"), []byte("")},
	{[]byte("if-range"), []byte("")},
	{[]byte("origin"), []byte("")},
	{[]byte("purpose"), []byte("prefetch")},
	{[]byte("server"), []byte("")},
	{[]byte("timing-allow-origin"), []byte("*")},
	{[]byte("upgrade-insecure-requests"), []byte("1")},
	{[]byte("user-agent"), []byte("")},
	{[]byte("x-forwarded-for"), []byte("")},
	{[]byte("x-frame-options"), []byte("deny")},
	{[]byte("x-frame-options"), []byte("sameorigin")},
}

type field struct{ name, value []byte }

// run is where the entries of one name lie that stand together.
type run struct{ from, to uint8 }

// runs finds the first entries of a name. Those that stand apart from them are
// rare in answers.
var runs = func() map[string]run {
	m := make(map[string]run, len(static))
	for i, f := range static {
		r, ok := m[string(f.name)]
		switch {
		case !ok:
			m[string(f.name)] = run{uint8(i), uint8(i + 1)}
		case int(r.to) == i:
			m[string(f.name)] = run{r.from, uint8(i + 1)}
		}
	}
	return m
}()
