package observe

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// logField is one thing that a line of the access log can tell.
type logField struct {
	context string // name after "$context.", "" when AWS has none
	json    string // key of the JSON format, which jsonLine.add writes; "" when it does not tell it
	help    string
	// add appends the value to a line of a format string, or nothing when it is not
	// known. It is nil where AWS has a name for something that does not exist here.
	add func(dst []byte, e *escaper, r *Record) []byte
}

// logFields lists everything in the order of the JSON format. It is called once a
// format, when that is compiled.
func logFields() []logField {
	fields := requestFields()
	fields = append(fields, upstreamFields()...)
	fields = append(fields, callerFields()...)
	return append(fields, absentFields()...)
}

func requestFields() []logField {
	return []logField{
		{"", "time", "start of the request, RFC 3339 in UTC", nil},
		{"requestTime", "", "start of the request, as the Common Log Format has it", func(dst []byte, _ *escaper, r *Record) []byte { return appendCLFTime(dst, r.Start) }},
		{"requestTimeEpoch", "", "start of the request, in milliseconds of Unix time", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.Start.UnixMilli(), 10) }},
		{"requestId", "request_id", "id of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.RequestID) }},
		{"extendedRequestId", "", "longer id of the request; the same as requestId where there is none", appendExtendedID},
		{"identity.sourceIp", "client", "address of the client, after trusted proxies", appendClient},
		{"", "peer", "address and port of the connection's other end, when that is not the client", nil},
		{"", "listener", "listener that took the connection, unless it is main", nil},
		{"", "scheme", "http or https", nil},
		{"protocol", "protocol", "protocol of the request; in JSON, unless it is HTTP/1.1", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Protocol) }},
		{"", "tls", "TLS version", nil},
		{"httpMethod", "method", "method of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Method) }},
		{"", "host", "host that the client asked for", nil},
		{"path", "path", "path of the request", appendPath},
		{"", "query", "query of the request, without secrets", nil},
		{"status", "status", "status of the answer", func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.Status) }},
		{"grpcStatus", "grpc_status", "status code of a gRPC call; AWS has no such name", func(dst []byte, _ *escaper, r *Record) []byte { return r.GRPC.append(dst) }},
		{"dataProcessed", "bytes_in", "bytes of the request's body; in JSON, unless there are none", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.BytesIn, 10) }},
		{"responseLength", "bytes_out", "bytes of the answer's body; in JSON, unless there are none", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.BytesOut, 10) }},
		{"", "duration_ms", "time until the last byte of the answer, in milliseconds", nil},
		{"responseLatency", "", "the same in whole milliseconds", func(dst []byte, _ *escaper, r *Record) []byte {
			return strconv.AppendInt(dst, r.Took.Milliseconds(), 10)
		}},
		{"apiId", "api", "API", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.API) }},
		{"stage", "stage", "stage; in JSON, unless it is $default", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Stage) }},
		{"resourcePath", "route", "path pattern of the route", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Route) }},
		{"routeKey", "", "key of the route, e.g. GET /pets", appendRouteKey},
		{"resourceId", "", "id of the resource", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ResourceID) }},
		{"deploymentId", "", "id of the deployment", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.DeploymentID) }},
		{"isCanaryRequest", "canary", "whether the canary answered", func(dst []byte, _ *escaper, r *Record) []byte { return appendTrue(dst, r.Canary) }},
		{"domainName", "domain", "domain name that matched, or the host; in JSON, unless it is the host or *", appendDomain},
		{"domainPrefix", "", "first label of domainName", appendDomainPrefix},
		{"customDomain.basePathMatched", "", "base path mapping that matched", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.BasePath) }},
	}
}

func upstreamFields() []logField {
	upstreamStatus := func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.UpstreamStatus) }
	upstreamError := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UpstreamError) }
	upstreamID := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UpstreamID) }
	return []logField{
		{"", "upstream", "upstream that was asked", nil},
		{"", "target", "target that was asked last, without http://", nil},
		{"integrationStatus", "upstream_status", "status that the upstream answered with; in JSON, unless it is the answer's", upstreamStatus},
		{"integration.status", "", "the same", upstreamStatus},
		{"integration.integrationStatus", "", "the same", upstreamStatus},
		{"", "upstream_ms", "time until the upstream's first byte, in milliseconds", nil},
		{"", "upstream_total_ms", "time until the upstream's last byte, in milliseconds", nil},
		{"integrationLatency", "", "time until the upstream's first byte, in whole milliseconds", appendIntegrationLatency},
		{"integration.latency", "", "the same", appendIntegrationLatency},
		{"integrationErrorMessage", "upstream_error", "what went wrong with the upstream", upstreamError},
		{"integration.error", "", "the same", upstreamError},
		{"integration.requestId", "", "request id that the upstream answered with", upstreamID},
		{"awsEndpointRequestId", "", "the same", upstreamID},
		{"", "retries", "attempts after the first, if there were any", nil},
		{"", "reused", "false when the target was asked over a new connection", nil},
		{"cacheStatus", "cache", "what the response cache did: hit, stale, revalidated, collapsed, miss, bypass or refreshed_in_background; AWS has no such name", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.CacheResult.String()) }},
		{"cacheAge", "cache_age", "age in seconds of an answer out of the cache; AWS has no such name", appendCacheAge},
		{"", "cause", "why the gateway refused or failed", nil},
		{"limit", "limit", "limit that refused the request; AWS has no such name", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Limit) }},
		{"error.message", "error", "what was wrong with the request or its client", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ErrorMessage) }},
		{"error.messageString", "", "the same in quotes", appendErrorString},
		{"error.responseType", "error_type", "type of the gateway response", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ErrorType) }},
		{"error.validationErrorString", "", "what the validation found", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ValidationError) }},
		{"wafResponseCode", "waf", "WAF_ALLOW or WAF_BLOCK", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.WAFAction) }},
		{"", "aborted", "whether the client left early", nil},
		{"", "upgraded", "whether the connection became a tunnel", nil},
	}
}

