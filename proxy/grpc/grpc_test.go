package grpc

import (
	"math"
	"testing"
	"time"

	"weir/proxy/exchange"
)

func TestKindOf(t *testing.T) {
	f := func(contentType string, want Kind) {
		t.Helper()
		if got := KindOf([]byte(contentType)); got != want {
			t.Fatalf("KindOf(%q): got %d; want %d", contentType, got, want)
		}
	}
	f("", None)
	f("application/json", None)
	f("application/grp", None)
	f("application/grpcx", None)
	f("application/grpc-weber", None)
	f("application/grpc-web-texts", None)
	f("application/grpc-web-text-base64", None)
	f("application/grpc/x", None)
	f("application/grpc", Native)
	f("Application/GRPC", Native)
	f("application/grpc+proto", Native)
	f("application/grpc+json", Native)
	f("application/grpc;charset=utf-8", Native)
	f("application/grpc ; charset=utf-8", Native)
	f("application/grpc-web", Web)
	f("application/grpc-web+proto", Web)
	f("application/grpc-web-text", WebText)
	f("application/grpc-web-text+proto", WebText)
	f("APPLICATION/GRPC-WEB-TEXT+proto", WebText)
}

func TestContentTypeKeepsItsSuffix(t *testing.T) {
	f := func(k Kind, of, want string) {
		t.Helper()
		if got := string(AppendContentType(nil, k, []byte(of))); got != want {
			t.Fatalf("AppendContentType(%d, %q): got %q; want %q", k, of, got, want)
		}
	}
	f(Native, "application/grpc-web", "application/grpc")
	f(Native, "application/grpc-web+proto", "application/grpc+proto")
	f(Native, "application/grpc-web-text+json;a=b", "application/grpc+json;a=b")
	f(Web, "application/grpc+proto", "application/grpc-web+proto")
	f(WebText, "application/grpc", "application/grpc-web-text")
	f(WebText, "text/html", "application/grpc-web-text")
}

func TestAcceptDecidesBetweenTheFormsOfTheWeb(t *testing.T) {
	f := func(asked Kind, accept string, want Kind) {
		t.Helper()
		if got := Wants(asked, []byte(accept)); got != want {
			t.Fatalf("Wants(%d, %q): got %d; want %d", asked, accept, got, want)
		}
	}
	f(Web, "", Web)
	f(WebText, "", WebText)
	f(Web, "*/*", Web)
	f(WebText, "*/*", WebText)
	f(Web, "application/grpc-web-text", WebText)
	f(WebText, "application/grpc-web", Web)
	f(WebText, "text/html, application/grpc-web;q=0.5", Web)
	f(Web, "application/grpc", Web)
	f(Web, ",,", Web)
}

func TestParseTimeout(t *testing.T) {
	f := func(text string, want time.Duration) {
		t.Helper()
		if got, ok := ParseTimeout([]byte(text)); got != want || !ok {
			t.Fatalf("ParseTimeout(%q): got %s, %t; want %s", text, got, ok, want)
		}
	}
	f("1H", time.Hour)
	f("2M", 2*time.Minute)
	f("3S", 3*time.Second)
	f("100m", 100*time.Millisecond)
	f("7u", 7*time.Microsecond)
	f("8n", 8*time.Nanosecond)
	f("0n", 0)
	f("00000001S", time.Second)
	f("99999999m", 99999999*time.Millisecond)
	f("99999999H", math.MaxInt64)
	for _, bad := range []string{
		"", "1", "m", "S1", "-1S", "+1S", " 1S", "1S ", "1 S", "1.5S", "1s", "1h", "1ms", "123456789n", "1٠m", "\x001S",
	} {
		if got, ok := ParseTimeout([]byte(bad)); ok {
			t.Fatalf("ParseTimeout(%q): got %s; want a refusal", bad, got)
		}
	}
}

func TestAppendTimeout(t *testing.T) {
	f := func(d time.Duration, want string) {
		t.Helper()
		if got := string(AppendTimeout(nil, d)); got != want {
			t.Fatalf("AppendTimeout(%s): got %q; want %q", d, got, want)
		}
	}
	f(-time.Second, "0n")
	f(0, "0n")
	f(1, "1n")
	f(99_999_999, "99999999n")
	f(100*time.Millisecond, "100000u")
	f(100*time.Second, "100000m")
	f(30*time.Hour, "108000S")
	f(math.MaxInt64, "2562047H")
}

