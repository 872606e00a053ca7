package grpc

import "weir/proxy/exchange"

// OfRefusal returns the code for an answer that the gateway writes itself. It
// is that of its HTTP status unless gRPC's library says it more exactly
// (statuscodes: malformed calls are INTERNAL and never INVALID_ARGUMENT, which
// belongs to services; too large and too many are RESOURCE_EXHAUSTED; an unknown method
// UNIMPLEMENTED). Whether a deadline has passed is for the caller to know.
func OfRefusal(r *exchange.Refusal) Code {
	switch r {
	case exchange.ClientGone:
		return Cancelled
	case exchange.BodyTooLarge, exchange.Throttled, exchange.TooManyAtOnce, exchange.QuotaExceeded:
		return ResourceExhausted
	case exchange.NoRoute, exchange.NoDomain, exchange.NoMethod, exchange.Trace, exchange.NotImplemented:
		return Unimplemented
	case exchange.RequestTimeout, exchange.Misdirected: // over another connection it may be served
		return Unavailable
	case exchange.BadRequest, exchange.BadPath, exchange.TargetTooLong, exchange.HeaderTooLarge,
		exchange.ExpectationFailed, exchange.Version, exchange.Internal, exchange.Configuration, exchange.Loop:
		return Internal
	}
	return OfHTTP(r.Status)
}
