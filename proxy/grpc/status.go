package grpc

// Code is a status code of gRPC.
type Code uint8

// The codes that weir gives itself.
const (
	OK                Code = 0
	Cancelled         Code = 1
	Unknown           Code = 2
	DeadlineExceeded  Code = 4
	PermissionDenied  Code = 7
	ResourceExhausted Code = 8
	Unimplemented     Code = 12
	Internal          Code = 13
	Unavailable       Code = 14
	Unauthenticated   Code = 16
)

// Codes is how many codes there are: from 0 to 16.
const Codes = 17

// ParseCode reads the value of grpc-status. Clients take what is no code for
// UNKNOWN, and so does weir.
func ParseCode(b []byte) Code {
	switch {
	case len(b) == 1 && isDigit(b[0]):
		return Code(b[0] - '0')
	case len(b) == 2 && b[0] == '1' && isDigit(b[1]) && b[1] < '0'+Codes-10:
		return Code(10 + b[1] - '0')
	}
	return Unknown
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// Append appends the code as grpc-status has it.
func (c Code) Append(dst []byte) []byte {
	if c >= 10 {
		dst = append(dst, '0'+byte(c/10))
	}
	return append(dst, '0'+byte(c%10))
}

// OfHTTP returns the code for an answer without grpc-status, as clients read
// it (http-grpc-status-mapping). A 200 is UNKNOWN as well: it should have had one.
func OfHTTP(status int) Code {
	switch status {
	case 400, 431:
		return Internal
	case 401:
		return Unauthenticated
	case 403:
		return PermissionDenied
	case 404:
		return Unimplemented
	case 429, 502, 503, 504:
		return Unavailable
	}
	return Unknown
}
