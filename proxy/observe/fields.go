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
	json    string // key of the JSON format, "" when it does not tell it
	number  bool   // JSON writes it without quotes
	help    string
	// add appends the value, or nothing when it is not known. It is nil where AWS
	// has a name for something that does not exist here.
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
		{"", "time", false, "start of the request, RFC 3339 in UTC", func(dst []byte, _ *escaper, r *Record) []byte { return appendTimestamp(dst, r.Start) }},
		{"requestTime", "", false, "start of the request, as the Common Log Format has it", func(dst []byte, _ *escaper, r *Record) []byte { return appendCLFTime(dst, r.Start) }},
		{"requestTimeEpoch", "", true, "start of the request, in milliseconds of Unix time", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.Start.UnixMilli(), 10) }},
		{"requestId", "request_id", false, "id of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.RequestID) }},
		{"extendedRequestId", "", false, "longer id of the request; the same as requestId where there is none", appendExtendedID},
		{"identity.sourceIp", "client", false, "address of the client, after trusted proxies", appendClient},
		{"", "peer", false, "address and port of the connection's other end", appendPeer},
		{"", "listener", false, "listener that took the connection", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Listener) }},
		{"", "scheme", false, "http or https", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Scheme) }},
		{"protocol", "protocol", false, "protocol of the request, e.g. HTTP/1.1", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Protocol) }},
		{"", "tls", false, "TLS version", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.TLS) }},
		{"httpMethod", "method", false, "method of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Method) }},
		{"", "host", false, "host that the client asked for", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Host) }},
		{"path", "path", false, "path of the request", appendPath},
		{"", "query", false, "query of the request, without secrets", func(dst []byte, e *escaper, r *Record) []byte { return appendQuery(dst, e, queryOf(r.RequestTarget)) }},
		{"status", "status", true, "status of the answer", func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.Status) }},
		{"dataProcessed", "bytes_in", true, "bytes of the request's body", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.BytesIn, 10) }},
		{"responseLength", "bytes_out", true, "bytes of the answer's body", func(dst []byte, _ *escaper, r *Record) []byte { return strconv.AppendInt(dst, r.BytesOut, 10) }},
		{"", "duration_ms", true, "time until the last byte of the answer, in milliseconds", func(dst []byte, _ *escaper, r *Record) []byte { return appendMillis(dst, r.Took) }},
		{"responseLatency", "", true, "the same in whole milliseconds", func(dst []byte, _ *escaper, r *Record) []byte {
			return strconv.AppendInt(dst, r.Took.Milliseconds(), 10)
		}},
		{"apiId", "api", false, "API", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.API) }},
		{"stage", "stage", false, "stage", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Stage) }},
		{"resourcePath", "route", false, "path pattern of the route", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Route) }},
		{"routeKey", "", false, "key of the route, e.g. GET /pets", appendRouteKey},
		{"resourceId", "", false, "id of the resource", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ResourceID) }},
		{"deploymentId", "", false, "id of the deployment", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.DeploymentID) }},
		{"isCanaryRequest", "canary", true, "whether the canary answered", func(dst []byte, _ *escaper, r *Record) []byte { return appendTrue(dst, r.Canary) }},
		{"domainName", "domain", false, "domain name that matched, or the host", appendDomain},
		{"domainPrefix", "", false, "first label of domainName", appendDomainPrefix},
		{"customDomain.basePathMatched", "", false, "base path mapping that matched", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.BasePath) }},
	}
}

func upstreamFields() []logField {
	upstreamStatus := func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.UpstreamStatus) }
	upstreamError := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UpstreamError) }
	upstreamID := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UpstreamID) }
	return []logField{
		{"", "upstream", false, "upstream that was asked", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UpstreamName) }},
		{"", "target", false, "target that was asked last", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Target) }},
		{"integrationStatus", "upstream_status", true, "status that the upstream answered with", upstreamStatus},
		{"integration.status", "", true, "the same", upstreamStatus},
		{"integration.integrationStatus", "", true, "the same", upstreamStatus},
		{"", "upstream_ms", true, "time until the upstream's first byte, in milliseconds", appendUpstreamMillis},
		{"", "upstream_total_ms", true, "time until the upstream's last byte, in milliseconds", appendUpstreamTotal},
		{"integrationLatency", "", true, "time until the upstream's first byte, in whole milliseconds", appendIntegrationLatency},
		{"integration.latency", "", true, "the same", appendIntegrationLatency},
		{"integrationErrorMessage", "upstream_error", false, "what went wrong with the upstream", upstreamError},
		{"integration.error", "", false, "the same", upstreamError},
		{"integration.requestId", "", false, "request id that the upstream answered with", upstreamID},
		{"awsEndpointRequestId", "", false, "the same", upstreamID},
		{"", "retries", true, "attempts after the first", appendRetries},
		{"", "reused", true, "whether the upstream's connection was pooled", func(dst []byte, _ *escaper, r *Record) []byte { return appendTrue(dst, r.ConnectionReused) }},
		{"", "cache", false, "what the response cache did", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.CacheResult) }},
		{"", "cause", false, "why the gateway refused or failed", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Cause) }},
		{"error.message", "error", false, "error message that the client got", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ErrorMessage) }},
		{"error.messageString", "", false, "the same in quotes", appendErrorString},
		{"error.responseType", "error_type", false, "type of the gateway response", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ErrorType) }},
		{"error.validationErrorString", "", false, "what the validation found", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ValidationError) }},
		{"wafResponseCode", "waf", false, "WAF_ALLOW or WAF_BLOCK", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.WAFAction) }},
		{"", "aborted", true, "whether the client left early", func(dst []byte, _ *escaper, r *Record) []byte { return appendTrue(dst, r.Aborted) }},
		{"", "upgraded", true, "whether the connection became a tunnel", func(dst []byte, _ *escaper, r *Record) []byte { return appendTrue(dst, r.Upgraded) }},
	}
}

