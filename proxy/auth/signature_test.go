package auth

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const postHead = "POST /pets?limit=10 HTTP/1.1\r\nHost: api.example.org\r\nContent-Type: application/json\r\n" +
	"X-Tenant: blue\r\nX-Loose: one\r\nContent-Length: 2\r\nContent-Digest: sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:\r\n\r\n"

var postCover = []string{"@method", "@path", "@query", "@authority", "content-digest", "content-type", "x-tenant"}

func cover(more ...string) []string { return append(slices.Clone(postCover), more...) }

func signedPost(t testing.TB) string {
	return signHead(t, postHead, testSecret, inputOf(testTime, "key-1", testNonce, cover()...))
}

// TestStandardVector holds the base and the signature against those printed in
// RFC 9421, Appendix B.2.5. It has no nonce, so Verify itself refuses it.
func TestStandardVector(t *testing.T) {
	secret, err := base64.StdEncoding.DecodeString("uzvJfB4u3N0Jy4T7NZ75MDVcr8zSTInedJtkgcu46YW4XByzNJjxBdtjUkdJPBtbmHhIDi6pcl8jsasjlTMtDQ==")
	if err != nil {
		t.Fatal(err)
	}
	head := "POST /foo?param=Value&Pet=dog HTTP/1.1\r\nHost: example.com\r\nDate: Tue, 20 Apr 2021 02:07:55 GMT\r\n" +
		"Content-Type: application/json\r\nContent-Length: 18\r\n" +
		`Signature-Input: sig-b25=("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"` + "\r\n" +
		"Signature: sig-b25=:pxcQw6G3AjtMBQjwo8XzkZf/bws5LelbaMk5rGIGtE8=:\r\n\r\n"
	nonces, _ := NewNonces(16, time.Minute)
	v, err := NewVerifier(SignatureRules{Required: []string{"date", "@authority"}}, keys{"test-shared-secret": {string(secret)}}, nonces)
	if err != nil {
		t.Fatal(err)
	}
	x := mustExchange(t, head)
	w := new(work)
	in, reason := v.choose(w, x)
	if reason != nil {
		t.Fatal(reason)
	}
	if reason = w.build(in, x); reason != nil {
		t.Fatal(reason)
	}
	want := "\"date\": Tue, 20 Apr 2021 02:07:55 GMT\n\"@authority\": example.com\n\"content-type\": application/json\n" +
		`"@signature-params": ("date" "@authority" "content-type");created=1618884473;keyid="test-shared-secret"`
	if string(w.base) != want {
		t.Fatalf("got the base\n%s\nwant\n%s", w.base, want)
	}
	var signature [sha256.Size]byte
	if reason = w.find(in.label, &signature); reason != nil {
		t.Fatal(reason)
	}
	if reason = v.compare("test-shared-secret", w, &signature); reason != nil {
		t.Fatalf("got %s for the signature of the standard", reason)
	}
	if got := reasonOf(t, v, head, time.Unix(1618884473, 0)); got != "no_nonce" {
		t.Fatalf("got %q; want no_nonce", got)
	}
}

// TestOtherImplementation verifies what testdata/client/sign.mjs has signed.
func TestOtherImplementation(t *testing.T) {
	text, err := os.ReadFile("testdata/signed.json")
	if err != nil {
		t.Fatal(err)
	}
	var signed struct {
		Secret   string
		Created  int64
		Requests []struct{ Name, Head, Body string }
	}
	if err = json.Unmarshal(text, &signed); err != nil {
		t.Fatal(err)
	}
	if len(signed.Requests) < 11 {
		t.Fatalf("got %d requests; want at least 11", len(signed.Requests))
	}
	for _, r := range signed.Requests {
		t.Run(r.Name, func(t *testing.T) {
			v := newTestVerifier(t, SignatureRules{})
			_, digest, reason := v.Verify(mustExchange(t, r.Head), time.Unix(signed.Created, 0))
			if reason != nil {
				t.Fatalf("got %s for\n%s", reason, r.Head)
			}
			if digest.Demands() != (r.Body != "") || !CheckBody(&digest, []byte(r.Body)) {
				t.Fatalf("the body does not hold: %+v", digest)
			}
			if digest.Demands() && CheckBody(&digest, []byte(r.Body+"!")) {
				t.Fatal("another body holds")
			}
			wrong := newTestVerifier(t, SignatureRules{})
			wrong.secrets = keys{"key-1": {"another secret of 32 characters."}}
			if got := reasonOf(t, wrong, r.Head, time.Unix(signed.Created, 0)); got != "mismatch" {
				t.Fatalf("with another secret: got %q; want mismatch", got)
			}
		})
	}
}

