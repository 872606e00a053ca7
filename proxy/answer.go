package proxy

import (
	"weir/proxy/exchange"
	"weir/proxy/grpc"
)

// answerRefusal writes the answer of a refusal: a problem document (RFC 9457),
// or for a gRPC call a status, and, where the fault is not the client's, a
// Proxy-Status (RFC 9209).
func (g *Gateway) answerRefusal(r *request) {
	x, refusal := r.x, r.x.Refusal
	x.Response.Reset()
	x.Response.SetNoDefaultContentType(true)
	if refusal.Error != "" {
		r.field = append(append(r.field[:0], "weir; error="...), refusal.Error...)
		x.Response.SetBytesV("Proxy-Status", r.field)
	}
	if r.limited.by != nil && refusal != exchange.LimitsAway {
		r.tellRefused()
	}
	if r.grpc.kind != grpc.None {
		r.refuseCall()
		return
	}
	x.Response.SetCanonical(nameCacheControl, noStore)
	switch refusal {
	case exchange.Overloaded, exchange.NoTarget, exchange.PoolExhausted, exchange.LimitsAway:
		x.Response.SetCanonical(nameRetryAfter, one)
	}
	if r.mapping != nil && r.mapping.stage.aws {
		r.answerAsAWS(refusal)
		return
	}
	x.Response.SetStatusCode(refusal.Status)
	x.Response.SetContentType("application/problem+json")
	if len(r.allow) > 0 {
		r.field = appendList(r.field[:0], r.allow)
		x.Response.SetBytesV("Allow", r.field)
	}
	r.answer = appendProblem(r.answer[:0], refusal, x)
	x.Bytes = r.answer
}

var (
	nameCacheControl = []byte("Cache-Control")
	noStore          = []byte("no-store")
	one              = []byte("1")
	nameAWSRequestID = []byte("x-amzn-RequestId")
	nameAWSError     = []byte("x-amzn-ErrorType")
)

// answerAsAWS writes the answer that AWS API Gateway would give.
func (r *request) answerAsAWS(refusal *exchange.Refusal) {
	x, as := r.x, refusal.InAWS()
	x.Response.SetStatusCode(as.Status)
	x.Response.SetContentType("application/json")
	x.Response.SetCanonical(nameAWSRequestID, x.RequestID)
	r.field = append(r.field[:0], as.Error...)
	x.Response.SetCanonical(nameAWSError, r.field)
	r.answer = append(append(append(r.answer[:0], `{"message":"`...), as.Message...), `"}`...)
	x.Bytes = r.answer
}

// errorType returns AWS's type of the refusal: of every one where the API
// answers as AWS does, else of those that concern the caller.
func (r *request) errorType() string {
	refusal := r.x.Refusal
	switch refusal {
	case exchange.Throttled, exchange.TooManyAtOnce, exchange.QuotaExceeded, exchange.InvalidAPIKey, exchange.InvalidSignature:
		return refusal.InAWS().Type
	}
	if r.mapping != nil && r.mapping.stage.aws {
		return refusal.InAWS().Type
	}
	return ""
}

// appendProblem appends the problem document. Every text in it is the
// gateway's own or was checked (the request's id), so nothing needs escaping.
func appendProblem(dst []byte, refusal *exchange.Refusal, x *exchange.Exchange) []byte {
	dst = append(dst, `{"type":"urn:weir:problem:`...)
	dst = append(dst, refusal.Cause...)
	dst = append(dst, `","title":"`...)
	dst = append(dst, refusal.Title...)
	dst = append(dst, `","status":`...)
	dst = append(dst, byte('0'+refusal.Status/100), byte('0'+refusal.Status/10%10), byte('0'+refusal.Status%10))
	if x.Malformed != nil {
		dst = append(dst, `,"detail":"`...)
		dst = append(dst, x.Malformed.Reason...)
		dst = append(dst, '"')
	}
	dst = append(dst, `,"requestId":"`...)
	dst = append(dst, x.RequestID...)
	return append(dst, "\"}\n"...)
}

// answerServerOptions answers OPTIONS *, which asks about the gateway as a
// whole (RFC 9110 §9.3.7).
func (g *Gateway) answerServerOptions(r *request) bool {
	x := r.x
	x.Response.SetNoDefaultContentType(true)
	x.Response.SetStatusCode(204)
	r.field = appendList(r.field[:0], commonMethods)
	x.Response.SetBytesV("Allow", r.field)
	return false
}

// appendList appends the elements of a list field (RFC 9110 §5.6.1).
func appendList(dst []byte, elements []string) []byte {
	for i, e := range elements {
		if i > 0 {
			dst = append(dst, ", "...)
		}
		dst = append(dst, e...)
	}
	return dst
}
