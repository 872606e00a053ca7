package exchange

// GatewayResponse is how AWS API Gateway answers where the gateway refuses
// (its "gateway responses"): the type is what operators know it by, the error
// what clients get in x-amzn-ErrorType.
type GatewayResponse struct {
	Type    string
	Status  int
	Message string
	Error   string
}

// InAWS returns what AWS answers in the place of r.
func (r *Refusal) InAWS() GatewayResponse {
	const internal = "InternalServerErrorException"
	switch r {
	case NoRoute, NoMethod, Trace:
		return GatewayResponse{"MISSING_AUTHENTICATION_TOKEN", 403, "Missing Authentication Token", "MissingAuthenticationTokenException"}
	case InvalidAPIKey:
		return GatewayResponse{"INVALID_API_KEY", 403, "Forbidden", "ForbiddenException"}
	case InvalidSignature:
		return GatewayResponse{"INVALID_SIGNATURE", 403, "Forbidden", "InvalidSignatureException"}
	case NoDomain, TLSRequired, Misdirected, MayNotInvalidate, MayNotPurge:
		return GatewayResponse{"ACCESS_DENIED", 403, "Forbidden", "ForbiddenException"}
	case Throttled, TooManyAtOnce:
		return GatewayResponse{"THROTTLED", 429, "Too Many Requests", "TooManyRequestsException"}
	case QuotaExceeded:
		return GatewayResponse{"QUOTA_EXCEEDED", 429, "Limit Exceeded", "LimitExceededException"}
	case BodyTooLarge:
		return GatewayResponse{"REQUEST_TOO_LARGE", 413, "Request Too Long", "RequestTooLargeException"}
	case ConnectTimeout, WriteTimeout, FirstByteTimeout, TotalTimeout:
		return GatewayResponse{"INTEGRATION_TIMEOUT", 504, "Endpoint request timed out", internal}
	case MalformedAnswer, AnswerHeadTooLarge, TruncatedAnswer, ProtocolMismatch, UpgradeFailed:
		return GatewayResponse{"INTEGRATION_FAILURE", 502, "Internal server error", internal}
	case Internal, Configuration, Loop:
		return GatewayResponse{"API_CONFIGURATION_ERROR", 500, "Internal server error", internal}
	case Overloaded, LimitsAway:
		return GatewayResponse{"DEFAULT_5XX", 503, "Service Unavailable", "ServiceUnavailableException"}
	}
	switch {
	case r.Source == FromUpstream:
		return GatewayResponse{"INTEGRATION_FAILURE", 504, "Network error communicating with endpoint", internal}
	case r.Status >= 500:
		return GatewayResponse{"DEFAULT_5XX", r.Status, "Internal server error", internal}
	}
	return GatewayResponse{"DEFAULT_4XX", r.Status, "Bad Request", "BadRequestException"}
}