func TestTampering(t *testing.T) {
	signed := signedPost(t)
	f := func(from, to, want string) {
		t.Helper()
		head := strings.Replace(signed, from, to, 1)
		if from != "" && head == signed {
			t.Fatalf("%q is not in %q", from, signed)
		}
		if got := reasonOf(t, newTestVerifier(t, SignatureRules{}), head, testTime); got != want {
			t.Fatalf("%q to %q: got %q; want %q", from, to, got, want)
		}
	}
	f("", "", "")
	f("X-Loose: one", "X-Loose: two", "")
	f("X-Loose: one\r\n", "", "")
	f("Host: api.example.org", "Host: API.example.org:80", "")
	f("X-Tenant: blue", "x-tenant:  blue\t", "")

	f("POST /pets", "PUT /pets", "mismatch")
	f("POST /pets", "POST /Pets", "mismatch")
	f("POST /pets", "POST /%70ets", "mismatch") // the same canonical path, but not what was signed
	f("POST /pets", "POST /x/../pets", "mismatch")
	f("limit=10", "limit=11", "mismatch")
	f("?limit=10", "", "mismatch")
	f("?limit=10", "?", "mismatch")
	f("Host: api.example.org", "Host: api.example.com", "mismatch")
	f("Host: api.example.org", "Host: api.example.org:8080", "mismatch")
	f("application/json", "application/xml", "mismatch")
	f("X-Tenant: blue", "X-Tenant: red", "mismatch")
	f("X-Tenant: blue", "X-Tenant: blue\r\nX-Tenant: red", "mismatch")
	f("X-Tenant: blue\r\n", "", `absent_component "\"x-tenant\""`)
	f(":RBNv", ":RBNw", "mismatch")
	f("Content-Digest: sha-256", "Content-Digest: md5", "bad_digest")
	f("Content-Digest: sha-256", "X-Digest: sha-256", `absent_component "content-digest"`)
	f(` "x-tenant"`, "", "mismatch")
	f(`"@method" "@path"`, `"@path" "@method"`, "mismatch")
	f(`"@method" `, "", `uncovered_component "@method"`)
	f(fmt.Sprint(testTime.Unix()), fmt.Sprint(testTime.Unix()+1), "mismatch")
	f(testNonce, strings.ToUpper(testNonce), "mismatch")
	f(`keyid="key-1"`, `keyid="key-2"`, "unknown_key")
	f(`;alg="hmac-sha256"`, "", "mismatch")
	f("Signature: sig=:", "Signature: sig=:AAAA", "mismatch")
}

