package proxy

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// callServer is an upstream that speaks HTTP/2 in clear.
func callServer(t *testing.T, serve http.HandlerFunc) string {
	t.Helper()
	server := httptest.NewUnstartedServer(serve)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return "h2c://" + server.Listener.Addr().String()
}

// startCallGateway serves gRPC and gRPC-Web over HTTP/2 in clear, and returns
// a client of it and the URL of a method.
func startCallGateway(t *testing.T, target string, tune ...func(*Options)) (*testGateway, *http.Client, string) {
	t.Helper()
	g := startGateway(t, "listeners: {main: {address: \"127.0.0.1:0\", protocols: [h2, http/1.1]}}\n"+callTo(target), tune...)
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return g, &http.Client{Transport: transport, Timeout: 2 * patient}, "http://" + g.address() + "/pets.Pets/Get"
}

func newCall(t *testing.T, url, contentType string, body io.Reader) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", contentType)
	r.Header.Set("Te", "trailers")
	return r
}

// endWith ends a call's answer in the trailers.
func endWith(w http.ResponseWriter, status string) {
	w.Header().Set(http.TrailerPrefix+"Grpc-Status", status)
	w.Header().Set(http.TrailerPrefix+"X-Cost-Bin", "AAE")
}

// TestGRPCBothWaysAtOnce: each message is answered before the next one is
// sent, over HTTP/2 on both sides.
func TestGRPCBothWaysAtOnce(t *testing.T) {
	t.Parallel()
	target := callServer(t, func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 || r.Header.Get("Te") != "trailers" || r.Header.Get("Content-Type") != "application/grpc+proto" {
			t.Errorf("the upstream got %s %v", r.Proto, r.Header)
		}
		w.Header().Set("Content-Type", "application/grpc+proto")
		_ = http.NewResponseController(w).Flush()
		message := make([]byte, 7)
		for {
			if _, err := io.ReadFull(r.Body, message); err != nil {
				break
			}
			_, _ = w.Write(message)
			_ = http.NewResponseController(w).Flush()
		}
		endWith(w, "0")
	})
	_, client, url := startCallGateway(t, target)
	body, send := io.Pipe()
	answer, err := client.Do(newCall(t, url, "application/grpc+proto", body))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for i := range 5 {
		want := fmt.Sprintf("ping %02d", i)
		if _, err := io.WriteString(send, want); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(answer.Body, got); err != nil || string(got) != want {
			t.Fatalf("got %q, %v; want %q before the next message", got, err, want)
		}
	}
	_ = send.Close()
	rest, err := io.ReadAll(answer.Body)
	if len(rest) > 0 || err != nil || answer.Trailer.Get("Grpc-Status") != "0" || answer.Trailer.Get("X-Cost-Bin") != "AAE" {
		t.Fatalf("got %q, %v and %v; want the end and the trailers", rest, err, answer.Trailer)
	}
}

// TestGRPCWebOverHTTP2: both forms, of content and of none.
func TestGRPCWebOverHTTP2(t *testing.T) {
	t.Parallel()
	target := callServer(t, func(w http.ResponseWriter, r *http.Request) {
		question, err := io.ReadAll(r.Body)
		if err != nil || r.Header.Get("Content-Type") != "application/grpc" {
			t.Errorf("the upstream got %v, %v", r.Header, err)
		}
		w.Header().Set("Content-Type", "application/grpc")
		if len(question) == 0 {
			w.Header().Set("Grpc-Status", "5") // a head that is the end as well
			return
		}
		_, _ = w.Write(question)
		endWith(w, "0")
	})
	_, client, url := startCallGateway(t, target)
	f := func(contentType, body, want string) {
		t.Helper()
		answer, err := client.Do(newCall(t, url, contentType, strings.NewReader(body)))
		if err != nil {
			t.Fatalf("%s: %s", contentType, err)
		}
		defer answer.Body.Close()
		got, err := io.ReadAll(answer.Body)
		if err != nil || string(got) != want || answer.Header.Get("Content-Type") != contentType ||
			answer.Header.Get("Grpc-Status") != "" || len(answer.Trailer) > 0 {
			t.Fatalf("%s: got %q, %v, %v and %v; want %q alone", contentType, got, err, answer.Header, answer.Trailer, want)
		}
	}
	text := func(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
	const (
		ended    = "\x80\x00\x00\x00\x21grpc-status: 0\r\nx-cost-bin: AAE\r\n"
		notFound = "\x80\x00\x00\x00\x10grpc-status: 5\r\n"
	)
	f("application/grpc-web", "question", "question"+ended)
	f("application/grpc-web", "", notFound)
	f("application/grpc-web-text", text("question"), text("question")+text(ended))
	f("application/grpc-web-text", "", text(notFound))
	long := strings.Repeat("0123456789ab", 20_000)
	f("application/grpc-web", long, long+ended)
}

// TestGRPCCancellationReachesTheUpstream: a client that gives its call up ends
// the upstream's; a deadline does the same, and is told.
func TestGRPCCancellationReachesTheUpstream(t *testing.T) {
	t.Parallel()
	given := make(chan struct{}, 1)
	target := callServer(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/grpc")
		_, _ = io.WriteString(w, "message")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
		given <- struct{}{}
	})
	g, client, url := startCallGateway(t, target)
	const ended = `weir_grpc_requests_total{api="all",grpc_status=%q,stage="$default"}`

	answer, err := client.Do(newCall(t, url, "application/grpc", nil))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	within(t, "the end of the upstream's stream", given)
	g.eventually("a call that was cancelled", func() bool { return g.metric(ended, "1") == "1" })

	r := newCall(t, url, "application/grpc", nil)
	r.Header.Set("Grpc-Timeout", "100m")
	begun := time.Now()
	if answer, err = client.Do(r); err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if string(got) != "message" || err != nil || answer.Trailer.Get("Grpc-Status") != "4" {
		t.Fatalf("got %q, %v and %v; want the message and DEADLINE_EXCEEDED", got, err, answer.Trailer)
	}
	if took := time.Since(begun); took < 100*time.Millisecond {
		t.Errorf("the deadline of 100 ms ended the call after %s", took)
	}
	within(t, "the end of the upstream's stream", given)
	g.eventually("a call whose deadline ended it", func() bool { return g.metric(ended, "4") == "1" })
}
