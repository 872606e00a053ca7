package wire

import (
	"testing"

	"weir/cache/policy"
)

func TestHeadTellsWhatConcernsCaches(t *testing.T) {
	for _, name := range []string{
		"Accept", "Accept-Encoding", "Authorization", "cache-control", "Cookie", "If-Match", "If-Modified-Since", "IF-NONE-MATCH",
		"If-Range", "If-Unmodified-Since", "Pragma", "Range", "Referer", "User-Agent", "X-Api-Key",
	} {
		text := []byte("GET / HTTP/1.1\r\nHost: a\r\n" + name + ": x\r\nVia: 1.1 b\r\n\r\n")
		var h Head
		if done, fault := h.ScanRequest(text, &Limits{}); !done || fault != nil {
			t.Fatalf("%s: got %v, %v", name, done, fault)
		}
		if want := policy.Concerns([]byte(name)); h.Caching != want {
			t.Errorf("%s: got Caching %v; want %v", name, h.Caching, want)
		}
	}
}