func TestRequired(t *testing.T) {
	f := func(rules SignatureRules, head, want string, components ...string) {
		t.Helper()
		head = signHead(t, head, testSecret, inputOf(testTime, "key-1", testNonce, components...))
		if got := reasonOf(t, newTestVerifier(t, rules), head, testTime); got != want {
			t.Fatalf("%q with %q: got %q; want %q", head, rules, got, want)
		}
	}
	plain, asking := "GET /a HTTP/1.1\r\nHost: h\r\n\r\n", "GET /a?b=c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\n\r\n"
	var usual SignatureRules
	f(usual, plain, "", "@method", "@path", "@authority")
	f(usual, plain, `uncovered_component "@authority"`, "@method", "@path")
	f(usual, plain, `uncovered_component "@path"`, "@method", "@query", "@authority")
	f(usual, asking, `uncovered_component "@query"`, "@method", "@path", "@authority")
	f(usual, asking, `uncovered_component "@query"`, "@method", "@path", "@authority", `"@query-param";name="b"`)
	f(usual, asking, "", "@method", "@path", "@query", "@authority")
	f(usual, asking, "", "@method", "@request-target", "@authority")
	f(usual, asking, "", "@method", "@target-uri")
	f(usual, asking, `uncovered_component "@method"`, "@target-uri")
	f(usual, postHead, `uncovered_component "content-digest"`, "@method", "@target-uri")
	f(SignatureRules{Headers: []string{"X-A"}}, asking, `uncovered_component "x-a"`, "@method", "@target-uri")
	f(SignatureRules{Headers: []string{"X-A"}}, asking, "", "@method", "@target-uri", "x-a")
	f(SignatureRules{Headers: []string{"X-A"}}, asking, "", "@method", "@target-uri", `"x-a";bs`)
	f(SignatureRules{Headers: []string{"X-B"}}, asking, `uncovered_component "x-b"`, "@method", "@target-uri")
	f(SignatureRules{Required: []string{"@method"}}, postHead, "", "@method")
	f(SignatureRules{Required: []string{"@target-uri"}}, asking, `uncovered_component "@target-uri"`, "@method", "@path", "@query", "@authority", "@scheme")

	// A chunked body and an empty one that was announced as chunked need a digest, too.
	chunked := "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
	f(usual, chunked, `uncovered_component "content-digest"`, "@method", "@path", "@authority")
}

func TestWindow(t *testing.T) {
	rules := SignatureRules{MaxAge: time.Minute, Skew: 10 * time.Second}
	f := func(created time.Duration, expires string, want string) {
		t.Helper()
		input := inputOf(testTime.Add(created), "key-1", testNonce, "@method", "@path", "@authority") + expires
		head := signHead(t, "GET / HTTP/1.1\r\nHost: h\r\n\r\n", testSecret, input)
		if got := reasonOf(t, newTestVerifier(t, rules), head, testTime); got != want {
			t.Fatalf("created at %s%s: got %q; want %q", created, expires, got, want)
		}
	}
	expires := func(d time.Duration) string { return fmt.Sprintf(";expires=%d", testTime.Add(d).Unix()) }
	f(0, "", "")
	f(-70*time.Second, "", "")
	f(-71*time.Second, "", "expired")
	f(10*time.Second, "", "")
	f(11*time.Second, "", "from_the_future")
	f(-time.Hour, "", "expired")
	f(time.Hour, "", "from_the_future")
	f(-20*time.Second, expires(-10*time.Second), "")
	f(-20*time.Second, expires(-11*time.Second), "expired")
	f(-71*time.Second, expires(time.Hour), "expired")
	f(-5*time.Second, expires(-6*time.Second), "malformed")
	f(time.Duration(-testTime.UnixNano()), "", "expired") // 1970
}

func TestReplay(t *testing.T) {
	v := newTestVerifier(t, SignatureRules{})
	signed := signedPost(t)
	if got := reasonOf(t, v, signed, testTime); got != "" {
		t.Fatal(got)
	}
	for _, at := range []time.Duration{0, time.Second, 5 * time.Minute} {
		if got := reasonOf(t, v, signed, testTime.Add(at)); got != "replayed" {
			t.Fatalf("again after %s: got %q; want replayed", at, got)
		}
	}
	again := signHead(t, postHead, testSecret, inputOf(testTime.Add(time.Second), "key-1", testNonce, cover()...))
	if got := reasonOf(t, v, again, testTime); got != "replayed" {
		t.Fatalf("the nonce in another signature: got %q; want replayed", got)
	}
	v.secrets = keys{"key-1": {testSecret}, "key-2": {testSecret}}
	other := signHead(t, postHead, testSecret, inputOf(testTime, "key-2", testNonce, cover()...))
	if got := reasonOf(t, v, other, testTime); got != "" {
		t.Fatalf("the nonce of another key: got %q; want none", got)
	}
}

