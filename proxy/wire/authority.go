package wire

import "bytes"

// checkAuthority checks uri-host [":" port] without userinfo (RFC 3986 §3.2,
// RFC 9110 §4.2.4).
func checkAuthority(a []byte) *Fault {
	if len(a) == 0 || len(a) > 261 {
		return faultHost
	}
	if bytes.IndexByte(a, '@') >= 0 {
		return faultUserinfo
	}
	rest := a
	if a[0] == '[' {
		end := bytes.IndexByte(a, ']')
		if end < 0 || !isIPv6(a[1:end]) {
			return faultHost
		}
		rest = a[end+1:]
	} else {
		i := 0
		for i < len(a) && isHost[a[i]] {
			i++
		}
		if i == 0 {
			return faultHost
		}
		rest = a[i:]
	}
	if len(rest) == 0 {
		return nil
	}
	if rest[0] != ':' || len(rest) > 6 {
		return faultHost
	}
	port := 0
	for _, c := range rest[1:] {
		if !isDigit(c) {
			return faultHost
		}
		port = port*10 + int(c-'0')
	}
	if port > 65535 {
		return faultHost
	}
	return nil
}
