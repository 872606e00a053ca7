package proxy

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

// callTo returns a document whose one route translates gRPC-Web.
func callTo(target string) string {
	return "apis: {all: {routes: [{path: $default, upstream: up, grpcWeb: true}]}}\n" +
		"upstreams: {up: {targets: [" + target + "]}}\n"
}

// aCall is a request for a call.
func aCall(contentType, fields, body string) string {
	return fmt.Sprintf("POST /pets.Pets/Get HTTP/1.1\r\nHost: h\r\nContent-Type: %s\r\n%sContent-Length: %d\r\n\r\n%s",
		contentType, fields, len(body), body)
}

const answerHead = "HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nTransfer-Encoding: chunked\r\n\r\n"

func chunkOf(text string) string { return fmt.Sprintf("%x\r\n%s\r\n", len(text), text) }

// TestGRPCStreamsAsItComes: each message leaves before the next one is there.
func TestGRPCStreamsAsItComes(t *testing.T) {
	t.Parallel()
	f := func(contentType string, form func(string) string, end string) {
		t.Helper()
		next := make(chan struct{})
		up := startUpstream(t, func(c *upstreamConn) {
			c.request()
			c.reply(answerHead)
			for i := range 3 {
				<-next
				c.reply(chunkOf(fmt.Sprintf("message %d", i)))
			}
			<-next
			c.reply("0\r\nGrpc-Status: 0\r\n\r\n")
			c.request()
		})
		c := startGateway(t, callTo(up.url())).dial()
		c.send(aCall(contentType, "", ""))
		answer, err := http.ReadResponse(c.br, nil)
		if err != nil {
			t.Fatalf("%s: %s", contentType, err)
		}
		for i := range 3 {
			next <- struct{}{}
			want := form(fmt.Sprintf("message %d", i))
			got := make([]byte, len(want))
			if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
				t.Fatalf("%s: got %q, %v; want %q before the next message", contentType, got, err, want)
			}
		}
		next <- struct{}{}
		rest, err := io.ReadAll(answer.Body)
		if err != nil || string(rest) != end {
			t.Fatalf("%s: got the end %q, %v; want %q", contentType, rest, err, end)
		}
		if status := answer.Trailer.Get("Grpc-Status"); (status == "0") != (end == "") {
			t.Fatalf("%s: got the trailer %q", contentType, status)
		}
	}
	asIs := func(s string) string { return s }
	asText := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const frame = "\x80\x00\x00\x00\x10grpc-status: 0\r\n"
	f("application/grpc", asIs, "")
	f("application/grpc-web", asIs, frame)
	f("application/grpc-web-text", asText, asText(frame))
}

// TestGRPCWebOfAnySize moves content that fills every buffer, both ways.
func TestGRPCWebOfAnySize(t *testing.T) {
	t.Parallel()
	content := strings.Repeat("0123456789abcdefg", 40_000)
	up := startUpstream(t, answerEach(func(r *rawRequest) string {
		if r.Body != content {
			t.Errorf("the upstream got %d bytes; want %d as they were", len(r.Body), len(content))
		}
		return answerHead + chunkOf(r.Body) + "0\r\nGrpc-Status: 0\r\n\r\n"
	}))
	g := startGateway(t, callTo(up.url()))
	const frame = "\x80\x00\x00\x00\x10grpc-status: 0\r\n"
	if got := g.exchange(aCall("application/grpc-web", "", content)); got.Body != content+frame || got.Err != nil {
		t.Fatalf("got %d bytes, %v; want the content and the frame", len(got.Body), got.Err)
	}
	got := g.exchange(aCall("application/grpc-web-text", "", base64.StdEncoding.EncodeToString([]byte(content))))
	var decoded []byte
	for text := got.Body; text != ""; {
		// Padding may stand wherever the gateway has flushed.
		end := strings.IndexByte(text, '=')
		for end >= 0 && end < len(text) && text[end] == '=' {
			end++
		}
		if end < 0 {
			end = len(text)
		}
		piece, err := base64.StdEncoding.DecodeString(text[:end])
		if err != nil {
			t.Fatalf("the text does not decode: %s", err)
		}
		decoded, text = append(decoded, piece...), text[end:]
	}
	if string(decoded) != content+frame || got.Err != nil {
		t.Fatalf("got %d bytes of text, %v; want the content and the frame", len(decoded), got.Err)
	}
}