// TestReplayAtOnce has many send the same request at once: one gets through.
func TestReplayAtOnce(t *testing.T) {
	v, signed := newTestVerifier(t, SignatureRules{}), signedPost(t)
	var passed atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		x := mustExchange(t, signed)
		all.Go(func() {
			for range 50 {
				switch _, _, reason := v.Verify(x, testTime); reason {
				case nil:
					passed.Add(1)
				case replayed:
				default:
					t.Error(reason)
				}
			}
		})
	}
	all.Wait()
	if got := passed.Load(); got != 1 {
		t.Fatalf("got %d through; want 1", got)
	}
}

// TestKnownFields covers the fields that the header type keeps apart from the
// others. What is verified is what it shows, and so what is sent on.
func TestKnownFields(t *testing.T) {
	names := []string{"host", "content-type", "content-length", "user-agent", "cookie", "connection", "accept", "authorization"}
	head := "PUT /a HTTP/1.1\r\nHost: H.example\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nUser-Agent: u/1\r\n" +
		"Cookie: a=1;  b=2\r\nConnection: keep-alive\r\nAccept: a\r\nAccept: b\r\nAuthorization: Basic eA==\r\n\r\n"
	signed := signHead(t, head, testSecret, inputOf(testTime, "key-1", testNonce, append([]string{"@method", "@target-uri"}, names...)...))
	f := func(from, to, want string) {
		t.Helper()
		if got := reasonOf(t, newTestVerifier(t, SignatureRules{Headers: names}), strings.Replace(signed, from, to, 1), testTime); got != want {
			t.Fatalf("%q to %q: got %q; want %q", from, to, got, want)
		}
	}
	f("", "", "")
	f("text/plain", "text/html", "mismatch")
	f("text/plain\r\n", "text/plain\r\nContent-Type: text/html\r\n", "mismatch")
	f("u/1", "u/2", "mismatch")
	f("a=1", "a=2", "mismatch")
	f("b=2\r\n", "b=2\r\nCookie: c=3\r\n", "mismatch")
	f("keep-alive", "close", "mismatch")
	f("Accept: b", "Accept: c", "mismatch")
	f("Accept: a\r\nAccept: b", "Accept: a, b", "") // the same by RFC 9110 §5.3
	f("Accept: a\r\nAccept: b", "Accept: b\r\nAccept: a", "mismatch")
}

// TestForgedUsesNoNonce holds that who has no key cannot use up the nonces of
// those who have.
func TestForgedUsesNoNonce(t *testing.T) {
	v := newTestVerifier(t, SignatureRules{})
	forged := signHead(t, postHead, "another secret of 32 characters.", inputOf(testTime, "key-1", testNonce, cover()...))
	if got := reasonOf(t, v, forged, testTime); got != "mismatch" {
		t.Fatal(got)
	}
	if held := v.nonces.Stats().Held; held != 0 {
		t.Fatalf("got %d nonces; want 0", held)
	}
	if got := reasonOf(t, v, signedPost(t), testTime); got != "" {
		t.Fatal(got)
	}
}