func callerFields() []logField {
	authorizerStatus := func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.Authorizer.Status) }
	authorizerError := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Authorizer.Error) }
	return []logField{
		{"identity.userAgent", "user_agent", "User-Agent of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UserAgent) }},
		{"", "referer", "Referer of the request, without secrets", nil},
		{"", "trace_id", "trace id of W3C Trace Context", nil},
		{"xrayTraceId", "", "the same as X-Ray writes it", appendXRayID},
		{"authorizer.principalId", "principal", "principal that the authorizer named", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Authorizer.Principal) }},
		{"authorizer.status", "", "status that the authorizer led to", authorizerStatus},
		{"authorizer.integrationStatus", "", "the same", authorizerStatus},
		{"authorize.status", "", "the same", authorizerStatus},
		{"authenticate.status", "", "the same", authorizerStatus},
		{"authorizer.error", "", "what went wrong with the authorizer", authorizerError},
		{"authorize.error", "", "the same", authorizerError},
		{"authenticate.error", "", "the same", authorizerError},
		{"authorizer.latency", "", "time of the authorizer, in whole milliseconds", appendAuthorizerLatency},
		{"authorizer.integrationLatency", "", "the same", appendAuthorizerLatency},
		{"authorize.latency", "", "the same", appendAuthorizerLatency},
		{"authenticate.latency", "", "the same", appendAuthorizerLatency},
		{"identity.apiKeyId", "api_key_id", "id of the API key", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.APIKeyID) }},
		{"usagePlan", "usage_plan", "usage plan that the API key has for the stage; AWS has no such name", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UsagePlan) }},
		{"identity.accountId", "", "AWS account of the caller", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.AccountID) }},
		{"identity.caller", "", "principal of the caller", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.Caller) }},
		{"identity.user", "", "principal of the user", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.User) }},
		{"identity.userArn", "", "ARN of the user", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.UserARN) }},
		{"identity.clientCert.subjectDN", "", "subject of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte {
			return appendText(dst, e, r.Identity.ClientCertSubject)
		}},
		{"identity.clientCert.issuerDN", "", "issuer of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.ClientCertIssuer) }},
		{"identity.clientCert.serialNumber", "", "serial number of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.ClientCertSerial) }},
		{"identity.clientCert.clientCertPem", "", "the client's certificate in PEM", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.ClientCertPEM) }},
		{"identity.clientCert.validity.notBefore", "", "begin of its validity", func(dst []byte, e *escaper, r *Record) []byte {
			return appendText(dst, e, r.Identity.ClientCertNotBefore)
		}},
		{"identity.clientCert.validity.notAfter", "", "end of its validity", func(dst []byte, e *escaper, r *Record) []byte {
			return appendText(dst, e, r.Identity.ClientCertNotAfter)
		}},
		{"connectionId", "connection_id", "id of the WebSocket", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ConnectionID) }},
		{"connectedAt", "", "start of the WebSocket, in milliseconds of Unix time", appendConnectedAt},
		{"eventType", "event_type", "CONNECT, MESSAGE or DISCONNECT", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.EventType) }},
		{"messageId", "message_id", "id of the WebSocket's message", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.MessageID) }},
	}
}

// absentFields are names that AWS accepts and that tell nothing here: formats that
// use them keep working.
func absentFields() []logField {
	var fields []logField
	for _, name := range [...]string{
		"accountId", "authorizer.requestId", "awsEndpointRequestId2", "endpointType", "identity.apiKey",
		"identity.cognitoAuthenticationProvider", "identity.cognitoAuthenticationType", "identity.cognitoIdentityId",
		"identity.cognitoIdentityPoolId", "identity.principalOrgId", "identity.vpcId", "identity.vpceId",
		"responseOverride.status", "waf.error", "waf.latency", "waf.status", "webaclArn",
	} {
		fields = append(fields, logField{context: name, help: "always `-`"})
	}
	return fields
}

func appendExtendedID(dst []byte, e *escaper, r *Record) []byte {
	if len(r.ExtendedID) > 0 {
		return appendText(dst, e, r.ExtendedID)
	}
	return appendText(dst, e, r.RequestID)
}

