package proxy

import (
	"bufio"
	stdtls "crypto/tls"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestACME has the whole gateway get its certificates from pebble, a real ACME
// directory, which asks at the gateway's own listeners.
func TestACME(t *testing.T) {
	t.Parallel()
	for _, challenge := range []string{"http-01", "tls-alpn-01"} {
		t.Run(challenge, func(t *testing.T) {
			t.Parallel()
			name := challenge + ".example.org" // certmagic keeps challenges by name, for the whole process
			plain, https := freePort(t), freePort(t)
			a := newAuthority(t)
			directory := startPebble(t, a, plain, https)
			g := startGateway(t, fmt.Sprintf(`
listeners:
  plain: { address: "127.0.0.1:%s", redirect: https }
  https: { address: "127.0.0.1:%s", tls: true, protocols: [http/1.1] }
tls: { acme: { directory: %q, ca: %q, challenges: [ %s ] } }
apis: { shop: { routes: [ { path: $default, answer: { body: hello } } ] } }
domains: { %s: { mappings: { "": shop }, tls: auto } }
`, plain, https, directory, a.file(), challenge, name))
			deadline := time.Now().Add(30 * time.Second)
			for {
				nc, err := stdtls.Dial("tcp", g.address("https"), &stdtls.Config{ServerName: name, InsecureSkipVerify: true})
				if err == nil {
					issuer := nc.ConnectionState().PeerCertificates[0].Issuer.CommonName
					if !strings.HasPrefix(issuer, "Pebble") {
						t.Fatalf("got a certificate of %q; want one of pebble", issuer)
					}
					_, _ = nc.Write([]byte(get("/", name)))
					if line, err := bufio.NewReader(nc).ReadString('\n'); err != nil || !strings.HasPrefix(line, "HTTP/1.1 200") {
						t.Fatalf("got %q, %v; want 200", line, err)
					}
					_ = nc.Close()
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("no certificate after 30 s: %s", err)
				}
				time.Sleep(20 * time.Millisecond) // the directory's pace: there is nothing to be told by
			}
			if states := fmt.Sprint(g.CertificateStates()); !strings.Contains(states, name) {
				t.Fatalf("got certificates %s; want %s among them", states, name)
			}
		})
	}
}

// startPebble runs an ACME directory whose server shows a certificate of a, and
// returns its URL. It asks for challenges at the two ports of this machine.
func startPebble(t *testing.T, a *testAuthority, plain, https string) string {
	t.Helper()
	names, manage, directory := freePort(t), freePort(t), freePort(t)
	runUntil(t, "challtestsrv", "Starting management server", "pebble-challtestsrv",
		"-dnsserver", fmt.Sprintf("127.0.0.1:%s", names), "-management", fmt.Sprintf("127.0.0.1:%s", manage),
		"-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
	bundle := a.bundle("directory.pem", "localhost")
	settings := map[string]any{"pebble": map[string]any{
		"listenAddress": fmt.Sprintf("127.0.0.1:%s", directory), "managementListenAddress": fmt.Sprintf("127.0.0.1:%s", freePort(t)),
		"certificate": bundle, "privateKey": bundle, "httpPort": json.Number(plain), "tlsPort": json.Number(https), "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 0, "order": 0},
		"profiles":   map[string]any{"default": map[string]any{"description": "of the test", "validityPeriod": 86400}},
	}}
	text, err := json.Marshal(settings)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pebble.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	runUntil(t, "pebble", "ACME directory available", "pebble", "-config", file, "-dnsserver", fmt.Sprintf("127.0.0.1:%s", names))
	return fmt.Sprintf("https://localhost:%s/dir", directory)
}

// runUntil runs a program of .cache/bin until the test ends, and returns once
// it has said so.
func runUntil(t *testing.T, name, said, program string, args ...string) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../.cache/bin", program))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=5")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatalf("cannot run %s, which tools/setup.sh %s installs: %s", name, program, err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), said) {
				once.Do(func() { close(ready) })
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-ended
		_ = cmd.Wait()
	})
	within(t, name+" saying that it serves", ready)
}