func TestRotation(t *testing.T) {
	v := newTestVerifier(t, SignatureRules{})
	f := func(secrets []string, want string) {
		t.Helper()
		v.secrets = keys{"key-1": secrets}
		v.nonces, _ = NewNonces(16, time.Hour)
		if got := reasonOf(t, v, signedPost(t), testTime); got != want {
			t.Fatalf("%q: got %q; want %q", secrets, got, want)
		}
	}
	const other = "another secret of 32 characters."
	f([]string{testSecret, other}, "")
	f([]string{other, testSecret}, "")
	f([]string{other, other, testSecret}, "")
	f([]string{other, other}, "mismatch")
	f(nil, "unknown_key")

	// The secret that stands in for those that there are not opens nothing.
	for _, k := range []keys{{}, {"key-1": {other}}} {
		v.secrets = k
		head := signHead(t, postHead, string(v.dummy), inputOf(testTime, "key-1", testNonce, cover()...))
		if got := reasonOf(t, v, head, testTime); got == "" {
			t.Fatalf("%q: the dummy secret opens", k)
		}
	}
	// What is too short is no secret at all, the empty one least of all.
	for _, short := range []string{"", "15 characters.."} {
		head := signHead(t, postHead, short, inputOf(testTime, "key-1", testNonce, cover()...))
		v.secrets = keys{"key-1": {short}}
		if got := reasonOf(t, v, head, testTime); got != "unknown_key" {
			t.Fatalf("%q: got %q; want unknown_key", short, got)
		}
	}
}

func TestLabels(t *testing.T) {
	const head = "GET / HTTP/1.1\r\nHost: h\r\n\r\n"
	input := inputOf(testTime, "key-1", testNonce, "@method", "@path", "@authority")
	base, err := clientBase(head, input)
	if err != nil {
		t.Fatal(err)
	}
	tagged := input + `;tag="weir"`
	taggedBase, _ := clientBase(head, tagged)
	mine, tag := ":"+macOf(testSecret, base)+":", ":"+macOf(testSecret, taggedBase)+":"
	foreign := `("@status";req "date";tr);created=1;alg="ed25519";keyid="k"`
	f := func(tag, inputs, signatures, want string) {
		t.Helper()
		lines := ""
		for _, line := range strings.Split(inputs, "|") {
			lines += "Signature-Input: " + line + "\r\n"
		}
		for _, line := range strings.Split(signatures, "|") {
			lines += "Signature: " + line + "\r\n"
		}
		signed := strings.Replace(head, "\r\n\r\n", "\r\n"+lines+"\r\n", 1)
		if got := reasonOf(t, newTestVerifier(t, SignatureRules{Tag: tag}), signed, testTime); got != want {
			t.Fatalf("%s\n%s\ngot %q; want %q", inputs, signatures, got, want)
		}
	}
	f("", "a="+input, "a="+mine, "")
	f("", "a="+foreign+", b="+input, "a=:AAAA:, b="+mine, "")
	f("", "a="+foreign+"|b="+input, "b="+mine+"|a=:AAAA:", "")
	f("", "b="+input+" ,\t a="+foreign, "b="+mine, "")
	f("", "a="+foreign, "a=:AAAA:", "wrong_algorithm")
	f("", "a=();created=1", "a=:AAAA:", "no_key_id")
	f("weir", "a="+input+", b="+tagged, "a="+mine+", b="+tag, "")
	f("weir", "a="+input, "a="+mine, "missing")
	f("weir", "a="+foreign+`;tag="weir"`, "a="+mine, "unsupported_component \"\\\"@status\\\";req\"")
	f("", "a="+input, "b="+mine, "missing")
	f("", "a="+input+", a="+input, "a="+mine, "malformed")
	f("", "a="+input, "a="+mine+", a="+mine, "malformed")
	f("", "a="+input, `a="text"`, "malformed")
	f("", "a="+input, "a", "malformed")
	f("", "a", "a="+mine, "malformed")
	f("", "a=1", "a="+mine, "malformed")
	f("", "a="+input+",", "a="+mine, "malformed")
	f("", "A="+input, "a="+mine, "malformed")
	f("", "a="+input, "a=:"+strings.Repeat("A", 44)+":", "mismatch")
}