func appendClient(dst []byte, _ *escaper, r *Record) []byte {
	if r.Client.IsValid() {
		return r.Client.Unmap().WithZone("").AppendTo(dst)
	}
	if addr := r.Peer.Addr(); addr.IsValid() {
		return addr.Unmap().WithZone("").AppendTo(dst)
	}
	return dst
}

func appendPath(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, pathOf(r)) }

// pathOf returns the canonical path, or what stands for it where there is none.
func pathOf(r *Record) []byte {
	if len(r.Path) > 0 {
		return r.Path
	}
	if i := bytes.IndexByte(r.RequestTarget, '?'); i >= 0 {
		return r.RequestTarget[:i]
	}
	return r.RequestTarget
}

func appendStatus(dst []byte, status int) []byte {
	if status == 0 {
		return dst
	}
	return strconv.AppendInt(dst, int64(status), 10)
}

func appendCacheAge(dst []byte, _ *escaper, r *Record) []byte {
	if !r.CacheResult.isStored() {
		return dst
	}
	return strconv.AppendInt(dst, int64(r.CacheAge/time.Second), 10)
}

func appendTrue(dst []byte, v bool) []byte {
	if !v {
		return dst
	}
	return append(dst, "true"...)
}

func appendRouteKey(dst []byte, e *escaper, r *Record) []byte {
	if r.RouteKey != "" || r.Route == "" {
		return appendText(dst, e, r.RouteKey)
	}
	dst = appendText(dst, e, r.Method)
	dst = appendText(dst, e, " ")
	return appendText(dst, e, r.Route)
}

func appendDomain(dst []byte, e *escaper, r *Record) []byte {
	if r.Domain != "" {
		return appendText(dst, e, r.Domain)
	}
	return appendText(dst, e, r.Host)
}

func appendDomainPrefix(dst []byte, e *escaper, r *Record) []byte {
	if r.Domain != "" {
		return appendFirstLabel(dst, e, r.Domain)
	}
	return appendFirstLabel(dst, e, r.Host)
}

func appendFirstLabel[T text](dst []byte, e *escaper, domain T) []byte {
	for i := range len(domain) {
		if domain[i] == '.' {
			return appendText(dst, e, domain[:i])
		}
	}
	return appendText(dst, e, domain)
}

func appendIntegrationLatency(dst []byte, _ *escaper, r *Record) []byte {
	return appendLatency(dst, r.UpstreamFirstByte)
}

func appendAuthorizerLatency(dst []byte, _ *escaper, r *Record) []byte {
	return appendLatency(dst, r.Authorizer.Took)
}

func appendLatency(dst []byte, d time.Duration) []byte {
	if d == 0 {
		return dst
	}
	return strconv.AppendInt(dst, d.Milliseconds(), 10)
}

func appendConnectedAt(dst []byte, _ *escaper, r *Record) []byte {
	if r.ConnectedAt.IsZero() {
		return dst
	}
	return strconv.AppendInt(dst, r.ConnectedAt.UnixMilli(), 10)
}

// appendErrorString quotes the message, as AWS does for use in JSON templates.
func appendErrorString(dst []byte, e *escaper, r *Record) []byte {
	if r.ErrorMessage == "" {
		return dst
	}
	dst = append(dst, '"')
	dst = appendText(dst, e, r.ErrorMessage)
	return append(dst, '"')
}

// traceIDOf returns the 32 digits of a traceparent, or nothing when it has not the
// form of W3C Trace Context §3.2.
func traceIDOf(traceParent []byte) []byte {
	if len(traceParent) < 55 || traceParent[2] != '-' || traceParent[35] != '-' {
		return nil
	}
	id := traceParent[3:35]
	areDigits := uint32(1)
	for _, c := range id {
		// No branches: digits are random, and half of the guesses would be wrong
		// (BenchmarkTraceID: a third of the time).
		areDigits &= ((uint32(c-'0') - 10) | (uint32((c|0x20)-'a') - 6)) >> 31
	}
	if areDigits == 0 {
		return nil
	}
	return id
}

func appendXRayID(dst []byte, _ *escaper, r *Record) []byte {
	id := traceIDOf(r.TraceParent)
	if id == nil {
		return dst
	}
	dst = append(dst, "1-"...)
	dst = append(dst, id[:8]...)
	dst = append(dst, '-')
	return append(dst, id[8:]...)
}

// FormatReference describes all names of format strings and all keys of the JSON
// format, as a table in Markdown.
func FormatReference() []byte {
	var b bytes.Buffer
	b.WriteString("| Format string | JSON key | Meaning |\n| --- | --- | --- |\n")
	help := ""
	for _, f := range logFields() {
		context, key := "–", "–"
		if f.context != "" {
			context = "`$context." + f.context + "`"
		}
		if f.json != "" {
			key = "`" + f.json + "`"
		}
		if f.help != "the same" {
			help = f.help
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", context, key, help)
	}
	fmt.Fprintf(&b, "| `$context.%s<name>` | – | value that the authorizer gave under that name |\n", authorizerPrefix)
	fmt.Fprintf(&b, "| `$context.%s<name>` | – | claim of the token |\n", claimsPrefix)
	return b.Bytes()
}
