package route

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

const (
	maxHostBytes  = 253 // of a name without its trailing dot: RFC 1035 §2.3.4
	maxLabelBytes = 63
)

// appendHostName appends the name in a Host header to dst: lower case, no port, no trailing dot, an IPv6 literal in
// its brackets. It is not ok if the host is malformed around its name; what the name is made of is not looked at.
func appendHostName(dst, host []byte) (name []byte, ok bool) {
	end, port := len(host), []byte(nil)
	if len(host) > 0 && host[0] == '[' {
		end = bytes.IndexByte(host, ']') + 1
		if end == 0 {
			return dst, false
		}
		port = host[end:]
	} else if i := bytes.IndexByte(host, ':'); i >= 0 {
		end, port = i, host[i:]
	}
	if len(port) > 0 && !isPort(port) {
		return dst, false
	}
	if end > 0 && host[end-1] == '.' {
		end--
	}
	if end > maxHostBytes {
		return dst, false
	}
	for _, c := range host[:end] {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		dst = append(dst, c)
	}
	return dst, true
}

// isPort accepts ":" and ":8080"; RFC 3986 §3.2.3 allows the empty one.
func isPort(port []byte) bool {
	if port[0] != ':' {
		return false
	}
	for _, c := range port[1:] {
		if c < '0' || '9' < c {
			return false
		}
	}
	return true
}

// parseDomain returns a domain of the document as appendHostName spells hosts, behind "*." if it is a wildcard.
func parseDomain(text string) (string, error) {
	if text == DefaultDomain {
		return text, nil
	}
	if inside, ok := strings.CutPrefix(text, "["); ok {
		address, err := netip.ParseAddr(strings.TrimSuffix(inside, "]"))
		if err != nil || !address.Is6() || !strings.HasSuffix(text, "]") {
			return "", errors.New("it is not an IPv6 address in brackets")
		}
		return strings.ToLower(text), nil
	}
	name, isWildcard := strings.CutPrefix(text, "*.")
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if len(name) > maxHostBytes {
		return "", fmt.Errorf("it is longer than %d bytes", maxHostBytes)
	}
	for label := range strings.SplitSeq(name, ".") {
		if err := checkLabel(label); err != nil {
			return "", err
		}
	}
	if isWildcard {
		return "*." + name, nil
	}
	return name, nil
}

func checkLabel(label string) error {
	switch {
	case label == "":
		return errors.New("it has an empty label")
	case len(label) > maxLabelBytes:
		return fmt.Errorf("label %q is longer than %d bytes", label, maxLabelBytes)
	}
	for _, c := range label {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c >= 0x80:
			return fmt.Errorf("label %q is not ASCII: write it in its xn-- form", label)
		case c == ':':
			return errors.New("it has a port")
		default:
			return fmt.Errorf("label %q has the character %q", label, c)
		}
	}
	return nil
}