func TestBadInput(t *testing.T) {
	f := func(input, want string) {
		t.Helper()
		head := "GET /a?b=1&b=2&c HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nSignature-Input: sig=" + input +
			"\r\nSignature: sig=:" + strings.Repeat("A", 43) + "=:\r\n\r\n"
		if got := reasonOf(t, newTestVerifier(t, SignatureRules{Required: []string{"@method"}}), head, testTime); got != want {
			t.Fatalf("%s: got %q; want %q", input, got, want)
		}
	}
	params := fmt.Sprintf(`;created=%d;keyid="key-1";nonce="%s"`, testTime.Unix(), testNonce)
	f(`("@method")`+params, "mismatch")
	f(`("@method" "@method")`+params, "malformed")
	f(`("@method" "x-a" "x-a")`+params, "malformed")
	f(`("@method""x-a")`+params, "malformed")
	f(`("@method" "X-A")`+params, `unsupported_component "\"X-A\""`)
	f(`("@method" x-a)`+params, "malformed")
	f(`("@method" "@status")`+params, `unsupported_component "\"@status\""`)
	f(`("@method" "@signature-params")`+params, `unsupported_component "\"@signature-params\""`)
	f(`("@method";req)`+params, `unsupported_component "\"@method\";req"`)
	f(`("@method" "x-a";sf)`+params, `unsupported_component "\"x-a\";sf"`)
	f(`("@method" "x-a";key="a")`+params, `unsupported_component "\"x-a\";key=\"a\""`)
	f(`("@method" "x-a";new)`+params, `unsupported_component "\"x-a\";new"`)
	f(`("@method" "x-a"; bs)`+params, "malformed")
	f(`("@method" "x-a";bs=?1)`+params, "malformed")
	f(`("@method" "x-a";bs;bs)`+params, `unsupported_component "\"x-a\";bs;bs"`)
	f(`("@method" "@query-param")`+params, `unsupported_component "\"@query-param\""`)
	f(`("@method" "@query-param";name="b")`+params, "malformed")
	f(`("@method" "@query-param";name="d")`+params, `absent_component "\"@query-param\";name=\"d\""`)
	f(`("@method" "@query-param";name="c")`+params, "mismatch")
	f(`("@method" "x-b")`+params, `absent_component "\"x-b\""`)
	f(`("@method" "x\"a")`+params, `unsupported_component "\"x\\\"a\""`)

	f(`("@method");keyid="key-1";nonce="`+testNonce+`"`, "no_created")
	f(fmt.Sprintf(`("@method");created=%d;keyid="key-1"`, testTime.Unix()), "no_nonce")
	f(fmt.Sprintf(`("@method");created=%d;keyid="key-1";nonce="short"`, testTime.Unix()), "no_nonce")
	f(fmt.Sprintf(`("@method");created=%d;keyid="key-1";nonce="%s"`, testTime.Unix(), strings.Repeat("n", 129)), "too_long")
	f(fmt.Sprintf(`("@method");created=%d;keyid="%s";nonce="%s"`, testTime.Unix(), strings.Repeat("k", 129), testNonce), "too_long")
	f(`("@method")`+params+`;created=1`, "malformed")
	f(`("@method")`+params+`;keyid="key-1"`, "malformed")
	f(`("@method")`+params+`;nonce="`+testNonce+`"`, "malformed")
	f(`("@method")`+params+`;new=1`, "malformed")
	f(`("@method");created=1.5;keyid="key-1"`, "malformed")
	f(`("@method");created="1";keyid="key-1"`, "malformed")
	f(`("@method");created=9999999999999999;keyid="key-1"`, "malformed")
	f(`("@method");created=999999999999999;keyid="key-1";nonce="`+testNonce+`"`, "from_the_future")
	f(`("@method");created=-999999999999999;keyid="key-1";nonce="`+testNonce+`"`, "expired")
	f(`("@method"`, "malformed")
	f(`("@method") ;created=1`, "malformed")
	f(`("@method");`, "malformed")

	var many []string
	for i := range 65 {
		many = append(many, fmt.Sprintf(`"x-%d"`, i))
	}
	f("("+strings.Join(many, " ")+")"+params, "too_long")
	f(`("@method")`+params+`;tag="`+strings.Repeat("t", maxInput)+`"`, "too_long")
	labels := `("@method")` + params
	for i := range maxLabels {
		labels += fmt.Sprintf(", l%d=()", i)
	}
	f(labels, "too_long")

	large := "GET /" + strings.Repeat("a", 40<<10) + " HTTP/1.1\r\nHost: h\r\nSignature-Input: sig=(\"@method\" \"@path\" \"@request-target\")" + params +
		"\r\nSignature: sig=:AAAA:\r\n\r\n"
	if got := reasonOf(t, newTestVerifier(t, SignatureRules{}), large, testTime); got != `uncovered_component "@authority"` {
		t.Fatal(got)
	}
	large = strings.Replace(large, `"@path" `, `"@path" "@authority" `, 1)
	if got := reasonOf(t, newTestVerifier(t, SignatureRules{}), large, testTime); got != "too_long" {
		t.Fatalf("got %q for a base of 80 KiB; want too_long", got)
	}
	if got := reasonOf(t, newTestVerifier(t, SignatureRules{}), "GET / HTTP/1.1\r\nHost: h\r\n\r\n", testTime); got != "missing" {
		t.Fatalf("got %q without a signature; want missing", got)
	}
}

