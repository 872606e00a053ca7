package h3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/proxy/exchange"
)

// program returns the path of a program that not every machine has.
func program(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed", name)
	}
	return path
}

// TestNgtcp2 has ngtcp2's client, which shares no code with quic-go, ask.
func TestNgtcp2(t *testing.T) {
	path := program(t, "gtlsclient")
	var mu sync.Mutex
	var seen []string
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		mu.Lock()
		seen = append(seen, x.Protocol+" "+string(x.Request.Method())+" "+string(x.Target)+" "+string(x.Authority))
		mu.Unlock()
		answer(x, 200, strings.Repeat("x", 100_000))
	})
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	port := fmt.Sprint(s.addr.Port)
	url := "https://localhost:" + port
	out, err := exec.CommandContext(ctx, path, "--exit-on-all-streams-close", "--quiet", "--no-quic-dump", "--no-http-dump",
		"--timeout=10s", "--download="+dir, "127.0.0.1", port, url+"/a", url+"/b?c").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	mu.Lock()
	defer mu.Unlock()
	all := strings.Join(seen, "\n")
	for _, want := range []string{"HTTP/3.0 GET /a localhost:" + port, "HTTP/3.0 GET /b?c localhost:" + port} {
		if !strings.Contains(all, want) {
			t.Fatalf("got %q; want %q\n%s", seen, want, out)
		}
	}
}

// TestChromium has a browser load a page, whose script tells by which protocol
// it came.
func TestChromium(t *testing.T) {
	path := program(t, "chromium")
	if testing.Short() {
		t.Skip("a browser takes seconds to start")
	}
	told := make(chan string, 8)
	const page = `<!doctype html><title>h3</title><script>
const protocol = performance.getEntriesByType("navigation")[0].nextHopProtocol
fetch("/told?" + protocol, {method: "POST", body: "from the page"})
</script>`
	s := serve(t, testConfig(), func(x *exchange.Exchange) {
		switch target := string(x.Target); {
		case target == "/":
			x.Response.SetContentType("text/html")
			x.Response.SetNoDefaultContentType(true)
			x.Response.SetStatusCode(200)
			x.Bytes = []byte(page)
			_ = x.Front.Send(x)
		case strings.HasPrefix(target, "/told?"):
			x.MaxBody = -1
			body := make([]byte, 100)
			n, _ := x.RequestBody.Read(body)
			answer(x, 200, "")
			told <- x.Protocol + " " + target + " " + string(body[:n])
		default:
			answer(x, 404, "")
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	sum := sha256.Sum256(s.leaf.RawSubjectPublicKeyInfo)
	origin := fmt.Sprintf("localhost:%d", s.addr.Port)
	var log bytes.Buffer
	browser := exec.CommandContext(ctx, path, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--user-data-dir="+t.TempDir(),
		"--enable-quic", "--origin-to-force-quic-on="+origin,
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(sum[:]),
		"--host-resolver-rules=MAP localhost 127.0.0.1", "--remote-debugging-port=0", "https://"+origin+"/")
	browser.Stderr = &log
	browser.WaitDelay = 5 * time.Second
	if err := browser.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		cancel()
		_ = browser.Wait()
	}()
	select {
	case got := <-told:
		if want := "HTTP/3.0 /told?h3 from the page"; got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
	case <-ctx.Done():
		t.Fatalf("the page told nothing\n%s", log.String())
	}
}
