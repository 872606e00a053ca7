package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

// start serves on the address until the test ends, and returns where.
func start(t *testing.T, address string) net.Addr {
	t.Helper()
	listener, err := listen(address)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- serve(ctx, listener) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Errorf("serve: got %v; want no error", err)
		}
	})
	return listener.Addr()
}

func get(t *testing.T, address, path string) (*http.Response, []byte, error) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	answer, err := (&http.Client{Transport: transport}).Get("http://" + address + path)
	if err != nil {
		return nil, nil, err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer, body, err
}

func TestSizes(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	f := func(path string, wantStatus, wantBytes int, wantLength int64) {
		t.Helper()
		answer, body, err := get(t, address, path)
		if err != nil {
			t.Fatalf("%s: got %v; want an answer", path, err)
		}
		if answer.StatusCode != wantStatus || len(body) != wantBytes || answer.ContentLength != wantLength {
			t.Fatalf("%s: got status %d, %d bytes, length %d; want %d, %d, %d",
				path, answer.StatusCode, len(body), answer.ContentLength, wantStatus, wantBytes, wantLength)
		}
	}
	f("/", 200, 1024, 1024)
	f("/size/0", 200, 0, 0)
	f("/size/16384", 200, 16384, 16384)
	f("/size/3000000", 200, 3000000, 3000000)
	f("/chunked/70000", 200, 70000, -1)
	f("/drip/3/1ms", 200, 3, -1)
	f("/status/204", 204, 0, 0)
	f("/status/503", 503, 0, 0)
	f("/delay/1ms", 200, 1024, 1024)
	for _, path := range []string{"/size/x", "/size/", "/delay/soon", "/delay/-1s", "/status/99", "/sse/1", "/drip//1s"} {
		if answer, _, err := get(t, address, path); err != nil || answer.StatusCode != 400 {
			t.Errorf("%s: got %v, %v; want status 400", path, answer, err)
		}
	}
	if answer, body, err := get(t, address, "/nowhere"); err != nil || answer.StatusCode != 404 || !strings.Contains(string(body), "/drip/N") {
		t.Errorf("/nowhere: got %v, %q; want 404 and the paths", err, body)
	}
}

func TestEchoShowsTheRequestAsSent(t *testing.T) {
	connection, err := net.Dial("tcp", start(t, "127.0.0.1:0").String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "PUT /echo?a=%2f&b HTTP/1.1\r\nhost: x\r\nx-LOWER: 1\r\nX-Two: a\r\nX-Two: b\r\nContent-Length: 3\r\n\r\nabc")
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	var seen echo
	if err := json.NewDecoder(answer.Body).Decode(&seen); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256([]byte("abc"))
	want := echo{
		Method: "PUT", Target: "/echo?a=%2f&b", Protocol: "HTTP/1.1", BodyBytes: 3, BodySHA256: hex.EncodeToString(sum[:]),
		Headers: [][2]string{{"host", "x"}, {"x-LOWER", "1"}, {"X-Two", "a"}, {"X-Two", "b"}, {"Content-Length", "3"}},
	}
	if got, want := fmt.Sprint(seen), fmt.Sprint(want); got != want {
		t.Fatalf("got %s; want %s", got, want)
	}
}

func TestUploadCountsAStream(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	const size = 9 << 20 // above what fasthttp would hold in memory
	for _, declared := range []int64{size, -1} {
		request, _ := http.NewRequest("POST", "http://"+address+"/upload", io.LimitReader(newPages(size), size))
		request.ContentLength = declared
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		if got, want := string(body), fmt.Sprintf("{\"body_bytes\":%d}\n", size); got != want {
			t.Fatalf("declared length %d: got %q; want %q", declared, got, want)
		}
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestEventsComeOneByOne(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/sse/2/1h", nil)
	answer, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	first := make([]byte, len("id: 1\ndata: event 1 of 2\n\n"))
	if _, err := io.ReadFull(answer.Body, first); err != nil || string(first) != "id: 1\ndata: event 1 of 2\n\n" {
		t.Fatalf("got %q, %v; want the first event before the second", first, err)
	}
	if got, want := answer.Header.Get("Content-Type"), "text/event-stream"; got != want {
		t.Fatalf("content type: got %q; want %q", got, want)
	}
}

func TestBrokenAnswers(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	if _, _, err := get(t, address, "/close"); !errors.Is(err, io.EOF) {
		t.Errorf("/close: got %v; want EOF", err)
	}
	if _, body, err := get(t, address, "/truncate/100"); !errors.Is(err, io.ErrUnexpectedEOF) || len(body) != 50 {
		t.Errorf("/truncate/100: got %d bytes, %v; want 50 and an unexpected EOF", len(body), err)
	}
	if _, _, err := get(t, address, "/garbage"); err == nil || !strings.Contains(err.Error(), "malformed") {
		t.Errorf("/garbage: got %v; want a malformed answer", err)
	}
}

func TestWebSocketSaysItBack(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	connection, _, err := websocket.DefaultDialer.Dial("ws://"+address+"/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	for _, kind := range []int{websocket.TextMessage, websocket.BinaryMessage} {
		if err := connection.WriteMessage(kind, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		gotKind, got, err := connection.ReadMessage()
		if err != nil || gotKind != kind || string(got) != "hello" {
			t.Fatalf("got kind %d, %q, %v; want kind %d and hello", gotKind, got, err, kind)
		}
	}
}

func TestWebSocketHandshakeInAnyLetters(t *testing.T) {
	connection, err := net.Dial("tcp", start(t, "127.0.0.1:0").String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	io.WriteString(connection, "GET /websocket HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: WebSocket\r\n"+
		"sec-websocket-version: 13\r\nSEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	// The accept value is the example of RFC 6455 §1.3.
	if got, want := answer.Header.Get("Sec-WebSocket-Accept"), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="; answer.StatusCode != 101 || got != want {
		t.Fatalf("got %d, %q; want 101 and %q", answer.StatusCode, got, want)
	}
}

func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "u")
	start(t, "unix:"+path)
	client := fasthttp.HostClient{Addr: path, Dial: func(string) (net.Conn, error) { return net.Dial("unix", path) }}
	status, body, err := client.Get(nil, "http://unix/size/10")
	if err != nil || status != 200 || len(body) != 10 {
		t.Fatalf("got %d, %d bytes, %v; want 200 and 10 bytes", status, len(body), err)
	}
	client.CloseIdleConnections()
}

func TestRunSaysWhereAndEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	read, write := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-listen", "127.0.0.1:0"}, write, io.Discard) }()
	line, err := bufio.NewReader(read).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	address := strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	if _, body, err := get(t, address, "/"); err != nil || len(body) != 1024 {
		t.Fatalf("got %d bytes, %v; want 1024", len(body), err)
	}
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Fatalf("got %v; want no error", err)
		}
	case <-time.After(4 * time.Second):
		t.Fatal("got no end; want one when the context ends")
	}
}
