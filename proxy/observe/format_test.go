package observe

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

func lineOf(t *testing.T, format string, r *Record) string {
	t.Helper()
	f, err := compileFormat(format)
	if err != nil {
		t.Fatal(err)
	}
	return string(lineIn(f, r))
}

// lineIn returns what a log of that format takes for r.
func lineIn(f *logFormat, r *Record) []byte {
	l := &AccessLog{format: f, oneIn: 1, shards: make([]logShard, 1)}
	l.writer = &logWriter{dirty: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
	l.prepare(2 * minBufferBytes) // TestNoClientHidesItsLine wants to see what is too long
	l.Write(r)
	return l.shards[0].filling
}

func TestLines(t *testing.T) {
	f := func(format string, r *Record, want string) {
		t.Helper()
		if got := lineOf(t, format, r); got != want+"\n" {
			t.Errorf("format %q:\ngot  %swant %s", format, got, want)
		}
	}
	full, empty := sampleRecord(), &Record{Start: time.Unix(0, 0)}
	f("json", full, `{"time":"2026-03-09T06:05:04.021Z","request_id":"c6af9ac6-7b61-11e6-9a41-93e8deadbeef","client":"203.0.113.7","peer":"10.0.0.9:4711",`+
		`"listener":":8443","scheme":"https","tls":"TLSv1.3","method":"GET","host":"api.example.org","path":"/v1/pets/7",`+
		`"query":"full=1&access_token=REDACTED","status":200,"bytes_out":1024,"duration_ms":12.345,"api":"petstore","stage":"prod",`+
		`"route":"/pets/{id}","upstream":"pets","target":"10.0.0.1:8080","upstream_ms":9.005,`+
		`"upstream_total_ms":11,"retries":1,"user_agent":"Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",`+
		`"referer":"https://example.org/list?page=2","trace_id":"4bf92f3577b34da6a3ce929d0e0e4736","principal":"alice"}`)
	f("json", empty, `{"time":"1970-01-01T00:00:00.000Z","duration_ms":0}`)
	f("clf", full, `203.0.113.7 - - [09/Mar/2026:06:05:04 +0000] "GET /pets/{id} HTTP/1.1" 200 1024 c6af9ac6-7b61-11e6-9a41-93e8deadbeef c6af9ac6-7b61-11e6-9a41-93e8deadbeef`)
	f("clf", empty, `- - - [01/Jan/1970:00:00:00 +0000] "- - -" - 0 - -`)
	f("combined", full, `203.0.113.7 - - [09/Mar/2026:06:05:04 +0000] "GET /v1/pets/7?full=1&access_token=REDACTED HTTP/1.1" 200 1024 `+
		`"https://example.org/list?page=2" "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"`)
	f("combined", empty, `- - - [01/Jan/1970:00:00:00 +0000] "- - -" - - "-" "-"`)
	f(`$context.requestTimeEpoch $context.responseLatency/$context.integrationLatency`, full, "1773036304021 12/9")
	f(`$context.integration.latency,$context.integration.status,$context.authorizer.latency`, full, "9,200,3")
	f(`$context.routeKey.`, full, `GET\u0020/pets/{id}.`)
	f(`"$context.routeKey"`, full, `"GET /pets/{id}"`)
	f(`$context.xrayTraceId`, full, "1-4bf92f35-77b34da6a3ce929d0e0e4736")
	f(`$context.domainPrefix $context.customDomain.basePathMatched`, full, "api v1")
	f(`"$context.authorizer.claims.sub" $context.authorizer.tier $context.authorizer.principalId $context.authorizer.none`, full, `"user 7" gold alice -`)
	f(`$context.authorizer.claims.sub`, empty, "-")
	f(`$context.identity.cognitoIdentityId $context.requestOverride.header.x $context.accountId`, full, "- - -")
	f(`costs $5 $ $context.status$`, full, "costs $5 $ 200$")
	f(`$context.grpcStatus`, full, "-")
	f(`$context.grpcStatus $context.status`, &Record{Status: 200, GRPC: GRPCStatusOf(0)}, "0 200")
	f(`$context.grpcStatus`, &Record{GRPC: NoGRPCStatus}, "-")
	f(`$context.extendedRequestId`, &Record{ExtendedID: []byte("L9Hi=")}, "L9Hi=")
	f(`$context.identity.sourceIp`, &Record{Peer: full.Peer}, "10.0.0.9")
	f(`{"m":$context.error.messageString}`, &Record{ErrorMessage: `no "x" here`}, `{"m":"no \"x\" here"}`)
	f(`<r id="$context.requestId">$context.identity.userAgent</r>`, &Record{RequestID: []byte(`"1"`), UserAgent: []byte("</r>&'\n")},
		`<r id="&#34;1&#34;">&lt;/r&gt;&amp;&#39;\u000a</r>`)
}

func TestFormatMistakes(t *testing.T) {
	f := func(format, want string) {
		t.Helper()
		_, err := compileFormat(format)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("compileFormat(%q): got %v; want an error with %q", format, err, want)
		}
	}
	f("jason", "it is not json, clf or combined")
	f("$context.staus", `did you mean "$context.status"?`)
	f("$context.identity.sourceIP", `did you mean "$context.identity.sourceIp"?`)
	f("$context.nothingLikeAnything", `unknown name "$context.nothingLikeAnything"`)
	f("$context.authorizer.claims", `unknown name`)
	f("$context.", "no name behind")
	f("$context. $context.status", "no name behind")
	f("$stageVariables.x $context.status", `unknown name "$stageVariables"`)
	f("$context.status\n$context.path", "must be one line")
	f("$context.status"+strings.Repeat(" ", maxFormatBytes), "at most 3072")
}

