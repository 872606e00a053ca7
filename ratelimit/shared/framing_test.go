package shared

import (
	"strings"
	"testing"
)

func TestFraming(t *testing.T) {
	f := func(text string, whole int64, wrong string) {
		t.Helper()
		var f framing
		err := f.feed([]byte(text))
		if f.whole != whole || (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %d messages, %v; want %d, %q", text, f.whole, err, whole, wrong)
		}
	}
	f("+OK\r\n", 1, "")
	f("+OK\r\n:1\r\n-ERR no\r\n_\r\n", 4, "")
	f("+OK\r", 0, "")
	f("$5\r\nhello", 0, "")
	f("$5\r\nhello\r\n", 1, "")
	f("$0\r\n\r\n$-1\r\n", 2, "")
	f("*2\r\n:1\r\n*1\r\n$1\r\n*\r\n", 1, "")
	f("*0\r\n*-1\r\n%0\r\n", 3, "")
	f("%1\r\n+proto\r\n:3\r\n~1\r\n,1.5\r\n", 2, "")
	f(">2\r\n+message\r\n+text\r\n:1\r\n", 1, "")
	f("+"+strings.Repeat("x", 100)+"\r\n:1\r\n", 2, "")
	f("HTTP/1.1 200 OK\r\n", 0, "unknown message type 'H'")
	f("\r\n", 0, "unknown message type")
	f("$-5\r\n", 0, "no number")
	f("$?\r\n", 0, "no number")
	f("$1x\r\n", 0, "no number")
	f("$"+strings.Repeat("0", 100)+"1\r\n", 0, "no number")
	f("$99999999999\r\n", 0, "too large")
	f("*99999999\r\n", 0, "too large")
	f(strings.Repeat("*1\r\n", 17), 0, "too large")
}

func FuzzFraming(f *testing.F) {
	f.Add([]byte("*2\r\n$5\r\nhello\r\n%1\r\n:1\r\n:2\r\n>1\r\n+x\r\n"))
	f.Add([]byte("$-1\r\n+" + strings.Repeat("y", 40) + "\r\n_\r\n"))
	f.Add([]byte("!3\r\nERR\r\n~0\r\n#t\r\n(1\r\n"))
	f.Fuzz(func(t *testing.T, p []byte) {
		var whole, parts framing
		one := whole.feed(p)
		var many error
		for i := 0; i < len(p) && many == nil; i++ {
			many = parts.feed(p[i : i+1])
		}
		if (one == nil) != (many == nil) || whole.whole != parts.whole {
			t.Errorf("at once %d messages, %v; in parts %d, %v", whole.whole, one, parts.whole, many)
		}
		if len(whole.open) > deepest || len(whole.line) > 32 {
			t.Errorf("it keeps %d arrays and %d bytes", len(whole.open), len(whole.line))
		}
	})
}
