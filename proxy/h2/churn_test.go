package h2

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"weir/proxy/exchange"
	"weir/proxy/front"
)

// TestChurn has clients of another implementation send, fetch, echo and give up
// at random over few connections with narrow windows. Everything that is not
// given up arrives whole, and in the end nothing is left.
func TestChurn(t *testing.T) {
	var running atomic.Int64
	s := serve(t, handle(func(x *exchange.Exchange) {
		running.Add(1)
		defer running.Add(-1)
		if string(x.Target) == "/refuse" {
			answer("no")(x)
			return
		}
		echo(x)
	}), func(_ *front.Config, own *Config) {
		own.Window, own.ConnectionWindow, own.MaxStreams = 20_000, 100_000, 30
		own.ResetBurst, own.FrameBurst = 1<<30, 1<<30
	})
	begun := time.Now()
	var clients sync.WaitGroup
	for range 3 {
		c := browser(t, s)
		for range 12 {
			clients.Go(func() {
				for time.Since(begun) < 400*time.Millisecond {
					if err := churn(c); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
	}
	clients.Wait()
	for deadline := time.Now().Add(5 * time.Second); running.Load() > 0; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d requests are left", running.Load())
		}
	}
}

// churn makes one request of any kind.
func churn(c *http.Client) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	body := bytes.Repeat([]byte{byte('a' + rand.IntN(26))}, rand.IntN(120_000))
	target, gives := "/", rand.IntN(4) == 0
	if rand.IntN(6) == 0 {
		target = "/refuse"
	}
	var content io.Reader = bytes.NewReader(body)
	if rand.IntN(2) == 0 {
		content = struct{ io.Reader }{content} // of a length that is not told
	}
	req, err := http.NewRequestWithContext(ctx, "POST", "http://a.example"+target, content)
	if err != nil {
		return err
	}
	if gives {
		time.AfterFunc(time.Duration(rand.IntN(3000))*time.Microsecond, cancel)
	}
	resp, err := c.Do(req)
	if err != nil {
		return unless(gives, err)
	}
	defer resp.Body.Close()
	got, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return unless(gives, err)
	case target == "/refuse":
		body = []byte("no")
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("got %d bytes; want %d", len(got), len(body))
	}
	return nil
}

// unless drops an error of a request that was given up.
func unless(gives bool, err error) error {
	if gives || strings.Contains(err.Error(), "context canceled") {
		return nil
	}
	return err
}