func TestAWSNamesAreKnown(t *testing.T) {
	for _, name := range strings.Fields(`accountId apiId authorizer.claims.sub authorizer.principalId authorizer.tier awsEndpointRequestId
		deploymentId domainName domainPrefix error.message error.messageString error.responseType error.validationErrorString extendedRequestId
		httpMethod identity.accountId identity.apiKey identity.apiKeyId identity.caller identity.cognitoAuthenticationProvider
		identity.cognitoAuthenticationType identity.cognitoIdentityId identity.cognitoIdentityPoolId identity.principalOrgId identity.sourceIp
		identity.clientCert.clientCertPem identity.clientCert.subjectDN identity.clientCert.issuerDN identity.clientCert.serialNumber
		identity.clientCert.validity.notBefore identity.clientCert.validity.notAfter identity.user identity.userAgent identity.userArn
		identity.vpcId identity.vpceId isCanaryRequest path protocol requestId requestOverride.header.X_Y requestOverride.path.p
		requestOverride.querystring.q responseOverride.header.X responseOverride.status requestTime requestTimeEpoch resourceId resourcePath
		stage wafResponseCode webaclArn authorize.error authorize.latency authorize.status authorizer.error authorizer.integrationLatency
		authorizer.integrationStatus authorizer.latency authorizer.requestId authorizer.status authenticate.error authenticate.latency
		authenticate.status customDomain.basePathMatched endpointType integration.error integration.integrationStatus integration.latency
		integration.requestId integration.status integrationErrorMessage integrationLatency integrationStatus responseLatency responseLength
		status waf.error waf.latency waf.status xrayTraceId awsEndpointRequestId2 dataProcessed routeKey connectionId connectedAt eventType messageId`) {
		if _, err := compileFormat("$context." + name); err != nil {
			t.Error(err)
		}
	}
}

