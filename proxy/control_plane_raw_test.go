package proxy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/rs/zerolog"
)

// tell sends a request with a body to the control listener.
func (g *testGateway) tell(method, path, body string, fields ...string) *rawAnswer {
	g.t.Helper()
	c := dialRaw(g.t, g.ControlAddress())
	defer c.Close()
	fields = append(fields, fmt.Sprintf("Content-Length: %d", len(body)), "")
	c.send(method+" "+path+" HTTP/1.1\r\nHost: "+g.ControlAddress()+"\r\nConnection: close\r\n"+strings.Join(fields, "\r\n")+"\r\n", body)
	return c.answer(method)
}

func TestControlPlaneBadInput(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	f := func(method, path, body string, status int, kind string, want ...string) {
		t.Helper()
		a := g.tell(method, path, body)
		var said struct{ Message string }
		err := json.Unmarshal([]byte(a.Body), &said)
		if a.Status != status || a.Header.Get("x-amzn-ErrorType") != kind || err != nil || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s %s %.80s: got %d %q %v; want %d and %s", method, path, body, a.Status, a.Header.Get("x-amzn-ErrorType"), a.Body, status, kind)
		}
		for _, part := range want {
			if !strings.Contains(said.Message, part) {
				t.Errorf("%s %s %.80s: got %q; want %q", method, path, body, said.Message, part)
			}
		}
	}
	const bad, missing = "BadRequestException", "NotFoundException"
	f("POST", "/apikeys", "", 400, bad, "the body is empty")
	f("POST", "/apikeys", " \n", 400, bad, "the body is empty")
	f("POST", "/apikeys", `{"name":`, 400, bad, "not JSON")
	f("POST", "/apikeys", `{"name":"a"} x`, 400, bad, "not JSON")
	f("POST", "/apikeys", `["name"]`, 400, bad, "not an object")
	f("POST", "/apikeys", "null", 400, bad, "not an object")
	f("POST", "/apikeys", strings.Repeat("[", 100_000), 400, bad, "not JSON")
	f("POST", "/apikeys", "{\"name\":\"\xff\"}", 400, bad, "not UTF-8")
	f("POST", "/apikeys", `{"naem":"a"}`, 400, bad, `no member "naem"`, `did you mean "name"`)
	f("POST", "/apikeys", `{"Name":"a"}`, 400, bad, `did you mean "name"`)
	f("POST", "/apikeys", `{"colour":"a"}`, 400, bad, "there are customerId, description")
	f("POST", "/apikeys", `{"enabled":"true"}`, 400, bad, `"enabled" is a string; it must be true or false`)
	f("POST", "/apikeys", `{"tags":{"a":1}}`, 400, bad, "a string")
	f("POST", "/apikeys", `{"name":"`+strings.Repeat("n", 1025)+`"}`, 400, bad, "1025")
	f("POST", "/apikeys", `{"value":"spaces are not for values"}`, 400, bad)
	f("POST", "/usageplans", `{"name":"a","apiStages":[{"apiId":"pets","stage":"prod","throttle":{"/pets/GET":{"rate":1}}}]}`, 400, bad,
		`"apiStages.0.throttle./pets/GET.rate"`)
	f("POST", "/usageplans", `{"name":"a","throttle":{"rateLimit":1e18,"burstLimit":1}}`, 400, bad, "too large")
	f("POST", "/usageplans", `{"name":"a","throttle":{"rateLimit":-1,"burstLimit":1}}`, 400, bad, "too small")
	f("POST", "/usageplans", `{"name":"a","throttle":{"rateLimit":1,"burstLimit":0}}`, 400, bad, "burst")
	f("POST", "/usageplans", `{"name":"a","throttle":{"rateLimit":1,"burstLimit":1.5}}`, 400, bad, "a whole number")
	f("POST", "/usageplans", `{"name":"a","quota":{"limit":0,"period":"DAY"}}`, 400, bad, "limit")
	f("POST", "/usageplans", `{"name":"a","quota":{"limit":1,"period":"day"}}`, 400, bad, `"day"`)

	f("POST", "/apikeys?mode=export", "", 400, bad, "mode")
	f("POST", "/apikeys?mode=import", "Name,Key\n", 400, bad, "format")
	f("POST", "/apikeys?mode=import&format=xml", "", 400, bad, "format")
	f("POST", "/apikeys?mode=import&format=csv&failonwarnings=yes", "", 400, bad, "failonwarnings")
	f("POST", "/apikeys?mode=import&format=csv", "", 400, bad, "CSV")

	f("GET", "/apikeys?limit=0", "", 400, bad, "from 1 to 500")
	f("GET", "/apikeys?limit=many", "", 400, bad, "many")
	f("GET", "/apikeys?includeValues=1", "", 400, bad, "includeValues")
	f("GET", "/usageplans?keyId=nobody", "", 404, missing, "nobody")
	f("GET", "/usageplans/nowhere/keys", "", 404, missing, "nowhere")
	f("GET", "/usageplans/nowhere/usage?startDate=2026-01-01&endDate=2026-01-02", "", 404, missing, "nowhere")
	f("GET", "/usageplans/nowhere/usage", "", 400, bad, "startDate")
	f("GET", "/usageplans/nowhere/usage?startDate=2026-01-01&endDate=2026-13-01", "", 400, bad, "2026-13-01")
	f("GET", "/usageplans/nowhere/usage?startDate=2026-01-01&endDate=2026-01-02&format=xml", "", 400, bad, "format")
	f("GET", "/usageplans/nowhere/usage?startDate=2026-01-01&endDate=2026-01-02&format=csv&keyId=k", "", 400, bad, "keyId")
	f("POST", "/usageplans/nowhere/keys", `{"keyId":"k"}`, 400, bad, "API_KEY")
	f("POST", "/usageplans/nowhere/keys", `{"keyId":"k","keyType":"API_KEY"}`, 404, missing, "nowhere")
	f("DELETE", "/usageplans/nowhere/keys/k", "", 404, missing)
	f("DELETE", "/usageplans/nowhere", "", 404, missing)
	f("PATCH", "/usageplans/nowhere/keys/k/usage", `{"patchOperations":[{"op":"replace","path":"/remaining","value":"1"}]}`, 404, missing)
	f("PATCH", "/usageplans/nowhere/keys/k/usage", `{"patchOperations":[{"op":"replace","path":"/used","value":"1"}]}`, 400, bad, "/remaining")
	f("PATCH", "/apikeys/k", `{"patchOperations":[{"op":"replace","path":"/labels","value":"x"}]}`, 404, missing)
	f("PATCH", "/apikeys/k", `{"patchOperations":`+"["+strings.Repeat("{},", 1000)+"{}]}", 400, bad, "1001")
	f("POST", "/apikeys/k/rotate", `{"overlap":"a day"}`, 400, bad, "24h")
	f("POST", "/apikeys/k/rotate", "", 404, missing)

	// An id is one segment of the path, whatever is in it.
	f("DELETE", "/apikeys/..%2F..%2Freload", "", 404, missing, "../../reload")
	f("GET", "/apikeys/a%2fb", "", 404, missing, "a/b")
	f("GET", "/apikeys/%E2%98%95", "", 404, missing, "☕")
	f("GET", "/apikeys/a/b", "", 404, missing, "no such page")
	f("GET", "/apikeys/", "", 404, missing, "no such page")
	f("PUT", "/apikeys", "", 405, "MethodNotAllowedException")
	f("POST", "/usageplans/x", "{}", 405, "MethodNotAllowedException")

	// Nothing of all that has made anything.
	if a := g.ask("GET", "/apikeys"); !strings.Contains(a.Body, `"item": []`) {
		t.Errorf("got %s; want no keys", a.Body)
	}
}

