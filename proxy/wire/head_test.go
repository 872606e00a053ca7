package wire

import (
	"bytes"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var testLimits = Limits{Head: 512, Target: 64, Fields: 8}

// heads are good and bad ones, each with what may follow it.
var heads = []string{
	"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET http://h:80/a?b HTTP/1.1\r\nHost: x\r\n\r\nnext",
	"POST /a HTTP/1.1\r\nHost: h\r\nContent-Length: 12\r\nExpect: 100-continue\r\n\r\n",
	"POST /a HTTP/1.1\r\nhOST:\t[::1]:8 \r\nTransfer-Encoding: chunked\r\nConnection: close, x\r\nUpgrade: y\r\n\r\n0\r\n\r\n",
	"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
	"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET / HTTP/2.0\r\n\r\n",
	"GET /a b HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\r\n\r\n",
	"GET / HTTP/1.1\nHost: h\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nX: a\r\n b\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nHost: h\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nX\x00: a\r\n\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\n" + strings.Repeat("X: y\r\n", 8) + "\r\n",
	"GET / HTTP/1.1\r\nHost: h\r\nX: " + strings.Repeat("y", 600) + "\r\n\r\n",
	"GET /" + strings.Repeat("y", 70) + " HTTP/1.1\r\nHost: h\r\n\r\n",
	"GET /" + strings.Repeat("y", 700) + " HTTP/1.1\r\nHost: h\r\n\r\n",
	"\x16\x03\x01\x02\x00\x01",
	strings.Repeat("G", 66) + " / HTTP/1.1\r\n\r\n",
}

// However a head arrives, what is learned of it is the same.
func TestScanAtEverySplit(t *testing.T) {
	for _, text := range heads {
		b := []byte(text)
		var whole Head
		wantDone, wantFault := whole.ScanRequest(b, &testLimits)
		for i := range b {
			var h Head
			if done, fault := h.ScanRequest(b[:i], &testLimits); done || fault != nil {
				if done != wantDone || (fault == nil) != (wantFault == nil) || (fault != nil && fault.Status != wantFault.Status) {
					t.Fatalf("%q up to %d: got %t, %v; want %t, %v", text, i, done, fault, wantDone, wantFault)
				}
				continue
			}
			done, fault := h.ScanRequest(b, &testLimits)
			if done != wantDone || fault != wantFault || (done && h != whole) {
				t.Fatalf("%q cut at %d: got %t, %v, %+v; want %t, %v, %+v", text, i, done, fault, h, wantDone, wantFault, whole)
			}
		}
		var h Head
		for i := 1; i <= len(b); i++ {
			done, fault := h.ScanRequest(b[:i], &testLimits)
			if done || fault != nil {
				if done != wantDone || (fault == nil) != (wantFault == nil) || (done && h != whole) {
					t.Fatalf("%q byte by byte: got %t, %v, %+v; want %t, %v, %+v", text, done, fault, h, wantDone, wantFault, whole)
				}
				break
			}
		}
	}
}

func TestScanWhatIsLearned(t *testing.T) {
	f := func(text string, want Head) {
		t.Helper()
		var h Head
		done, fault := h.ScanRequest([]byte(text), &Limits{})
		want.line, want.scanned, want.started = h.line, h.scanned, h.started
		want.hasLength, want.hasCoded = h.hasLength, h.hasCoded
		if !done || fault != nil || h != want {
			t.Fatalf("%q: got %t, %v, %+v; want %+v", text, done, fault, h, want)
		}
	}
	f("GET /a HTTP/1.1\r\nHost: h\r\n\r\nrest", Head{Len: 28, Minor: 1, Fields: 1, Method: span{0, 3}, Target: span{4, 6}, HasHost: true})
	f("PUT http://h HTTP/1.0\r\nContent-Length: 7\r\nConnection: a ,\tKeep-Alive\r\n\r\n", Head{
		Len: 72, Fields: 2, Length: 7, Method: span{0, 3}, Target: span{4, 12}, Absolute: true, Connection: true, KeepAlive: true})
	f("PUT / HTTP/1.9\r\nHost: h\r\nExpect: 100-Continue\r\nTransfer-Encoding: Chunked\r\nUpgrade: x\r\nConnection: Close\r\n\r\n", Head{
		Len: 108, Minor: 1, Fields: 5, Length: Chunked, Method: span{0, 3}, Target: span{4, 5},
		HasHost: true, Continue: true, Upgrade: true, Connection: true, Close: true})
}

func TestScanLimits(t *testing.T) {
	f := func(text string, lim Limits, want *Fault) {
		t.Helper()
		var h Head
		if _, fault := h.ScanRequest([]byte(text), &lim); fault != want {
			t.Fatalf("%.40q, %+v: got %v; want %v", text, lim, fault, want)
		}
	}
	const head = "GET /12345 HTTP/1.1\r\nHost: h\r\n\r\n"
	f(head, Limits{Head: len(head)}, nil)
	f(head, Limits{Head: len(head) - 1}, faultHeadLong)
	f(head, Limits{Target: 6}, nil)
	f(head, Limits{Target: 5}, faultTargetLong)
	f(head, Limits{Fields: 1}, nil)
	f("GET / HTTP/1.1\r\nHost: h\r\nX: y\r\n\r\n", Limits{Fields: 1}, faultFieldsMany)
	f("GET /123456789", Limits{Head: 14}, faultHeadLong)
	f("GET /123456789", Limits{Head: 14, Target: 9}, faultTargetLong)
	f("GET / HTTP/1.1\r\nX: 12345", Limits{Head: 24}, faultHeadLong)
}

// FuzzRequestHead holds that no cut of the bytes changes what is learned.
func FuzzRequestHead(f *testing.F) {
	for _, text := range heads {
		f.Add([]byte(text), uint16(3))
	}
	f.Fuzz(func(t *testing.T, b []byte, cut uint16) {
		var whole, h Head
		wantDone, wantFault := whole.ScanRequest(b, &testLimits)
		at := int(cut) % (len(b) + 1)
		done, fault := h.ScanRequest(b[:at], &testLimits)
		if !done && fault == nil {
			done, fault = h.ScanRequest(b, &testLimits)
		}
		if done != wantDone || (fault == nil) != (wantFault == nil) || (done && h != whole) {
			t.Fatalf("%q cut at %d: got %t, %v, %+v; want %t, %v, %+v", b, at, done, fault, h, wantDone, wantFault, whole)
		}
	})
}

func FuzzIPv6(f *testing.F) {
	for _, seed := range []string{
		"::", "::1", "1::", "2001:db8::1", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:8:9", "::1:2:3:4:5:6:7:8",
		"::ffff:1.2.3.4", "1:2:3:4:5:6:1.2.3.4", "1.2.3.4", "::1.2.3", "::1.2.3.4.5", "::01.2.3.4", "::256.1.1.1", "::1.2.3.4:5",
		":", "1:", ":1", "1:::2", "1::2::3", "12345::", "fe80::1%eth0", "g::", "",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		addr, err := netip.ParseAddr(s)
		want := err == nil && addr.Is6() && addr.Zone() == ""
		if got := isIPv6([]byte(s)); got != want {
			t.Fatalf("%q: got %t; want %t", s, got, want)
		}
	})
}

