package auth

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dunglas/httpsfv"
)

// FuzzVerify has a client that shares no code with Verifier sign what it can:
// Verifier must come to the same signature or say what it does not support. One
// byte is then changed: what still holds must hold for that client, too.
func FuzzVerify(f *testing.F) {
	f.Add("/pets?limit=10&q=a+b", "blue", `"@path" "@query" "@authority" "x-a";bs`, uint16(6), byte(3))
	f.Add("/", "", `"@target-uri" "@scheme" "host"`, uint16(100), byte(0x20))
	f.Add("/a%2fb?b=%7e*&c", "a\tb", `"@request-target" "@query-param";name="b" "@query-param";name="c" "x-a"`, uint16(200), byte(1))
	f.Add("/?b=1&b=2", " x ", `"@query-param";name="b"`, uint16(0), byte(0))
	f.Add("/?f%C3%A7=%", "\xff", `"@query-param";name="f%C3%A7" "x-a"`, uint16(33), byte(9))
	nonces, _ := NewNonces(16, time.Hour)
	v, err := NewVerifier(SignatureRules{Required: []string{"@method"}}, keys{"key-1": {testSecret}}, nonces)
	if err != nil {
		f.Fatal(err)
	}
	refusals := []string{"malformed", "too_long", "unsupported_component"}
	f.Fuzz(func(t *testing.T, target, field, components string, at uint16, change byte) {
		head := "GET " + target + " HTTP/1.1\r\nHost: h:80\r\nX-A: " + field + "\r\n\r\n"
		input := strings.Replace(inputOf(testTime, "key-1", testNonce, "@method"), `"@method"`, `"@method" `+components, 1)
		if !strings.HasPrefix(target, "/") || exchangeOf(head) == nil || clientHolds(head) {
			return
		}
		base, err := clientBase(head, input)
		if err != nil {
			return
		}
		signed := strings.TrimSuffix(head, "\r\n") + "Signature-Input: sig=" + input + "\r\nSignature: sig=:" + macOf(testSecret, base) + ":\r\n\r\n"
		x := exchangeOf(signed)
		if x == nil {
			return
		}
		v.nonces, _ = NewNonces(16, time.Hour)
		_, _, reason := v.Verify(x, testTime)
		if reason != nil && !slices.Contains(refusals, reason.Name) && isSpelledOnce(input) {
			t.Fatalf("got %s for\n%s\nbase\n%s", reason, signed, base)
		}
		changed := []byte(signed)
		changed[int(at)%len(changed)] ^= change
		v.nonces, _ = NewNonces(16, time.Hour)
		if x = exchangeOf(string(changed)); x == nil {
			return
		}
		if _, _, reason = v.Verify(x, testTime); reason == nil && !clientHolds(string(changed)) {
			t.Fatalf("this holds, and the client has not signed it:\n%s", changed)
		}
	})
}

// isSpelledOnce tells whether a client that writes the input anew, as it has to
// by RFC 8941, writes just these bytes.
func isSpelledOnce(input string) bool {
	dict, err := httpsfv.UnmarshalDictionary([]string{"sig=" + input})
	if err != nil {
		return false
	}
	again, err := httpsfv.Marshal(dict)
	return err == nil && again == "sig="+input
}

// clientHolds tells whether a signature of the head under the label sig, or
// what that became, was made with the tests' secret.
func clientHolds(head string) bool {
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head)))
	if err != nil {
		return false
	}
	inputs, err := httpsfv.UnmarshalDictionary(r.Header.Values("Signature-Input"))
	if err != nil {
		return false
	}
	signatures, err := httpsfv.UnmarshalDictionary(r.Header.Values("Signature"))
	if err != nil {
		return false
	}
	for _, label := range inputs.Names() {
		member, _ := inputs.Get(label)
		list, ok := member.(httpsfv.InnerList)
		signature, there := signatures.Get(label)
		if !ok || !there {
			continue
		}
		input, err := httpsfv.Marshal(httpsfv.List{list})
		if err != nil {
			continue
		}
		base, err := clientBase(head, input)
		made, _ := signature.(httpsfv.Item)
		text, _ := made.Value.([]byte)
		if err == nil && base64.StdEncoding.EncodeToString(text) == macOf(testSecret, base) {
			return true
		}
	}
	return false
}

