package observe

import (
	"bytes"
	"strings"
	"testing"
)

func TestSecretsAreRedacted(t *testing.T) {
	quoted := newEscaper(quotedText)
	f := func(url, want string) {
		t.Helper()
		if got := string(appendURL(nil, quoted, []byte(url))); got != want {
			t.Errorf("appendURL(%q): got %q; want %q", url, got, want)
		}
	}
	for _, key := range strings.Fields(`access_token token key api_key apikey password secret signature sig code X-Amz-Signature
		X-Amz-Security-Token X-Amz-Credential id_token refresh_token client_secret x-api-key TOKEN Access-Token access%5Ftoken %74oken jwt`) {
		f("/p?"+key+"=hunter2", "/p?"+key+"=REDACTED")
		f("/p?a=1&"+key+"=hunter2&b=2", "/p?a=1&"+key+"=REDACTED&b=2")
	}
	f("/p", "/p")
	f("/p?", "/p?")
	f("/p?a=1&b=2", "/p?a=1&b=2")
	f("/p?token", "/p?token")
	f("/p?token=", "/p?token=REDACTED")
	f("/p?token=a=b", "/p?token=REDACTED")
	f("/p?a=token", "/p?a=token")
	f("/p?a=1;token=x;b=2", "/p?a=1;token=REDACTED;b=2")
	f("/p?&&token=x&&", "/p?&&token=REDACTED&&")
	f("/p?a=?token=x", "/p?a=?token=x")
	f("/p?encode=1&keyword=2&monkeys=3", "/p?encode=1&keyword=2&monkeys=3")
	f("/p?"+strings.Repeat("x", 200)+"_token=y", "/p?"+strings.Repeat("x", 200)+"_token=REDACTED")
	f("https://example.org/cb?code=y#access_token=z", "https://example.org/cb?code=REDACTED")
	f("https://user:pass@example.org/a@b?x=1", "https://REDACTED@example.org/a@b?x=1")
	f("/p?t%oken=1&%=2&%4=3", "/p?t%oken=1&%=2&%4=3")
	f("/p?\"=1&token=\"", `/p?\"=1&token=REDACTED`)
}

func TestRedactionOfLongQueries(t *testing.T) {
	quoted := newEscaper(quotedText)
	for padding := maxValueBytes - 40; padding < maxValueBytes+10; padding++ {
		query := "a=" + strings.Repeat("x", padding) + "&access_token=hunter2"
		if got := appendQuery(nil, quoted, []byte(query)); bytes.Contains(got, []byte("hunter2")) || bytes.Contains(got, []byte("=h")) {
			t.Fatalf("padding of %d: got the secret in %q", padding, got[len(got)-60:])
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("/p?a=1&", "&b=2")
	f.Add("https://a@b?", "#x")
	f.Add("?", ";")
	f.Fuzz(func(t *testing.T, before, after string) {
		const secret = "7h3-5ecre7-v4lue"
		if strings.ContainsAny(before, "#") || strings.Count(before, "?") != 1 || len(before)+len(after) > maxValueBytes/2 {
			return
		}
		if !strings.HasSuffix(before, "?") && !strings.HasSuffix(before, "&") {
			before += "&"
		}
		got := appendURL(nil, newEscaper(quotedText), []byte(before+"token="+secret+after))
		if bytes.Contains(got, []byte(secret)) {
			t.Fatalf("got the secret in %q", got)
		}
	})
}
