package auth

import (
	"context"
	"encoding/base64"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/h1"
	"weir/proxy/wire"
)

// TestDocument runs the clients of docs/signing.md as they stand there.
func TestDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/signing.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range SignatureReasons() {
		if !strings.Contains(string(text), "`"+name+"`") {
			t.Errorf("the document does not explain %s", name)
		}
	}
	folder := t.TempDir()
	program := func(language, file string) string {
		_, rest, found := strings.Cut(string(text), "\n```"+language+"\n")
		code, _, ended := strings.Cut(rest, "\n```\n")
		if !found || !ended {
			t.Fatalf("the document has no %s", language)
		}
		path := filepath.Join(folder, file)
		if err := os.WriteFile(path, []byte(code), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	f := func(needs []string, command ...string) {
		t.Run(command[0], func(t *testing.T) {
			for _, name := range needs {
				if _, err := exec.LookPath(name); err != nil {
					t.Skipf("%s is not installed", name)
				}
			}
			// Right, with another secret, and for a key that there is not.
			f := func(keyID, secret, want string) {
				t.Helper()
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				c := exec.CommandContext(ctx, command[0], command[1:]...)
				c.Env = append(os.Environ(), "WEIR="+startVerifying(t), "KEY_ID="+keyID,
					"SECRET="+base64.RawURLEncoding.EncodeToString([]byte(secret)))
				out, err := c.CombinedOutput()
				if err != nil || string(out) != want {
					t.Fatalf("got %q, %v; want %q", out, err, want)
				}
			}
			f("key-1", documentSecret, `key-1 sent {"name":"Rex"}`)
			f("key-1", "another secret of 32 characters.", "mismatch")
			f("key-2", documentSecret, "unknown_key")
		})
	}
	f([]string{"curl", "openssl", "od"}, "sh", "-eu", program("sh", "sign.sh"))
	f(nil, "go", "run", program("go", "sign.go"))
}

// documentSecret has bytes that base64url spells in its own way, and a length
// that would need padding.
const documentSecret = "\xfb\xff\xbe secret of 31 or so bytes\xff\xff"

// verifying answers requests as a route does that asks for signatures.
type verifying struct{ v *Verifier }

func (h verifying) Serve(x *exchange.Exchange) {
	x.Scheme, x.MaxBody = "http", -1
	keyID, digest, reason := h.v.Verify(x, time.Now())
	var body []byte
	if x.RequestBody != nil {
		body, _ = io.ReadAll(x.RequestBody)
	}
	if reason == nil && !CheckBody(&digest, body) {
		reason = DigestMismatch
	}
	x.Bytes = []byte(keyID + " sent " + string(body))
	if reason != nil {
		x.Response.SetStatusCode(http.StatusForbidden)
		x.Bytes = []byte(reason.Error())
	}
	x.Length = int64(len(x.Bytes))
	_ = x.Front.Send(x)
}

// startVerifying serves HTTP/1.1 until the test ends and returns the address.
func startVerifying(t *testing.T) string {
	t.Helper()
	v := newTestVerifier(t, SignatureRules{})
	v.secrets = keys{"key-1": {documentSecret}}
	server := h1.NewServer(front.Config{MaxHead: 16 << 10}, 0, verifying{v})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			nc, err := listener.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				c := wire.NewConn(nc)
				server.Serve(c, front.Origin{Listener: "main"}, nil)
				c.End()
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		server.Close()
		all.Wait()
	})
	return "http://" + listener.Addr().String()
}