// FuzzHead throws any head at Verify: it must not panic, and nothing holds, for
// nobody has signed.
func FuzzHead(f *testing.F) {
	f.Add(postHead)
	f.Add(signHead(f, postHead, "another secret of 32 characters.", inputOf(testTime, "key-1", testNonce, cover()...)))
	f.Add("GET / HTTP/1.1\r\nHost: h\r\nSignature-Input: a=(\"@query-param\";name=\"\");created=1\r\nSignature: a=::\r\n\r\n")
	v := newTestVerifier(f, SignatureRules{Required: []string{"@method"}})
	f.Fuzz(func(t *testing.T, head string) {
		x := exchangeOf(head)
		if x == nil {
			return
		}
		if keyID, _, reason := v.Verify(x, testTime); reason == nil && !clientHolds(head) {
			t.Fatalf("%q holds for %q", head, keyID)
		}
	})
}

// FuzzDictionary holds the scanner against httpsfv: they read the same, but for
// dates and display strings, which are refused here.
func FuzzDictionary(f *testing.F) {
	for _, seed := range []string{
		`sig=("@method" "@path";req);created=1;keyid="k"`, `a=:AAAA:, b=?0;x=1.5;y=tok/en, c`, `a=(  "x"   1 -2.25 *t :YQ==: );p,b="\"\\"`,
		`a=1, a=2`, `a=()`, ``, ` a `, `a=-`, `a=1.`, `a=1234567890123456`, `a=123456789012.123`, `a=1234567890123.1`, `a=:YQ=:`, `a=@1`, `a=%"x"`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if !isField(text) {
			return
		}
		text = string(trim([]byte(text))) // as fields come
		got, ok := scanAll([]byte(text))
		dict, err := httpsfv.UnmarshalDictionary([]string{text})
		if err == nil && hasNewTypes(text) {
			return
		}
		if ok != (err == nil) {
			t.Fatalf("%q: got %t; want %v", text, ok, err)
		}
		if !ok {
			return
		}
		want := make(map[string]string)
		for _, name := range dict.Names() {
			member, _ := dict.Get(name)
			want[name], err = httpsfv.Marshal(memberOf(member))
			if err != nil {
				return // it reads what it cannot write, such as decimals with four digits
			}
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q:\ngot  %q\nwant %q", text, got, want)
		}
	})
}

func isField(text string) bool {
	_, ok := joinLines(nil, [][]byte{[]byte(text)})
	return ok && !strings.ContainsFunc(text, func(r rune) bool { return r > '~' })
}

func hasNewTypes(text string) bool { return strings.Contains(text, "@") || strings.Contains(text, "%") }

func memberOf(m httpsfv.Member) httpsfv.StructuredFieldValue {
	if list, ok := m.(httpsfv.InnerList); ok {
		return httpsfv.List{list}
	}
	return httpsfv.List{m.(httpsfv.Item)}
}

// scanAll reads a whole dictionary and writes each member by httpsfv.
func scanAll(text []byte) (map[string]string, bool) {
	out := make(map[string]string)
	s := scanner{text: text}
	for n := 0; ; n++ {
		key := s.member(n)
		if key == nil {
			break
		}
		var m httpsfv.Member
		params := func() *httpsfv.Params {
			p := httpsfv.NewParams()
			for {
				key, v, ok := s.parameter()
				if !ok {
					return p
				}
				p.Add(string(key), valueOf(v))
			}
		}
		switch {
		case !s.take('='):
			m = httpsfv.Item{Value: true, Params: params()}
		case s.take('('):
			var list httpsfv.InnerList
			for i := 0; ; i++ {
				v, ok := s.element(i)
				if !ok {
					break
				}
				list.Items = append(list.Items, httpsfv.Item{Value: valueOf(v), Params: params()})
			}
			list.Params = params()
			m = list
		default:
			v := s.item()
			m = httpsfv.Item{Value: valueOf(v), Params: params()}
		}
		if s.bad {
			break
		}
		written, err := httpsfv.Marshal(memberOf(m))
		if err != nil {
			return nil, false
		}
		out[string(key)] = written
	}
	return out, !s.bad
}

func valueOf(v item) any {
	switch v.kind {
	case aString:
		return string(bytes.ReplaceAll(bytes.ReplaceAll(v.text, []byte(`\"`), []byte(`"`)), []byte(`\\`), []byte(`\`)))
	case anInteger:
		return v.number
	case aDecimal:
		parsed, _ := httpsfv.UnmarshalItem([]string{string(v.text)})
		return parsed.Value
	case aToken:
		return httpsfv.Token(v.text)
	case aBytes:
		b, _ := base64.StdEncoding.DecodeString(string(v.text))
		return b
	}
	return v.truth
}
