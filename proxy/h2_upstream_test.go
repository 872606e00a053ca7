package proxy

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// startH2C starts Go's own server for HTTP/2 without TLS.
func startH2C(t *testing.T, handler http.HandlerFunc) (target string) {
	t.Helper()
	server := httptest.NewUnstartedServer(handler)
	server.Config.Protocols = new(http.Protocols)
	server.Config.Protocols.SetUnencryptedHTTP2(true)
	server.Start()
	t.Cleanup(server.Close)
	return "h2c" + strings.TrimPrefix(server.URL, "http")
}

// clientH2C returns a client that speaks nothing but HTTP/2 without TLS.
func clientH2C(t *testing.T) *http.Client {
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

const listenH2C = "listeners: {main: {address: \"127.0.0.1:0\", protocols: [h2, http/1.1]}}\n"

func TestAnswersOfHTTP2UpstreamsReachHTTP1Clients(t *testing.T) {
	target := startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		w.Header().Set("Trailer", "X-Sum")
		w.Header().Set("X-Seen", r.Proto+" "+r.Header.Get("X-Forwarded-Proto"))
		fmt.Fprintf(w, "%s %s %s", r.Method, r.URL.RequestURI(), body)
		w.(http.Flusher).Flush()
		w.Header().Set("X-Sum", "7")
	})
	g := startGateway(t, proxyTo(target))
	answer := g.exchange("POST /a%2Fb?c=d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\n\r\n3\r\nabc\r\n0\r\n\r\n")
	if answer.Status != 200 || answer.Body != "POST /a%2Fb?c=d abc" {
		t.Fatalf("got %d %q", answer.Status, answer.Body)
	}
	if got := answer.Header.Get("X-Seen"); got != "HTTP/2.0 http" {
		t.Fatalf("got %q", got)
	}
	if got := answer.Trailer.Get("X-Sum"); got != "7" {
		t.Fatalf("got trailer %q; want 7", got)
	}
}

func TestUpstreamsOfAnotherProtocolAreRefused(t *testing.T) {
	up := startUpstream(t, func(c *upstreamConn) {
		_, _ = c.head()
		c.reply("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
	})
	g := startGateway(t, proxyTo("h2c"+strings.TrimPrefix(up.url(), "http")))
	answer := g.exchange("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if answer.Status != 502 || !strings.Contains(answer.Body, "protocol_mismatch") ||
		answer.Header.Get("Proxy-Status") != "weir; error=http_protocol_error" {
		t.Fatalf("got %d %v %s", answer.Status, answer.Header, answer.Body)
	}
}

// TestLeavingClientEndsTheUpstreamsStream holds that over HTTP/2 on both sides
// a client that gives up is known upstream within 100 ms.
func TestLeavingClientEndsTheUpstreamsStream(t *testing.T) {
	began, ended := make(chan struct{}), make(chan time.Time, 1)
	target := startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		close(began)
		<-r.Context().Done()
		ended <- time.Now()
	})
	g := startGateway(t, listenH2C+proxyTo(target))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	request, err := http.NewRequestWithContext(ctx, "GET", "http://"+g.address()+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := clientH2C(t).Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	<-began
	left := time.Now()
	leave()
	if took := within(t, "the end of the upstream's stream", ended).Sub(left); took > 100*time.Millisecond {
		t.Fatalf("got %s until the upstream knew; want 100ms at most", took)
	}
}

// TestStreamsFlowBothWays sends and reads in turns, over HTTP/2 on both sides.
func TestStreamsFlowBothWays(t *testing.T) {
	target := startH2C(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Trailer", "Grpc-Status")
		w.(http.Flusher).Flush()
		for in := bufio.NewScanner(r.Body); in.Scan(); {
			fmt.Fprintf(w, "%s!\n", in.Text())
			w.(http.Flusher).Flush()
		}
		w.Header().Set("Grpc-Status", "0")
	})
	g := startGateway(t, listenH2C+proxyTo(target))
	body, words := io.Pipe()
	answer, err := clientH2C(t).Post("http://"+g.address()+"/", "application/grpc", body)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	in := bufio.NewScanner(answer.Body)
	for _, word := range []string{"one", "two", "three"} {
		fmt.Fprintln(words, word)
		if !in.Scan() || in.Text() != word+"!" {
			t.Fatalf("got %q, %v; want %q", in.Text(), in.Err(), word+"!")
		}
	}
	_ = words.Close()
	if in.Scan() || answer.Trailer.Get("Grpc-Status") != "0" {
		t.Fatalf("got %q, %v; want the end and its trailer", in.Text(), answer.Trailer)
	}
}

// TestWebSocketsThroughHTTP2 has one gateway behind another, and HTTP/2 between
// them.
func TestWebSocketsThroughHTTP2(t *testing.T) {
	up := startUpstream(t, func(c *upstreamConn) {
		if head, err := c.head(); err == nil && head.Header.Get("Upgrade") == "websocket" {
			c.reply(openWebSocket(head.Header.Get("Sec-WebSocket-Key")))
			_, _ = io.Copy(c.Conn, c.br)
		}
	})
	behind := startGateway(t, listenH2C+proxyTo(up.url()))
	g := startGateway(t, proxyTo("h2c://"+behind.address()))
	client := g.dial()
	client.send("GET /socket HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	answer, err := http.ReadResponse(client.br, nil)
	if err != nil || answer.StatusCode != 101 || answer.Header.Get("Sec-WebSocket-Accept") != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Fatalf("got %v, %v; want 101", answer, err)
	}
	client.send("to and fro")
	got := make([]byte, len("to and fro"))
	if _, err := io.ReadFull(client.br, got); err != nil || string(got) != "to and fro" {
		t.Fatalf("got %q, %v", got, err)
	}
}

// TestReloadsKeepHTTP2Connections sends requests while the document is
// reloaded: none fails, and no connection is opened beside the shards' own.
func TestReloadsKeepHTTP2Connections(t *testing.T) {
	target := startH2C(t, func(w http.ResponseWriter, r *http.Request) { _, _ = io.WriteString(w, "hello") })
	document := listenH2C + proxyTo(target)
	g := startGateway(t, document)
	client := clientH2C(t)
	var sent atomic.Int64
	var ended sync.WaitGroup
	for range 4 {
		ended.Go(func() {
			for sent.Add(1) <= 1000 {
				answer, err := client.Get("http://" + g.address() + "/")
				if err != nil {
					t.Error(err)
					return
				}
				body, err := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if err != nil || string(body) != "hello" {
					t.Errorf("got %q, %v; want hello", body, err)
				}
			}
		})
	}
	for i := 0; sent.Load() < 1000; i++ {
		g.reload(document + fmt.Sprintf("trustedProxies: [ \"10.0.0.%d\" ]\n", i%250))
	}
	ended.Wait()
	for _, target := range g.registry.Targets() {
		if got := target.Stats(); got.Dialed > 2 {
			t.Fatalf("got %d connections; want one a shard at most", got.Dialed)
		}
	}
}