// TestGRPCDeadlineGivesUpTheUpstream: at the deadline the upstream's exchange
// ends too.
func TestGRPCDeadlineGivesUpTheUpstream(t *testing.T) {
	t.Parallel()
	ended := make(chan error, 2)
	up := startUpstream(t, func(c *upstreamConn) {
		r := c.request()
		if strings.HasSuffix(r.Target, "/Stream") {
			c.reply(answerHead + chunkOf("message"))
		}
		_, err := c.br.ReadByte()
		ended <- err
	})
	g := startGateway(t, callTo(up.url()))
	const deadline = "Grpc-Timeout: 100m\r\n"
	if got := g.exchange(aCall("application/grpc", deadline, "")); got.Header.Get("Grpc-Status") != "4" {
		t.Errorf("got %v; want DEADLINE_EXCEEDED", got.Header)
	}
	if err := within(t, "the end of the upstream's connection", ended); err == nil {
		t.Error("the upstream got bytes; want the end")
	}
	stream := strings.Replace(aCall("application/grpc", deadline, ""), "/Get", "/Stream", 1)
	if got := g.exchange(stream); got.Trailer.Get("Grpc-Status") != "4" || got.Body != "message" {
		t.Errorf("got %q and %v; want the message and DEADLINE_EXCEEDED", got.Body, got.Trailer)
	}
	if err := within(t, "the end of the upstream's connection", ended); err == nil {
		t.Error("the upstream got bytes; want the end")
	}
}

// TestGRPCIsObserved: log and metrics tell how calls end, whoever ended them.
func TestGRPCIsObserved(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, func(c *upstreamConn) {
		for r := c.request(); r != nil; r = c.request() {
			switch r.Body {
			case "hang":
				c.reply(answerHead + chunkOf("message"))
			case "page":
				c.reply(okText("a page"))
			case "head":
				c.reply("HTTP/1.1 200 OK\r\nContent-Type: application/grpc\r\nGrpc-Status: 7\r\nContent-Length: 0\r\n\r\n")
			default:
				c.reply(answerHead + "0\r\nGrpc-Status: " + r.Body + "\r\n\r\n")
			}
		}
	})
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, callTo(up.url()), logTo(file, "json"))
	f := func(contentType, body string) {
		t.Helper()
		g.exchange(aCall(contentType, "", body))
	}
	f("application/grpc", "0")
	f("application/grpc-web", "5")
	f("application/grpc", "99")
	f("application/grpc", "head")
	f("application/grpc", "page")
	f("application/grpc-web", "page")
	f("text/plain", "0")
	c := g.dial()
	c.send(aCall("application/grpc", "", "hang"))
	if _, err := http.ReadResponse(c.br, nil); err != nil {
		t.Fatal(err)
	}
	_ = c.Close()
	g.exchange(strings.Replace(aCall("application/grpc", "Grpc-Timeout: x\r\n", ""), "/Get", "/Bad", 1))
	for status, want := range map[string]string{"0": "1", "1": "1", "2": "2", "5": "1", "7": "1", "13": "1", "none": "1"} {
		const series = `weir_grpc_requests_total{api="all",grpc_status=%q,stage="$default"}`
		g.eventually("calls that end with "+status, func() bool { return g.metric(series, status) == want })
	}
	g.stop()
	count := map[string]int{}
	for _, line := range lines(t, file) {
		var fields map[string]any
		if err := json.Unmarshal([]byte(line), &fields); err != nil {
			t.Fatal(err)
		}
		count[fmt.Sprint(fields["grpc_status"])]++
	}
	for status, want := range map[string]int{"0": 1, "1": 1, "2": 2, "5": 1, "7": 1, "13": 1, "<nil>": 2} {
		if count[status] != want {
			t.Errorf("grpc_status %s: got %d lines; want %d", status, count[status], want)
		}
	}
}
