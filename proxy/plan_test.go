package proxy

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/proxy/plans"
	"weir/ratelimit/shared/redistest"
)

const (
	annsKey = "anns-key-0123456789-0123456789"
	bobsKey = "bobs-key-0123456789-0123456789"
	evesKey = "eves-key-0123456789-0123456789"
)

// planned is a document with keys in a file, and two plans.
func planned(t testing.TB, route string) string {
	file := filepath.Join(t.TempDir(), "keys.csv")
	content := "Name,Key,Enabled\nann," + annsKey + ",true\nbob," + bobsKey + ",true\neve," + evesKey + ",false\nbad,short,true\n"
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	slow := ""
	if strings.Contains(route, "/slow") {
		slow = " throttle: { /slow/GET: { rate: 1/h, burst: 1 } } "
	}
	return fmt.Sprintf(`
apiKeys: { files: [ %q ] }
usagePlans:
  gold:
    stages: { shop: {%s} }
    throttle: { rate: 1/h, burst: 4 }
    quota: { limit: 3, period: MONTH }
    keys: [ann, eve]
  other:
    stages: { toys: {} }
    keys: [bob]
apis:
  shop:
    %s
  toys:
    routes: [ { path: $default, apiKeyRequired: true, answer: { body: toys } } ]
domains: { "*": { mappings: { "": shop, toys: toys } } }
`, file, slow, route)
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "access.log")
	g := startGateway(t, planned(t, "routes: [ { path: $default, apiKeyRequired: true, answer: { body: hello } }, { path: /free, answer: { body: free } } ]"), logTo(file, "json"))
	f := func(what, path, key string, want int) {
		t.Helper()
		g.wants(what, want, g.get(path, "x-api-key: "+key))
	}
	g.wants("no key", 403, g.get("/"))
	f("an unknown key", "/", strings.Repeat("x", 30), 403)
	f("a malformed key", "/", "x y", 403)
	f("a disabled key", "/", evesKey, 403)
	f("a key of another stage's plan", "/", bobsKey, 403)
	f("that key in its stage", "/toys/", bobsKey, 200)
	f("a route that asks for none", "/free", "nonsense", 200)
	f("a good key", "/", annsKey, 200)

	issued, err := g.Plans().CreateKey(plans.NewKey{Name: "new", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	f("a key without a plan", "/", issued.Value, 403)
	if _, err := g.Plans().AddPlanKey("gold", issued.Key.ID); err != nil {
		t.Fatal(err)
	}
	f("with one", "/", issued.Value, 200)
	g.stop()
	log := strings.Join(lines(t, file), "\n")
	for _, want := range []string{
		`"error":"the request carries no API key","error_type":"INVALID_API_KEY"`, "the API key is malformed", "the API key is unknown",
		"the API key is disabled", "the API key is in no usage plan of the stage", `"usage_plan":"gold"`,
	} {
		if !strings.Contains(log, want) {
			t.Errorf("the log has no %s:\n%s", want, log)
		}
	}
	if strings.Contains(log, annsKey) {
		t.Error("a key stands in the log")
	}
}

func TestAPIKeyElsewhere(t *testing.T) {
	t.Parallel()
	g := startGateway(t, planned(t, `apiKey: { header: X-Token, query: token }
    routes: [ { path: $default, apiKeyRequired: true, answer: { body: hello } } ]`))
	g.wants("the usual header", 403, g.get("/", "x-api-key: "+annsKey))
	g.wants("another header", 200, g.get("/", "x-token: "+annsKey))
	g.wants("the query", 200, g.get("/?a=b&token="+strings.ReplaceAll(annsKey, "-", "%2D")))
}

// TestKeyFilesAreWatched changes a file of keys beside the document.
func TestKeyFilesAreWatched(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys, path := filepath.Join(dir, "keys.csv"), filepath.Join(dir, "weir.yaml")
	write(t, keys, "Name,Key\nann,"+annsKey+"\n")
	write(t, path, `
apiKeys: { files: [keys.csv] }
usagePlans: { gold: { stages: { shop: {} }, keys: [ann] } }
apis: { shop: { routes: [ { path: $default, apiKeyRequired: true, answer: { body: hello } } ] } }
`)
	g := startFile(t, path)
	g.wants("the key", 200, g.get("/", "x-api-key: "+annsKey))
	g.wants("another key", 403, g.get("/", "x-api-key: "+bobsKey))
	write(t, keys, "Name,Key\nann,"+bobsKey+"\n")
	g.eventually("the other key", func() bool { return g.get("/", "x-api-key: "+bobsKey) == 200 })
	g.wants("the key before", 403, g.get("/", "x-api-key: "+annsKey))
}

func TestKeyFilesWithMistakes(t *testing.T) {
	t.Parallel()
	f := func(document, want string) {
		t.Helper()
		_, err := New(testOptionsIn(t), &textSource{text: document}, "", zerolog.Nop())
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
	const shop = "apis: { shop: { routes: [ { path: $default, answer: {} } ] } }\n"
	f(shop+"apiKeys: { files: [ /none/keys.csv ] }\n", "weir.yaml:2:21: apiKeys.files[0]: there is no file")
	f(strings.Replace(planned(t, "routes: [ { path: $default, answer: {} } ]"), "keys: [bob]", "keys: [bob, fay]", 1), `there is no key "fay" in the files of apiKeys`)
	f(strings.Replace(planned(t, "routes: [ { path: $default, answer: {} } ]"), "keys: [bob]", "keys: [bob, bad]", 1), `there is no key "bad" in the files of apiKeys`)
}

func testOptionsIn(t *testing.T) Options {
	options := testOptions()
	options.Data = t.TempDir()
	return options
}

func TestAuthorizerGivesNoKeyYet(t *testing.T) {
	t.Parallel()
	g := startGateway(t, planned(t, `apiKey: { source: AUTHORIZER }
    routes: [ { path: $default, apiKeyRequired: true, answer: { body: hello } } ]`))
	g.wants("a key of the request", 403, g.get("/", "x-api-key: "+annsKey))
}

// TestPlanLevels goes through a plan's levels: what one refuses is taken of none.
func TestPlanLevels(t *testing.T) {
	t.Parallel()
	g := startGateway(t, planned(t, `apiKey: { announce: true }
    routes:
      - { path: /slow, methods: [GET], apiKeyRequired: true, answer: { body: slow } }
      - { path: /tight, apiKeyRequired: true, throttle: { rate: 1/h, burst: 1 }, answer: { body: tight } }
      - { path: $default, apiKeyRequired: true, answer: { body: hello } }`))
	f := func(path string, want int, limit string) {
		t.Helper()
		a := g.exchange("GET " + path + " HTTP/1.1\r\nHost: h\r\nX-Api-Key: " + annsKey + "\r\nConnection: close\r\n\r\n")
		if got := a.Header.Get("RateLimit"); a.Status != want || !strings.HasPrefix(got, limit) {
			t.Errorf("%s: got %d, RateLimit %s; want %d, %s", path, a.Status, got, want, limit)
		}
		if policy := a.Header.Get("RateLimit-Policy"); want == 200 && !strings.HasSuffix(policy, `"plan";q=4;w=14400, "quota";q=3`) {
			t.Errorf("%s: got RateLimit-Policy %s", path, policy)
		}
	}
	f("/slow", 200, `"plan-method";r=0;t=3600, "plan";r=3;t=3600, "quota";r=2;t=`)
	f("/slow", 429, `"plan-method";r=0;t=3600`)
	f("/tight", 200, `"plan";r=2;`)
	f("/tight", 429, `"route";r=0;t=3600, "plan";r=2;`) // of what it gave back nothing is missing
	f("/tight", 429, `"route";r=0;t=3600, "plan";r=2;`)
	f("/", 200, `"plan";r=1;`)
	f("/", 429, `"quota";r=0;t=`)
	a := g.exchange("GET / HTTP/1.1\r\nHost: h\r\nX-Api-Key: " + annsKey + "\r\nConnection: close\r\n\r\n")
	if !strings.Contains(a.Body, "quota_exceeded") {
		t.Errorf("got %s; want the quota", a.Body)
	}
	id, _ := g.Plans().Identify([]byte(annsKey))
	usage, err := g.Plans().Usage("gold", id.KeyID(), time.Now(), time.Now(), plans.Page{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(usage); !strings.Contains(got, "[[3 0]]") {
		t.Errorf("got usage %s; want 3 used, 0 left", got)
	}
}

// TestPlanMethods finds what plans and stages set for methods by every name that
// it may have.
func TestPlanMethods(t *testing.T) {
	t.Parallel()
	f := func(key string, one, other string, want int) {
		t.Helper()
		for _, document := range []string{
			strings.Replace(planned(t, "routes: [ { path: /slow, apiKeyRequired: true, answer: {} }, { path: /, apiKeyRequired: true, answer: {} } ]"),
				"/slow/GET", key, 1),
			strings.Replace(planned(t, "routes: [ { path: /, apiKeyRequired: true, answer: {} }, { path: '/slow', apiKeyRequired: true, answer: {} } ]\n    stages: { $default: { methodSettings: { \""+key+"\": { throttle: { rate: 1/h, burst: 1 } } } } }"),
				"shop: { throttle: { /slow/GET: { rate: 1/h, burst: 1 } } }", "shop: {}", 1),
		} {
			g := startGateway(t, document)
			for i, request := range []string{one, one, other} {
				wanted := []int{200, 429, want}[i]
				if got := g.exchange(request + " HTTP/1.1\r\nHost: h\r\nX-Api-Key: " + annsKey + "\r\nConnection: close\r\n\r\n"); got.Status != wanted {
					t.Errorf("%s, %s: got %d; want %d\n%s", key, request, got.Status, wanted, document)
				}
			}
		}
	}
	f("/slow/GET", "GET /slow", "PUT /slow", 200)
	f("/slow/*", "GET /slow", "GET /", 200)
	f("//GET", "GET /", "PUT /", 200)
}

func TestLimitByAPIKey(t *testing.T) {
	t.Parallel()
	g := startGateway(t, "limits: { each: { by: [apiKey], rate: 1/h, burst: 1 } }\n"+planned(t, "routes: [ { path: $default, limits: [each], answer: { body: hello } } ]"))
	g.wants("one key", 200, g.get("/", "x-api-key: "+annsKey))
	g.wants("it again", 429, g.get("/", "x-api-key: "+annsKey))
	g.wants("another key", 200, g.get("/", "x-api-key: "+bobsKey))
	g.wants("none", 200, g.get("/"))
	g.wants("one that is none", 429, g.get("/", "x-api-key: "+strings.Repeat("y", 30)))
	g.wants("a disabled one", 429, g.get("/", "x-api-key: "+evesKey))
}

// sign returns the fields that sign a request (RFC 9421) with the secret of a key.
func sign(id, secret, nonce, method, target, body string) []string {
	key, err := base64.RawURLEncoding.DecodeString(secret)
	if err != nil {
		panic(err)
	}
	sum := sha256.Sum256([]byte(body))
	digest := "sha-256=:" + base64.StdEncoding.EncodeToString(sum[:]) + ":"
	path, _, _ := strings.Cut(target, "?")
	components, base := `"@method" "@authority" "@path"`, fmt.Sprintf("\"@method\": %s\n\"@authority\": h\n\"@path\": %s\n", method, path)
	var fields []string
	if body != "" {
		components += ` "content-digest"`
		base += `"content-digest": ` + digest + "\n"
		fields = append(fields, "Content-Digest: "+digest)
	}
	params := fmt.Sprintf(`(%s);created=%d;keyid="%s";alg="hmac-sha256";nonce="%s"`, components, time.Now().Unix(), id, nonce)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(base + `"@signature-params": ` + params))
	return append(fields, "Signature-Input: sig="+params, "Signature: sig=:"+base64.StdEncoding.EncodeToString(mac.Sum(nil))+":")
}

func TestSignedRequests(t *testing.T) {
	t.Parallel()
	up := startUpstream(t, answerEach(func(r *rawRequest) string { return okText("body " + r.Body) }))
	g := startGateway(t, planned(t, "routes: [ { path: $default, apiKeyRequired: true, signature: { maxBody: 100 }, upstream: up } ]")+
		"upstreams: { up: { targets: [ \""+up.url()+"\" ] } }\n")
	issued, err := g.Plans().CreateKey(plans.NewKey{Name: "signer", Enabled: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Plans().AddPlanKey("gold", issued.Key.ID); err != nil {
		t.Fatal(err)
	}
	nonce := 0
	f := func(what, signed, sent string, chunked bool, want int, cause string) {
		t.Helper()
		nonce++
		fields := sign(issued.Key.ID, issued.SigningSecret, fmt.Sprintf("nonce-that-is-new-%d", nonce), "POST", "/x", signed)
		request := "POST /x HTTP/1.1\r\nHost: h\r\n" + strings.Join(fields, "\r\n") + "\r\n"
		if chunked {
			request += fmt.Sprintf("Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n", len(sent), sent)
		} else {
			request += fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(sent), sent)
		}
		for i := range 2 {
			a := g.exchange(request)
			if i == 1 && want == 200 {
				if a.Status != 403 {
					t.Errorf("%s, replayed: got %d; want 403", what, a.Status)
				}
				break
			}
			if a.Status != want || !strings.Contains(a.Body, cause) {
				t.Errorf("%s: got %d %s; want %d %s", what, a.Status, a.Body, want, cause)
			}
			if want == 413 {
				break
			}
		}
	}
	f("a signed body", "hello", "hello", false, 200, "body hello")
	f("a signed body in chunks", "hello", "hello", true, 200, "body hello")
	f("another body", "hello", "hullo", false, 403, "invalid_signature")
	f("too large a body", strings.Repeat("x", 101), strings.Repeat("x", 101), false, 413, "body_too_large")
	f("too large a body in chunks", strings.Repeat("x", 101), strings.Repeat("x", 101), true, 413, "body_too_large")
	g.wants("no signature", 403, g.get("/x", "x-api-key: "+issued.Value))
	if _, requests := up.counts(); requests != 2 {
		t.Errorf("the upstream has got %d requests; want 2", requests)
	}
}

// TestSharedLimits has two gateways share limits by one redis, and loses it.
func TestSharedLimits(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	document := func(prefix string) string {
		return fmt.Sprintf(`
redis: { addresses: [ %q ], prefix: %s, timeout: 1s }
limits:
  each:   { by: ["header:X-Tenant"], rate: 1/h, burst: 2, shared: exact }
  closed: { by: ["header:X-Tenant"], rate: 1/h, burst: 100, shared: exact, whenAway: closed }
apis: { all: { throttle: { rate: 1/h, burst: 5, shared: exact }, limits: [each], routes: [ { path: $default, answer: { body: hello } }, { path: /closed, limits: [closed], answer: { body: hello } } ] } }
`, server.Address, prefix)
	}
	a, b := startGateway(t, document("one")), startGateway(t, document("one"))
	for _, g := range []*testGateway{a, b} {
		g.eventually("redis", func() bool { away, _, _ := g.limits.sharedClient().State(); return !away })
	}
	a.wants("the first", 200, a.get("/", "X-Tenant: a"))
	b.wants("the second", 200, b.get("/", "X-Tenant: a"))
	a.wants("the third", 429, a.get("/", "X-Tenant: a"))
	b.wants("the fourth", 429, b.get("/", "X-Tenant: a"))
	for range 3 { // the API's throttle got back what the refused ones took
		a.wants("others", 200, a.get("/", fmt.Sprintf("X-Tenant: %d", time.Now().UnixNano())))
	}
	b.wants("beyond the API's throttle", 429, b.get("/", "X-Tenant: z"))

	before := a.limits.sharedClient()
	a.reload(document("one") + "throttle: { rate: 1000 }\n")
	if a.limits.sharedClient() != before {
		t.Error("a reload has opened redis anew")
	}
	a.reload(document("two"))
	if a.limits.sharedClient() == before {
		t.Error("other settings have not opened redis anew")
	}
	a.eventually("redis", func() bool { away, _, _ := a.limits.sharedClient().State(); return !away })
	server.Kill()
	a.eventually("that redis is away", func() bool { return a.get("/closed", "X-Tenant: c") == 503 })
	answer := a.exchange("GET /closed HTTP/1.1\r\nHost: h\r\nX-Tenant: c\r\nConnection: close\r\n\r\n")
	if answer.Status != 503 || !strings.Contains(answer.Body, "limits_away") || answer.Header.Get("Retry-After") != "1" {
		t.Errorf("got %d %s; want limits_away", answer.Status, answer.Body)
	}
	a.wants("by the node's share", 200, a.get("/", "X-Tenant: d"))
	metrics, _ := a.AppendMetrics(nil)
	for _, want := range []string{`weir_limit_shared_decisions_total{by="closed",limit="closed"} `, "weir_shared_limits_away 1\n"} {
		if !bytes.Contains(metrics, []byte(want)) {
			t.Errorf("the metrics have no %s", want)
		}
	}
}