func callerFields() []logField {
	authorizerStatus := func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.Authorizer.Status) }
	authorizerError := func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Authorizer.Error) }
	return []logField{
		{"identity.userAgent", "user_agent", false, "User-Agent of the request", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UserAgent) }},
		{"", "referer", false, "Referer of the request, without secrets", func(dst []byte, e *escaper, r *Record) []byte { return appendURL(dst, e, r.Referer) }},
		{"", "trace_id", false, "trace id of W3C Trace Context", appendTraceID},
		{"xrayTraceId", "", false, "the same as X-Ray writes it", appendXRayID},
		{"authorizer.principalId", "principal", false, "principal that the authorizer named", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Authorizer.Principal) }},
		{"authorizer.status", "", true, "status that the authorizer led to", authorizerStatus},
		{"authorizer.integrationStatus", "", true, "the same", authorizerStatus},
		{"authorize.status", "", true, "the same", authorizerStatus},
		{"authenticate.status", "", true, "the same", authorizerStatus},
		{"authorizer.error", "", false, "what went wrong with the authorizer", authorizerError},
		{"authorize.error", "", false, "the same", authorizerError},
		{"authenticate.error", "", false, "the same", authorizerError},
		{"authorizer.latency", "", true, "time of the authorizer, in whole milliseconds", appendAuthorizerLatency},
		{"authorizer.integrationLatency", "", true, "the same", appendAuthorizerLatency},
		{"authorize.latency", "", true, "the same", appendAuthorizerLatency},
		{"authenticate.latency", "", true, "the same", appendAuthorizerLatency},
		{"identity.apiKeyId", "api_key_id", false, "id of the API key", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.APIKeyID) }},
		{"identity.accountId", "", false, "AWS account of the caller", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.AccountID) }},
		{"identity.caller", "", false, "principal of the caller", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.Caller) }},
		{"identity.user", "", false, "principal of the user", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.User) }},
		{"identity.userArn", "", false, "ARN of the user", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.UserARN) }},
		{"identity.clientCert.subjectDN", "", false, "subject of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte {
			return appendText(dst, e, r.Identity.ClientCertSubject)
		}},
		{"identity.clientCert.issuerDN", "", false, "issuer of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.ClientCertIssuer) }},
		{"identity.clientCert.serialNumber", "", false, "serial number of the client's certificate", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.ClientCertSerial) }},
		{"connectionId", "connection_id", false, "id of the WebSocket", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.ConnectionID) }},
		{"connectedAt", "", true, "start of the WebSocket, in milliseconds of Unix time", appendConnectedAt},
		{"eventType", "event_type", false, "CONNECT, MESSAGE or DISCONNECT", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.EventType) }},
		{"messageId", "message_id", false, "id of the WebSocket's message", func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.MessageID) }},
	}
}

// absentFields are names that AWS accepts and that tell nothing here: formats that
// use them keep working.
func absentFields() []logField {
	var fields []logField
	for _, name := range [...]string{
		"accountId", "authorizer.requestId", "awsEndpointRequestId2", "endpointType", "identity.apiKey",
		"identity.clientCert.clientCertPem", "identity.clientCert.validity.notBefore", "identity.clientCert.validity.notAfter",
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

// appendPeer is silent when the peer is the client itself.
func appendPeer(dst []byte, _ *escaper, r *Record) []byte {
	if !r.Peer.IsValid() || !r.Client.IsValid() || r.Peer.Addr().Unmap() == r.Client.Unmap() {
		return dst
	}
	return r.Peer.AppendTo(dst)
}

func appendPath(dst []byte, e *escaper, r *Record) []byte {
	if len(r.Path) > 0 {
		return appendText(dst, e, r.Path)
	}
	path := r.RequestTarget
	if i := bytes.IndexByte(path, '?'); i >= 0 {
		path = path[:i]
	}
	return appendText(dst, e, path)
}

func appendStatus(dst []byte, status int) []byte {
	if status == 0 {
		return dst
	}
	return strconv.AppendInt(dst, int64(status), 10)
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

func appendUpstreamMillis(dst []byte, _ *escaper, r *Record) []byte {
	if r.UpstreamFirstByte == 0 {
		return dst
	}
	return appendMillis(dst, r.UpstreamFirstByte)
}

func appendUpstreamTotal(dst []byte, _ *escaper, r *Record) []byte {
	if r.UpstreamTotal == 0 {
		return dst
	}
	return appendMillis(dst, r.UpstreamTotal)
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

func appendRetries(dst []byte, _ *escaper, r *Record) []byte {
	if r.Retries == 0 {
		return dst
	}
	return strconv.AppendInt(dst, int64(r.Retries), 10)
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
	for _, c := range id {
		if hexValue(c) == 16 {
			return nil
		}
	}
	return id
}

func appendTraceID(dst []byte, _ *escaper, r *Record) []byte {
	return append(dst, traceIDOf(r.TraceParent)...)
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