func TestRulesRefused(t *testing.T) {
	nonces, _ := NewNonces(16, time.Hour)
	f := func(rules SignatureRules) {
		t.Helper()
		if _, err := NewVerifier(rules, keys{}, nonces); err == nil {
			t.Fatalf("%+v is taken", rules)
		}
	}
	if got := (SignatureRules{}).Window(); got != 6*time.Minute {
		t.Fatalf("got a window of %s; want 6m", got)
	}
	f(SignatureRules{Required: []string{"@status"}})
	f(SignatureRules{Required: []string{"@query-param"}})
	f(SignatureRules{Required: []string{""}})
	f(SignatureRules{Headers: []string{"a b"}})
	f(SignatureRules{Headers: []string{"@method"}})
	f(SignatureRules{MaxAge: -1})
	f(SignatureRules{MaxAge: 25 * time.Hour})
	f(SignatureRules{Skew: -1})
	f(SignatureRules{Skew: 2 * time.Hour})
	for _, n := range []struct {
		capacity int
		window   time.Duration
	}{{0, time.Hour}, {15, time.Hour}, {16, 0}, {16, -1}} {
		if _, err := NewNonces(n.capacity, n.window); err == nil {
			t.Fatalf("%+v is taken", n)
		}
	}
}

func TestDigest(t *testing.T) {
	const body = `{"hello": "world"}`
	short, long := sha256.Sum256([]byte(body)), sha512.Sum512([]byte(body))
	a := "sha-256=:" + base64.StdEncoding.EncodeToString(short[:]) + ":"
	b := "sha-512=:" + base64.StdEncoding.EncodeToString(long[:]) + ":"
	f := func(text string, parses, holds bool) {
		t.Helper()
		var d ContentDigest
		if got := parseDigest([]byte(text), &d); got != parses {
			t.Fatalf("%q: got %t; want %t", text, got, parses)
		}
		if parses && CheckBody(&d, []byte(body)) != holds {
			t.Fatalf("%q: got %t; want %t", text, !holds, holds)
		}
	}
	f(a, true, true)
	f(b, true, true)
	f(a+", "+b, true, true)
	f("md5=:AAAA:, "+a, true, true)
	f(a+", "+strings.Replace(b, "=:", "=:AA", 1), false, false)
	wrong := sha512.Sum512([]byte("other"))
	f(a+", sha-512=:"+base64.StdEncoding.EncodeToString(wrong[:])+":", true, false)
	f("md5=:AAAA:", false, false)
	f("", false, false)
	f(a+", "+a, false, false)
	f("sha-256=:AAAA:", false, false)
	f("sha-256=text", false, false)
	f("sha-256", false, false)
	f("sha-256="+base64.StdEncoding.EncodeToString(short[:]), false, false)

	var none ContentDigest
	if none.Demands() || !CheckBody(&none, []byte(body)) {
		t.Fatal("the zero value demands something")
	}
}
