package h3

import (
	"fmt"
	"strings"
	"testing"

	"weir/proxy/wire"
)

// FuzzContent sends what follows a request's HEADERS over a real connection,
// and holds the server to a model: what it takes for content and trailers, and
// how it ends what breaks the rules.
func FuzzContent(f *testing.F) {
	f.Add([]byte{})
	f.Add(data("hello"))
	f.Add(join(data("he"), appendFrame(nil, 0x21, 0), data(""), data("llo"), section([2]string{"a", "b"})))
	f.Add(join(data("x"), section([2]string{"host", "b"})))
	f.Add(join(section([2]string{"a", "b"}), data("x")))
	f.Add(append(appendFrame(nil, frameHeaders, 3), 0, 0, 0xff))
	f.Add([]byte{0, 0x40})
	f.Add(append(appendFrame(nil, 0x21, 5), 'x'))
	f.Add(appendFrame(nil, frameSettings, 0))
	f.Add(appendFrame(nil, frameData, 1<<40))
	s := serve(f, testConfig(), strict)
	f.Fuzz(func(t *testing.T, sent []byte) {
		want := modelContent(sent)
		if want == "" {
			return
		}
		c := dial(t, s)
		c.uni(settings())
		stream := c.open(join(post(), sent))
		_ = stream.Close()
		reply := read(stream)
		got := reply.status()
		switch {
		case got == "200":
			got += " " + reply.content
		case got == "":
			got = fmt.Sprintf("closed %#x", c.closed())
		}
		if got != want {
			t.Fatalf("%x: got %q, %v; want %q", sent, got, reply.err, want)
		}
	})
}

// modelContent says what must come of content: "200" and what was read, another
// status, or the code that the connection is closed with. "" means that the
// model does not know.
func modelContent(b []byte) string {
	closed := func(code int) string { return fmt.Sprintf("closed %#x", code) }
	content, trailers, tailed := "", "", false
	for frames := 0; len(b) > 0; frames++ {
		kind, n := parseVarint(b)
		length, m := parseVarint(b[n:])
		switch {
		case frames > idleFramesMost:
			return ""
		case n == 0 || m == 0:
			return closed(codeFrameError)
		case kind >= 2 && kind <= 9 || kind == 0xd || kind == 0xf0700 || kind == 0xf0701, tailed && kind <= 1:
			return closed(codeFrameUnexpected)
		case kind == frameHeaders && length > trailersMost:
			return "431"
		case length > uint64(len(b[n+m:])):
			return closed(codeFrameError)
		}
		payload := b[n+m:][:length]
		b = b[n+m:][length:]
		switch kind {
		case frameData:
			content += string(payload)
		case frameHeaders:
			tailed = true
			if len(payload) > 1 && payload[1] != 0 {
				return "" // the other decoder takes no Base but 0
			}
			fields, err := decodeOther(payload)
			if err != nil || len(payload) < 2 {
				return closed(codeDecompression)
			}
			if strings.Contains(fields, "\r") || strings.Count(fields, ": ") != strings.Count(fields, "\n") {
				return ""
			}
			for _, line := range strings.Split(strings.TrimSuffix(fields, "\n"), "\n") {
				name, value, _ := strings.Cut(line, ": ")
				if line == "" {
					continue
				}
				if name == "" || strings.ToLower(name) != name || !wire.IsToken([]byte(name)) || !wire.IsFieldValue([]byte(value)) ||
					strings.Trim(value, " \t") != value || !wire.TrailerAllowed([]byte(name)) {
					return "400"
				}
				trailers += line + "\r\n"
			}
		}
	}
	return "200 " + content + trailers
}