func TestControlPlaneRotates(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	var made, rotated struct {
		ID, Value, SigningSecret string
		FormerValueUntil         int64
	}
	read := func(a *rawAnswer, status int, into any) {
		t.Helper()
		if err := json.Unmarshal([]byte(a.Body), into); err != nil || a.Status != status {
			t.Fatalf("got %d %s; want %d", a.Status, a.Body, status)
		}
	}
	read(g.tell("POST", "/apikeys", `{"name":"k","enabled":true}`), 201, &made)
	read(g.tell("POST", "/apikeys/"+made.ID+"/rotate", `{"overlap":"1h"}`), 200, &rotated)
	if rotated.ID != made.ID || rotated.Value == made.Value || rotated.Value == "" || rotated.FormerValueUntil == 0 ||
		made.SigningSecret == "" || rotated.SigningSecret == made.SigningSecret {
		t.Errorf("got %+v after %+v", rotated, made)
	}
	known := func(value string, want bool) {
		t.Helper()
		if who, why := g.Plans().Identify([]byte(value)); (who != nil) != want {
			t.Errorf("%q: got %v, %s; want known: %t", value, who, why, want)
		}
	}
	known(made.Value, true)
	known(rotated.Value, true)
	read(g.tell("POST", "/apikeys/"+made.ID+"/rotate", `{"overlap":"0s","value":"`+someValue+`"}`), 200, &rotated)
	known(made.Value, false)
	known(someValue, true)
	if a := g.ask("GET", "/apikeys/"+made.ID+"?includeValue=true"); a.Status != 200 || strings.Contains(a.Body, someValue) || strings.Contains(a.Body, "igningSecret") {
		t.Errorf("got %s; want no value", a.Body)
	}
}

