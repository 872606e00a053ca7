package exchange

import "errors"

// ErrBodyTooLarge is what reading a request body beyond its limit returns.
var ErrBodyTooLarge = errors.New("request body is larger than the route allows")

// Source tells whose fault a refusal is.
type Source uint8

const (
	FromClient Source = iota
	FromGateway
	FromUpstream
)

// Refusal is an answer that the gateway writes itself. All of them are in
// this file: status, cause and public text are decided here and nowhere else.
// Inner causes go to the log, never to the client.
type Refusal struct {
	Status int
	Cause  string // stable name, for metrics, the log and the problem type
	Title  string // public text
	Error  string // error type of Proxy-Status (RFC 9209 §2.3), or ""
	Source Source
}

// Refusals of the gateway. Their causes are the values of the label "cause"
// of weir_refusals_total.
var (
	BadRequest        = &Refusal{400, "bad_request", "The request is malformed.", "http_request_error", FromClient}
	BadPath           = &Refusal{400, "bad_path", "The path of the request is malformed.", "http_request_error", FromClient}
	RequestTimeout    = &Refusal{408, "request_timeout", "The request took too long to arrive.", "http_request_error", FromClient}
	TLSRequired       = &Refusal{403, "tls_required", "This host is served over TLS only, to clients that show a certificate.", "", FromClient}
	NoRoute           = &Refusal{404, "no_route", "Nothing is served here.", "", FromClient}
	NoDomain          = &Refusal{404, "no_domain", "This host is not served here.", "", FromClient}
	NoMethod          = &Refusal{405, "no_method", "The method is not allowed here.", "", FromClient}
	Trace             = &Refusal{405, "trace", "TRACE is not served.", "", FromClient}
	BodyTooLarge      = &Refusal{413, "body_too_large", "The request body is larger than allowed.", "http_request_error", FromClient}
	TargetTooLong     = &Refusal{414, "target_too_long", "The request target is too long.", "http_request_error", FromClient}
	Misdirected       = &Refusal{421, "misdirected", "The connection was made for another host.", "", FromClient}
	ExpectationFailed = &Refusal{417, "expectation_failed", "The expectation is not supported.", "http_request_error", FromClient}
	HeaderTooLarge    = &Refusal{431, "header_too_large", "The header section is too large.", "http_request_error", FromClient}
	NotImplemented    = &Refusal{501, "not_implemented", "The method or transfer coding is not supported.", "http_request_error", FromClient}
	Version           = &Refusal{505, "version", "The HTTP version is not supported.", "http_request_error", FromClient}
	InvalidAPIKey     = &Refusal{403, "invalid_api_key", "An API key of a usage plan is needed here.", "", FromClient}
	InvalidSignature  = &Refusal{403, "invalid_signature", "The request is not signed as it has to be.", "", FromClient}
	MayNotInvalidate  = &Refusal{403, "may_not_invalidate", "Only known callers may have stored answers replaced.", "", FromClient}
	MayNotPurge       = &Refusal{403, "may_not_purge", "Stored answers are removed for listed clients only.", "", FromClient}
	Throttled         = &Refusal{429, "throttled", "Too many requests.", "", FromClient}
	TooManyAtOnce     = &Refusal{429, "too_many_at_once", "Too many requests at once.", "", FromClient}
	QuotaExceeded     = &Refusal{429, "quota_exceeded", "The quota of this period is used up.", "", FromClient}
	ClientGone        = &Refusal{499, "client_gone", "The client left.", "", FromClient}

	Overloaded    = &Refusal{503, "overloaded", "The gateway is at its connection limit.", "connection_limit_reached", FromGateway}
	Internal      = &Refusal{500, "internal", "The gateway failed.", "proxy_internal_error", FromGateway}
	Configuration = &Refusal{500, "configuration", "The gateway is not configured for this request.", "proxy_configuration_error", FromGateway}
	LimitsAway    = &Refusal{503, "limits_away", "What limits requests cannot be asked.", "proxy_internal_error", FromGateway}
	NotCached     = &Refusal{504, "not_cached", "No stored answer may be given, and the request wants no other.", "", FromGateway}
	Loop          = &Refusal{508, "loop", "The request came back to the gateway.", "proxy_loop_detected", FromGateway}

	NoTarget           = &Refusal{503, "no_target", "No target can take the request.", "destination_unavailable", FromUpstream}
	PoolExhausted      = &Refusal{503, "pool_exhausted", "Every connection to the upstream is in use.", "connection_limit_reached", FromUpstream}
	NotResolved        = &Refusal{502, "not_resolved", "The upstream's name does not resolve.", "dns_error", FromUpstream}
	ConnectionRefused  = &Refusal{502, "connection_refused", "The upstream refused the connection.", "connection_refused", FromUpstream}
	Unreachable        = &Refusal{502, "unreachable", "The upstream cannot be reached.", "destination_ip_unroutable", FromUpstream}
	ConnectTimeout     = &Refusal{504, "connect_timeout", "Connecting to the upstream took too long.", "connection_timeout", FromUpstream}
	ConnectionClosed   = &Refusal{502, "connection_closed", "The upstream closed the connection without an answer.", "connection_terminated", FromUpstream}
	WriteTimeout       = &Refusal{504, "write_timeout", "The upstream took the request too slowly.", "connection_write_timeout", FromUpstream}
	FirstByteTimeout   = &Refusal{504, "first_byte_timeout", "The upstream took too long to answer.", "http_response_timeout", FromUpstream}
	TotalTimeout       = &Refusal{504, "total_timeout", "The exchange took too long.", "http_response_timeout", FromUpstream}
	MalformedAnswer    = &Refusal{502, "malformed_answer", "The upstream's answer is malformed.", "http_protocol_error", FromUpstream}
	AnswerHeadTooLarge = &Refusal{502, "answer_head_too_large", "The header section of the upstream's answer is too large.", "http_response_header_section_size", FromUpstream}
	TruncatedAnswer    = &Refusal{502, "truncated_answer", "The upstream's answer ended early.", "http_response_incomplete", FromUpstream}
	ProtocolMismatch   = &Refusal{502, "protocol_mismatch", "The upstream speaks another protocol.", "http_protocol_error", FromUpstream}
	UpgradeFailed      = &Refusal{502, "upgrade_failed", "The upstream changed protocols in another way than it was asked to.", "http_upgrade_failed", FromUpstream}
	TLSFailed          = &Refusal{502, "tls_failed", "The TLS handshake with the upstream failed.", "tls_protocol_error", FromUpstream}
	TLSCertificate     = &Refusal{502, "tls_certificate", "The upstream's certificate is not accepted.", "tls_certificate_error", FromUpstream}
	UpstreamReset      = &Refusal{502, "upstream_reset", "The upstream reset the connection.", "connection_terminated", FromUpstream}
)

