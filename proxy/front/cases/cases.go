// Package cases holds requests of HTTP/2 and HTTP/3 that a front end must
// refuse, or must not change: each has been a way to smuggle a request past a
// gateway, or is next to one. The tests of the front ends share them, and content
// that comes in pieces.
package cases

import "strings"

// Case is one request without content.
type Case struct {
	Name   string
	Fields [][2]string
	// Status is what the request is answered with at the least: 0 means that it
	// is served. A front end may reset the stream instead of answering.
	Status int
	// Head is the HTTP/1.1 head that says the same, where the request is served.
	Head string
}

// usual are the pseudo-header fields that most cases begin with.
func usual(more ...[2]string) [][2]string {
	return append([][2]string{{":method", "GET"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/a"}}, more...)
}

// with returns usual with one value changed, or taken away by "-".
func with(name, value string) [][2]string {
	var out [][2]string
	for _, f := range usual() {
		switch {
		case f[0] != name:
			out = append(out, f)
		case value != "-":
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

// socket is the request of a WebSocket, changed as by with.
func socket(name, value string) [][2]string {
	var out [][2]string
	for _, f := range [][2]string{{":method", "CONNECT"}, {":protocol", "websocket"}, {":scheme", "https"}, {":authority", "h"}, {":path", "/a"}} {
		switch {
		case f[0] != name:
			out = append(out, f)
		case value != "-":
			out = append(out, [2]string{name, value})
		}
	}
	return out
}

const plain = "GET /a HTTP/1.1\r\nHost: h\r\n"

// Requests returns all cases.
func Requests() []Case {
	return append(append(append(served(), pseudo()...), names()...), values()...)
}

func served() []Case {
	return []Case{
		{"usual", usual(), 0, plain + "\r\n"},
		{"order of pseudo-header fields", [][2]string{{":path", "/a"}, {":method", "GET"}, {":authority", "h"}, {":scheme", "https"}}, 0, plain + "\r\n"},
		{"two lines of a field", usual([2]string{"a", "1"}, [2]string{"b", "2"}, [2]string{"a", "3"}), 0, plain + "A: 1\r\nB: 2\r\nA: 3\r\n\r\n"},
		{"cookie in crumbs", usual([2]string{"cookie", "a=1"}, [2]string{"x", "y"}, [2]string{"cookie", "b=2"}), 0, plain + "X: y\r\nCookie: a=1; b=2\r\n\r\n"},
		{"Host that agrees", usual([2]string{"host", "h"}), 0, plain + "\r\n"},
		{"Host alone", append(with(":authority", "-"), [2]string{"host", "h"}), 0, plain + "\r\n"},
		{"te: trailers", usual([2]string{"te", "trailers"}), 0, plain + "Te: trailers\r\n\r\n"},
		{"scheme http", with(":scheme", "http"), 0, plain + "\r\n"},
		{"OPTIONS of all", [][2]string{{":method", "OPTIONS"}, {":scheme", "https"}, {":authority", "h"}, {":path", "*"}}, 0, "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n"},
		{"empty value", usual([2]string{"a", ""}), 0, plain + "A: \r\n\r\n"},
		{"obs-text", usual([2]string{"a", "\xe4"}), 0, plain + "A: \xe4\r\n\r\n"},
		{"content-length 0", usual([2]string{"content-length", "0"}), 0, plain + "Content-Length: 0\r\n\r\n"},
		{"query and dots", with(":path", "/a/../b?c=d"), 0, "GET /a/../b?c=d HTTP/1.1\r\nHost: h\r\n\r\n"},
	}
}

func pseudo() []Case {
	cases := []Case{
		{"unknown pseudo-header field", usual([2]string{":a", "b"}), 400, ""},
		{"status in a request", usual([2]string{":status", "200"}), 400, ""},
		{"pseudo-header field late", append(append([][2]string{{"a", "b"}}, usual()...), [2]string{"c", "d"}), 400, ""},
		{"Host that differs", usual([2]string{"host", "other"}), 400, ""},
		{"two Hosts", usual([2]string{"host", "h"}, [2]string{"host", "h"}), 400, ""},
		{"neither Host nor authority", with(":authority", "-"), 400, ""},
		{"protocol without CONNECT", append(with(":method", "GET"), [2]string{":protocol", "websocket"}), 400, ""},
		{"another protocol", socket(":protocol", "connect-udp"), 501, ""},
		{"CONNECT with a path", [][2]string{{":method", "CONNECT"}, {":authority", "h:1"}, {":path", "/"}}, 400, ""},
		{"CONNECT with a scheme", [][2]string{{":method", "CONNECT"}, {":authority", "h:1"}, {":scheme", "https"}}, 400, ""},
		{"CONNECT without authority", [][2]string{{":method", "CONNECT"}}, 400, ""},
		{"WebSocket with a length", append(socket("", ""), [2]string{"content-length", "5"}), 400, ""},
	}
	for _, name := range []string{":method", ":scheme", ":path"} {
		cases = append(cases, Case{"without " + name, with(name, "-"), 400, ""})
	}
	for _, name := range []string{":method", ":scheme", ":authority", ":path"} {
		cases = append(cases, Case{"two of " + name, append(usual(), [2]string{name, "/a"}), 400, ""})
	}
	for _, name := range []string{":scheme", ":path", ":authority"} {
		cases = append(cases, Case{"WebSocket without " + name, socket(name, "-"), 400, ""})
	}
	bad := map[string][]string{
		":method":    {"", "GET /x", "G(T", "GET\r\n", "GET\x00", strings.Repeat("M", 65), " GET"},
		":scheme":    {"", "ftp", "https\r\nx: y", "https://evil/", " https"},
		":authority": {"", "h h", "u@h", "h:99999", "h/", "h\r\nX: y", "[::1", "h:1:2", "h#", "h?", "%00", "h\\x"},
		":path": {"", "a", "http://h/", "/a b", "/a\r\nX: y", "/a HTTP/1.1\r\nHost: evil\r\n\r\nGET /b", "/a\x00", "/\x7f",
			"/a#b", "*", "/\xff", "/a\tb", "//h/a b", "?a", "h:1"},
	}
	for _, name := range []string{":method", ":scheme", ":authority", ":path"} {
		for _, value := range bad[name] {
			cases = append(cases, Case{name + " " + quoted(value), with(name, value), 400, ""})
		}
	}
	return cases
}

func names() (cases []Case) {
	for _, name := range []string{
		"", "Upper", "transfer-Encoding", "a b", "a:b", "a\r\nb", "a\nb", "a\x00", " a", "a ", "a\t", "(", "ä", "a/b", "@",
		"transfer-encoding: chunked\r\nx", "content-length: 5\r\n\r\nGET / HTTP/1.1\r\nhost", "host:",
	} {
		cases = append(cases, Case{"name " + quoted(name), usual([2]string{name, "x"}), 400, ""})
	}
	for _, f := range [][2]string{
		{"connection", "close"}, {"connection", "x"}, {"keep-alive", "1"}, {"proxy-connection", "x"}, {"upgrade", "h2c"},
		{"transfer-encoding", "chunked"}, {"transfer-encoding", "identity"}, {"te", "gzip"}, {"te", "trailers, gzip"}, {"te", ""},
	} {
		cases = append(cases, Case{f[0] + " " + quoted(f[1]), usual(f), 400, ""})
	}
	return cases
}

func values() (cases []Case) {
	for _, value := range []string{
		"a\r\nb", "a\nb", "a\rb", "a\x00b", "\x00", "a\r\n\r\nGET /b HTTP/1.1\r\nHost: h", "a\x7f", "\x01", " a", "a ", "\ta", "a\t", "\r", "\n",
	} {
		for _, name := range []string{"a", "cookie", "host"} {
			cases = append(cases, Case{name + " " + quoted(value), usual([2]string{name, value}), 400, ""})
		}
	}
	for _, value := range []string{"", "-1", "+1", "1, 1", "0x1", "1 1", "9223372036854775808", "1_0", "5", "٣"} {
		cases = append(cases, Case{"content-length " + quoted(value), usual([2]string{"content-length", value}), 400, ""})
	}
	return append(cases,
		Case{"two lengths", usual([2]string{"content-length", "0"}, [2]string{"content-length", "0"}), 400, ""},
		Case{"two lengths that differ", usual([2]string{"content-length", "0"}, [2]string{"content-length", "5"}), 400, ""},
		Case{"expectation", usual([2]string{"expect", "200-ok"}), 417, ""},
		Case{"large field", usual([2]string{"a", strings.Repeat("a", 64<<10)}), 431, ""},
		Case{"many fields", usual(many(2000)...), 431, ""},
		Case{"long path", with(":path", "/"+strings.Repeat("a", 10<<10)), 414, ""},
	)
}

func many(n int) (out [][2]string) {
	for range n {
		out = append(out, [2]string{"a", "b"})
	}
	return out
}

// quoted makes a short name of a value.
func quoted(s string) string {
	if len(s) > 40 {
		s = s[:40]
	}
	return "\"" + strings.NewReplacer("\r", `\r`, "\n", `\n`, "\x00", `\0`, "\t", `\t`).Replace(s) + "\""
}