// Who sends too much hears so, at once and on a connection that was read to its end.
func TestControlBodyTooLarge(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	large := "Name,Key\n" + strings.Repeat("x", 1<<20)
	a := g.tell("POST", "/apikeys?mode=import&format=csv", large)
	if a.Status != 413 || a.Header.Get("x-amzn-ErrorType") != "RequestEntityTooLargeException" || !strings.Contains(a.Body, "1 MiB") || !a.Close {
		t.Errorf("got %d %v %q", a.Status, a.Header, a.Body)
	}
	if a := g.tell("POST", "/explain", large); a.Status != 413 || !strings.Contains(a.Body, "body_too_large") {
		t.Errorf("got %d %q; want a problem document", a.Status, a.Body)
	}
	chunked := func(size int) *rawAnswer {
		c := dialRaw(t, g.ControlAddress())
		defer c.Close()
		c.send("POST /apikeys?mode=import&format=csv HTTP/1.1\r\nHost: c\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n",
			fmt.Sprintf("9\r\nName,Key\n\r\n%x\r\n%s\r\n0\r\n\r\n", size, strings.Repeat("x", size)))
		return c.answer("POST")
	}
	if a := chunked(1 << 20); a.Status != 413 {
		t.Errorf("in chunks: got %d %q; want 413", a.Status, a.Body)
	}
	if a := chunked(100); a.Status != 201 || !strings.Contains(a.Body, "line 2") {
		t.Errorf("in small chunks: got %d %q; want the line named", a.Status, a.Body)
	}
	just := `{"name":"k","description":"` + strings.Repeat("d", 1<<20-100) + `"}`
	if a := g.tell("POST", "/apikeys", just); a.Status == 413 {
		t.Errorf("of almost 1 MiB: got %d", a.Status)
	}
}