// hostile are values that try to end their field or line.
var hostile = []string{
	"a\nb", "a\r\nb", `a" 200 "b`, `a\" b`, `\`, `a","status":200,"x":"`, "a\x00b\x1b[2Jc", "a\x7fb", "\xff\xfe", "\xc2\x9b31m",
	"a\u2028b\u2029c", "1 2 3", "a,b", "a] b", "caf\u00e9", "\u65e5\u672c", strings.Repeat("x", 10_000), strings.Repeat("\u65e5", 3000), "$context.status",
}

func hostileRecord(v string) *Record {
	b := []byte(v)
	return &Record{
		Protocol: v, Method: b, Host: b, RequestTarget: []byte("/" + v + "?" + v), Path: b, RequestID: b, UserAgent: b, Referer: b,
		TraceParent: b, Status: 404, Route: v, API: v, ErrorMessage: v, Identity: Identity{User: v, Caller: v},
		Authorizer: Authorizer{Principal: v, Properties: claims{"x": v}},
	}
}

func checkOneLine(t *testing.T, line string) {
	t.Helper()
	body, ended := strings.CutSuffix(line, "\n")
	if !ended {
		t.Fatalf("got a line without end: %q", line)
	}
	for _, r := range body {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r == '\ufffd' {
			t.Fatalf("got %U in line %q; want it escaped", r, line)
		}
	}
}

func checkForging(t *testing.T, value string) {
	t.Helper()
	r := hostileRecord(value)
	line := lineOf(t, "json", r)
	checkOneLine(t, line)
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		t.Fatalf("got invalid JSON %q: %s", line, err)
	}
	if got := fields["status"]; got != 404.0 {
		t.Fatalf("status: got %v; want 404 in %q", got, line)
	}
	decoder := json.NewDecoder(strings.NewReader(line))
	seen := map[string]bool{}
	for token, err := decoder.Token(); err == nil; token, err = decoder.Token() {
		key, isText := token.(string)
		if !isText {
			continue
		}
		if seen[key] {
			t.Fatalf("key %q twice in %q", key, line)
		}
		seen[key] = true
		if _, err := decoder.Token(); err != nil {
			t.Fatal(err)
		}
	}

	line = lineOf(t, `{"agent":"$context.identity.userAgent","x":"$context.authorizer.x","status":$context.status,"m":$context.error.messageString,"p":"$context.path"}`, r)
	checkOneLine(t, line)
	clear(fields)
	if err := json.Unmarshal([]byte(line), &fields); value != "" && (err != nil || fields["status"] != 404.0 || len(fields) != 5) {
		t.Fatalf("got %q (%v); want five fields", line, err)
	}

	line = lineOf(t, "clf", r)
	checkOneLine(t, line)
	if got := strings.Count(unquoted(line), " "); got != 9 {
		t.Fatalf("clf: got %d spaces outside of quotes in %q; want 9", got, line)
	}
	line = lineOf(t, "combined", r)
	checkOneLine(t, line)
	if got := strings.Count(unquoted(line), " "); got != 9 {
		t.Fatalf("combined: got %d spaces outside of quotes in %q; want 9", got, line)
	}
}

// unquoted removes what stands between quotes, as a reader of a log would.
func unquoted(line string) string {
	var b strings.Builder
	inQuotes := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && inQuotes:
			i++
		case line[i] == '"':
			inQuotes = !inQuotes
		case !inQuotes:
			b.WriteByte(line[i])
		}
	}
	return b.String()
}

func TestNobodyForgesLines(t *testing.T) {
	for _, value := range hostile {
		checkForging(t, value)
	}
}

// TestNoClientHidesItsLine sends values that grow most when they are escaped: a line
// that no buffer takes would be dropped.
func TestNoClientHidesItsLine(t *testing.T) {
	for _, value := range []string{"\xff", "\x01", "\"", "\u2028", "x\x01", "sig=&", "\xff=&", "&", "x"} {
		r := hostileRecord(strings.Repeat(value, 20_000))
		for _, format := range []string{"json", "clf", "combined"} {
			if got := len(lineOf(t, format, r)); got > minBufferBytes {
				t.Errorf("%s of many %q: got %d bytes; want at most %d", format, value, got, minBufferBytes)
			}
		}
	}
}

func FuzzLine(f *testing.F) {
	for _, value := range hostile {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) { checkForging(t, value) })
}

func FuzzFormat(f *testing.F) {
	for _, format := range []string{"json", benchFormat, commonFormat, "$context.authorizer.claims.custom:a-b$", "$", `\"$context.path`, "<$context.path", "$context.x"} {
		f.Add(format)
	}
	r := hostileRecord("a\n\"b\\")
	f.Fuzz(func(t *testing.T, format string) {
		compiled, err := compileFormat(format)
		if err != nil {
			return
		}
		if got := bytes.Count(lineIn(compiled, r), []byte{'\n'}); got != 1 {
			t.Fatalf("format %q: got %d line ends; want 1", format, got)
		}
	})
}

func TestFormatReferenceNamesEverything(t *testing.T) {
	reference := string(FormatReference())
	for _, field := range logFields() {
		if field.context != "" && !strings.Contains(reference, "`$context."+field.context+"`") {
			t.Errorf("got no %q in the reference; want it", field.context)
		}
		if field.json != "" && !strings.Contains(reference, "`"+field.json+"`") {
			t.Errorf("got no key %q in the reference; want it", field.json)
		}
		if field.help == "" {
			t.Errorf("field %q%q has no help", field.context, field.json)
		}
	}
}