// Refusals lists every refusal, for references and metrics.
func Refusals() []*Refusal {
	return []*Refusal{
		BadRequest, BadPath, RequestTimeout, TLSRequired, NoRoute, NoDomain, NoMethod, Trace, BodyTooLarge, TargetTooLong,
		ExpectationFailed, Misdirected, HeaderTooLarge, NotImplemented, Version,
		InvalidAPIKey, InvalidSignature, MayNotInvalidate, MayNotPurge, Throttled, TooManyAtOnce, QuotaExceeded, ClientGone,
		Overloaded, Internal, Configuration, LimitsAway, NotCached, Loop,
		NoTarget, PoolExhausted, NotResolved, ConnectionRefused, Unreachable, ConnectTimeout, ConnectionClosed,
		WriteTimeout, FirstByteTimeout, TotalTimeout, MalformedAnswer, AnswerHeadTooLarge, TruncatedAnswer,
		ProtocolMismatch, UpgradeFailed, TLSFailed, TLSCertificate, UpstreamReset,
	}
}

// OfStatus returns the refusal for a malformed request that its protocol
// answers with status.
func OfStatus(status int) *Refusal {
	switch status {
	case 408:
		return RequestTimeout
	case 413:
		return BodyTooLarge
	case 414:
		return TargetTooLong
	case 417:
		return ExpectationFailed
	case 431:
		return HeaderTooLarge
	case 501:
		return NotImplemented
	case 505:
		return Version
	}
	return BadRequest
}