// The body of a request that is refused must not become the next request.
func TestControlRefusalsReadBodies(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl, func(o *Options) { o.ControlToken = "t" })
	c := dialRaw(t, g.ControlAddress())
	hidden := strings.Repeat("x", 300<<10) + "\r\n\r\nGET /readyz HTTP/1.1\r\nHost: c\r\n\r\n"
	c.send(fmt.Sprintf("POST /apikeys HTTP/1.1\r\nHost: c\r\nContent-Length: %d\r\n\r\n", len(hidden)), hidden,
		"GET /healthz HTTP/1.1\r\nHost: c\r\nConnection: close\r\n\r\n")
	if a := c.answer("POST"); a.Status != 401 || a.Header.Get("x-amzn-ErrorType") != "UnauthorizedException" {
		t.Errorf("without the token: got %d %v", a.Status, a.Header)
	}
	if a := c.answer("GET"); a.Status != 200 || a.Body != "ok\n" || !a.Close {
		t.Errorf("the next request: got %d %q; want that of /healthz", a.Status, a.Body)
	}
}

// A page of some website must not make a browser change anything.
func TestControlOrigins(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	host := g.ControlAddress()
	f := func(status int, host, origin string) {
		t.Helper()
		for _, path := range []string{"/apikeys", "/reload"} {
			c := dialRaw(t, g.ControlAddress())
			defer c.Close()
			c.send("POST " + path + " HTTP/1.1\r\nHost: " + host + "\r\nOrigin: " + origin + "\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}")
			if a := c.answer("POST"); a.Status/100 != status {
				t.Errorf("%s of a page of %q at %q: got %d %s; want %dxx", path, origin, host, a.Status, a.Body, status)
			}
		}
	}
	f(4, host, "https://evil.example")
	f(4, host, "null")
	f(4, "evil.example:8081", "http://evil.example:8081") // resolved to this machine
	f(2, host, "http://"+host)
	f(2, "localhost:8081", "http://localhost:8081")
	f(2, "[::1]:8081", "http://[::1]:8081")

	guarded := startGateway(t, twoStages, withControl, func(o *Options) { o.ControlToken = "t" })
	a := guarded.ask("POST", "/reload", "Authorization: Bearer t", "Origin: https://control")
	if a.Status != 200 {
		t.Errorf("with a token, by name: got %d; want 200", a.Status)
	}
}

// What cannot be kept is refused, and says that it may be asked again.
func TestControlPlaneUnavailable(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, twoStages, withControl, func(o *Options) { o.Data = filepath.Join(file, "data") })
	a := g.tell("POST", "/apikeys", `{"name":"k"}`)
	if a.Status != 503 || a.Header.Get("x-amzn-ErrorType") != "ServiceUnavailableException" || a.Header.Get("Retry-After") == "" {
		t.Errorf("got %d %v %s", a.Status, a.Header, a.Body)
	}
}

// Each change that is asked for leaves a line: who, what, how it ended; and no value.
func TestControlPlaneAudit(t *testing.T) {
	t.Parallel()
	var log lockedBuffer
	g := startLogging(t, zerolog.New(&log), twoStages, withControl)
	g.tell("POST", "/apikeys", `{"name":"k","value":"`+someValue+`"}`)
	g.tell("POST", "/apikeys", `{"name":"k","value":"`+someValue+`"}`)
	g.tell("POST", "/apikeys?mode=import&format=csv&failonwarnings=true", "Name,Enabled,Key\nk,"+someValue+"2,true\n")
	g.ask("GET", "/apikeys")
	var lines []string
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, `"action"`) {
			lines = append(lines, line)
		}
	}
	for i, want := range []string{
		`"action":"CreateApiKey","outcome":"done","peer":"127.0.0.1:`,
		`"action":"CreateApiKey","outcome":"ConflictException"`,
		`"action":"ImportApiKeys","outcome":"BadRequestException"`,
	} {
		if len(lines) != 3 || !strings.Contains(lines[i], want) {
			t.Fatalf("got %q; want three lines, one with %s", lines, want)
		}
	}
	if !strings.Contains(lines[0], `"key":"`) || strings.Contains(log.String(), someValue) {
		t.Errorf("got %s; want the id and no value", log.String())
	}
}

// lockedBuffer takes what several goroutines write.
type lockedBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}