func TestStatus(t *testing.T) {
	for c := range Code(Codes) {
		if got := ParseCode(c.Append(nil)); got != c {
			t.Fatalf("ParseCode(%q): got %d; want %d", c.Append(nil), got, c)
		}
	}
	for _, bad := range []string{"", "17", "20", "00", "-1", "1x", "x", "100", " 1"} {
		if got := ParseCode([]byte(bad)); got != Unknown {
			t.Fatalf("ParseCode(%q): got %d; want UNKNOWN", bad, got)
		}
	}
	f := func(lines string, want Code, wantFound bool) {
		t.Helper()
		if got, found := StatusOf([]byte(lines)); got != want || found != wantFound {
			t.Fatalf("StatusOf(%q): got %d, %t; want %d, %t", lines, got, found, want, wantFound)
		}
	}
	f("", 0, false)
	f("x: y\r\n", 0, false)
	f("grpc-status-details-bin: 5\r\n", 0, false)
	f("grpc-status: 0\r\n", OK, true)
	f("a: b\r\nGrpc-Status:14\r\ngrpc-message: x\r\n", Unavailable, true)
	f("grpc-status: 99\r\n", Unknown, true)
}

func TestCodeOfHTTP(t *testing.T) {
	f := func(status int, want Code) {
		t.Helper()
		if got := OfHTTP(status); got != want {
			t.Fatalf("OfHTTP(%d): got %d; want %d", status, got, want)
		}
	}
	f(200, Unknown)
	f(400, Internal)
	f(401, Unauthenticated)
	f(403, PermissionDenied)
	f(404, Unimplemented)
	f(418, Unknown)
	f(429, Unavailable)
	f(431, Internal)
	f(500, Unknown)
	f(502, Unavailable)
	f(503, Unavailable)
	f(504, Unavailable)
}

func TestEveryRefusalHasACode(t *testing.T) {
	for _, r := range exchange.Refusals() {
		code := OfRefusal(r)
		if code == OK || code == Unknown || code >= Codes {
			t.Errorf("%s: got %d; want a code that tells something", r.Cause, code)
		}
		if r.Source == exchange.FromUpstream && code != Unavailable {
			t.Errorf("%s: got %d; want UNAVAILABLE, for the upstream failed", r.Cause, code)
		}
	}
	if got := OfRefusal(exchange.BodyTooLarge); got != ResourceExhausted {
		t.Errorf("body_too_large: got %d; want RESOURCE_EXHAUSTED", got)
	}
}

func TestMessage(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if got := string(AppendMessage(nil, text)); got != want {
			t.Fatalf("AppendMessage(%q): got %q; want %q", text, got, want)
		}
	}
	f("", "")
	f("The route is gone.", "The route is gone.")
	f("100%", "100%25")
	f("\t\r\n\x7f", "%09%0D%0A%7F")
	f("ü", "%C3%BC")
}

func TestTrailerFrame(t *testing.T) {
	f := func(lines, want string) {
		t.Helper()
		if got := string(AppendTrailerFrame(nil, []byte(lines))); got != want {
			t.Fatalf("AppendTrailerFrame(%q): got %q; want %q", lines, got, want)
		}
	}
	f("", "\x80\x00\x00\x00\x00")
	f("Grpc-Status: 0\r\nX-A: Big: Value\r\n", "\x80\x00\x00\x00\x21grpc-status: 0\r\nx-a: Big: Value\r\n")
	f(string(AppendStatus(nil, Unavailable, "50 % gone")), "\x80\x00\x00\x00\x2cgrpc-status: 14\r\ngrpc-message: 50 %25 gone\r\n")
	f(string(AppendStatus(nil, OK, "")), "\x80\x00\x00\x00\x10grpc-status: 0\r\n")
	f(string(AppendField(nil, "a", "b")), "\x80\x00\x00\x00\x06a: b\r\n")
}