var (
	statusRule   = regexp.MustCompile(`(?s)^HTTP/1\.([0-9]) ([1-5][0-9][0-9])( .*)?$`)
	nameRule     = regexp.MustCompile("(?s)^([!#$%&'*+\\-.^_`|~0-9A-Za-z]+):(.*)$")
	controlRule  = regexp.MustCompile("[\x00-\x08\x0a-\x1f\x7f]")
	decimalRule  = regexp.MustCompile(`^[0-9]{1,19}$`)
	responseSeed = []string{
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
		"HTTP/1.0 404\r\n\r\n",
		"HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
		"HTTP/2 200 OK\r\n\r\n", "HTTP/1.1 2000 OK\r\n\r\n", "HTTP/1.1 099 X\r\n\r\n", "HTTP/1.1 200OK\r\n\r\n",
		"HTTP/1.1 200 O\rK\r\n\r\n", "HTTP/1.1 200 OK\nX: y\r\n\r\n", "HTTP/1.1 200 OK\r\n X: y\r\n\r\n", "HTTP/1.1 200 OK\r\nX : y\r\n\r\n",
	}
)

// slowResponse reads the head of an answer in the plainest way. It returns
// false where there is no whole, good head.
func slowResponse(b []byte) (h Head, ok bool) {
	lines := strings.SplitAfter(string(b), "\n")
	h.Length = Unknown
	var length, coding []string
	for i, line := range lines {
		h.Len += len(line)
		if !strings.HasSuffix(line, "\r\n") || h.Len > testLimits.Head {
			return h, false
		}
		line = strings.TrimSuffix(line, "\r\n")
		switch {
		case i == 0:
			parts := statusRule.FindStringSubmatch(line)
			if parts == nil || controlRule.MatchString(line) {
				return h, false
			}
			h.Status, _ = strconv.Atoi(parts[2])
			h.Minor = min(1, int(parts[1][0]-'0'))
			continue
		case line == "":
			return slowFraming(h, length, coding)
		}
		parts := nameRule.FindStringSubmatch(line)
		if h.Fields++; parts == nil || controlRule.MatchString(line) || h.Fields > testLimits.Fields {
			return h, false
		}
		switch value := strings.Trim(parts[2], " \t"); strings.ToLower(parts[1]) {
		case "content-length":
			length = append(length, value)
		case "transfer-encoding":
			coding = append(coding, value)
		case "upgrade":
			h.Upgrade = true
		case "keep-alive", "proxy-connection":
			h.Connection = true
		case "connection":
			h.Connection = true
			for _, option := range strings.Split(strings.ToLower(value), ",") {
				h.Close = h.Close || strings.Trim(option, " \t") == "close"
				h.KeepAlive = h.KeepAlive || strings.Trim(option, " \t") == "keep-alive"
			}
		}
	}
	return h, false
}

func slowFraming(h Head, length, coding []string) (Head, bool) {
	switch {
	case len(length)+len(coding) > 1:
		return h, false
	case len(coding) == 1:
		h.Length = Chunked
		return h, strings.EqualFold(coding[0], "chunked") && h.Minor > 0
	case len(length) == 1:
		n, err := strconv.ParseInt(length[0], 10, 64)
		h.Length = n
		return h, err == nil && decimalRule.MatchString(length[0])
	}
	return h, true
}

func FuzzResponseHead(f *testing.F) {
	for _, text := range responseSeed {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var h Head
		done, fault := h.ScanResponse(b, &testLimits)
		want, ok := slowResponse(b)
		if (done && fault == nil) != ok {
			t.Fatalf("%q: got %t, %v; want %t", b, done, fault, ok)
		}
		h.line, h.scanned, h.started, h.hasLength, h.hasCoded = 0, 0, false, false, false
		if ok && h != want {
			t.Fatalf("%q: got %+v; want %+v", b, h, want)
		}
		if ok && !bytes.HasSuffix(b[:h.Len], []byte("\r\n\r\n")) {
			t.Fatalf("%q: got the length %d; want it to end with an empty line", b, h.Len)
		}
	})
}
