package h3

import "strconv"

// altSvcAge is how long clients keep to HTTP/3 without being told again: a day,
// in which a listener without it would cost each at most one failed attempt.
const altSvcAge = 24 * 60 * 60

// AltSvc returns the value of Alt-Svc (RFC 7838 §3) by which answers over TCP
// tell clients of HTTP/3 on the UDP port of that number.
func AltSvc(port int) string {
	return `h3=":` + strconv.Itoa(port) + `"; ma=` + strconv.Itoa(altSvcAge)
}

// AltSvcClear is the value that takes the offer back. It belongs on the answers
// of a listener that offered HTTP/3 and by its document no longer does. A
// process that drains does not send it: the next one offers HTTP/3 again, and
// clients that find nobody fall back by themselves (RFC 7838 §2.4).
const AltSvcClear = "clear"
