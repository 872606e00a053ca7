package auth

import (
	"bufio"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"

	"weir/proxy/exchange"
	"weir/proxy/wire"
)

// What the tests sign with, and when.
const (
	testSecret = "0123456789abcdef0123456789abcdef"
	testNonce  = "fedcba9876543210fedcba98"
)

var testTime = time.Unix(1_800_000_000, 0)

// keys are the secrets of some keys.
type keys map[string][]string

func (k keys) SigningSecrets(keyID string) (secrets [][]byte) {
	for _, s := range k[keyID] {
		secrets = append(secrets, []byte(s))
	}
	return secrets
}

func newTestVerifier(t testing.TB, rules SignatureRules) *Verifier {
	t.Helper()
	nonces, err := NewNonces(1<<10, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	v, err := NewVerifier(rules, keys{"key-1": {testSecret}}, nonces)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// exchangeOf makes an exchange of a head as the front ends do, or returns nil
// where they would refuse it.
func exchangeOf(head string) *exchange.Exchange {
	var scanned wire.Head
	done, fault := scanned.ScanRequest([]byte(head), &wire.Limits{})
	if fault != nil || !done || scanned.Len != len(head) {
		return nil
	}
	x := new(exchange.Exchange)
	if err := x.Request.Read(bufio.NewReaderSize(strings.NewReader(head), len(head)+1)); err != nil {
		return nil
	}
	x.Target = append(x.Target, scanned.Target.Of([]byte(head))...)
	x.Authority = append(x.Authority, x.Request.Host()...)
	x.RequestLength, x.Scheme = scanned.Length, "http"
	return x
}

func mustExchange(t testing.TB, head string) *exchange.Exchange {
	t.Helper()
	x := exchangeOf(head)
	if x == nil {
		t.Fatalf("%q is no head", head)
	}
	return x
}

// inputOf writes a member of Signature-Input.
func inputOf(created time.Time, keyID, nonce string, components ...string) string {
	for i, c := range components {
		if !strings.HasPrefix(c, `"`) {
			components[i] = `"` + c + `"`
		}
	}
	return fmt.Sprintf(`(%s);created=%d;keyid="%s";nonce="%s";alg="hmac-sha256"`, strings.Join(components, " "), created.Unix(), keyID, nonce)
}

// signHead signs the head, as a client that knows nothing of this package
// would, and adds the two fields.
func signHead(t testing.TB, head, secret, input string) string {
	t.Helper()
	base, err := clientBase(head, input)
	if err != nil {
		t.Fatalf("cannot sign %q: %s", head, err)
	}
	end := strings.Index(head, "\r\n\r\n") + 2
	return head[:end] + "Signature-Input: sig=" + input + "\r\nSignature: sig=:" + macOf(secret, base) + ":\r\n" + head[end:]
}

func macOf(secret, base string) string {
	h := hmac.New(sha256.New, []byte(secret))
	_, _ = io.WriteString(h, base)
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// clientBase builds a signature base by RFC 9421 §2.5 from what net/http and
// httpsfv make of the head and of the input. It shares no code with Verifier.
func clientBase(head, input string) (string, error) {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return "", err
	}
	dict, err := httpsfv.UnmarshalDictionary([]string{"sig=" + input})
	if err != nil {
		return "", err
	}
	member, _ := dict.Get("sig")
	list, ok := member.(httpsfv.InnerList)
	if !ok {
		return "", fmt.Errorf("%q is no inner list", input)
	}
	var b strings.Builder
	for _, c := range list.Items {
		identifier, err := httpsfv.Marshal(c)
		if err != nil {
			return "", err
		}
		value, err := clientValue(r, c)
		if err != nil {
			return "", err
		}
		b.WriteString(identifier + ": " + value + "\n")
	}
	params, err := httpsfv.Marshal(httpsfv.List{list})
	return b.String() + `"@signature-params": ` + params, err
}

func clientValue(r *http.Request, c httpsfv.Item) (string, error) {
	name, _ := c.Value.(string)
	host := strings.TrimSuffix(strings.ToLower(r.Host), ":80")
	switch name {
	case "@method":
		return r.Method, nil
	case "@scheme":
		return "http", nil
	case "@authority":
		return host, nil
	case "@target-uri":
		return "http://" + r.Host + r.RequestURI, nil
	case "@request-target":
		return r.RequestURI, nil
	case "@path":
		path, _, _ := strings.Cut(r.RequestURI, "?")
		return path, nil
	case "@query":
		_, query, _ := strings.Cut(r.RequestURI, "?")
		return "?" + query, nil
	case "@query-param":
		want, _ := c.Params.Get("name")
		for name, values := range r.URL.Query() {
			if formEncode(name) == want && len(values) == 1 {
				return formEncode(values[0]), nil
			}
		}
		return "", fmt.Errorf("no parameter %q", want)
	case "host":
		return r.Host, nil
	}
	lines := r.Header.Values(name)
	if len(lines) == 0 {
		return "", fmt.Errorf("no field %q", name)
	}
	if _, wrapped := c.Params.Get("bs"); wrapped {
		for i := range lines {
			lines[i] = ":" + base64.StdEncoding.EncodeToString([]byte(lines[i])) + ":"
		}
	}
	return strings.Join(lines, ", "), nil
}

func formEncode(s string) string {
	return strings.NewReplacer("+", "%20", "~", "%7E", "%2A", "*").Replace(url.QueryEscape(s))
}

// reasonOf verifies head at the time of the tests.
func reasonOf(t testing.TB, v *Verifier, head string, now time.Time) string {
	t.Helper()
	keyID, _, reason := v.Verify(mustExchange(t, head), now)
	if (reason == nil) != (keyID != "") {
		t.Fatalf("got key %q with reason %v", keyID, reason)
	}
	if reason == nil {
		return ""
	}
	return reason.Error()
}
