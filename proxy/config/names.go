package config

import (
	"net/netip"
	"strings"
)

// checkHostName checks a host name or an address, without a port, in lower case.
func checkHostName(host string) *complaint {
	if host == "" {
		return complain("the host name is empty", "")
	}
	bare, bracketed := strings.CutPrefix(host, "[")
	if bracketed {
		bare = strings.TrimSuffix(bare, "]")
	}
	if address, err := netip.ParseAddr(bare); err == nil && address.Zone() == "" && (!bracketed || len(bare)+2 == len(host)) {
		return nil
	}
	if lower := strings.ToLower(host); lower != host {
		return complain("host names are written in lower case", didYouMean(lower))
	}
	if trimmed := strings.TrimSuffix(host, "."); trimmed != host && trimmed != "" {
		return complain("a host name is written without a dot at the end", didYouMean(trimmed))
	}
	if name, port, found := strings.Cut(host, ":"); found && isDecimal(port) {
		return complain("a host name is written without a port here", didYouMean(name))
	}
	if len(host) > 253 {
		return complain("a host name has at most 253 bytes", "")
	}
	for label := range strings.SplitSeq(host, ".") {
		if wrong := checkLabel(label, host); wrong != nil {
			return wrong
		}
	}
	return nil
}

func checkLabel(label, host string) *complaint {
	if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
		return complain(quote(host)+" is not a host name", "")
	}
	for i := 0; i < len(label); i++ {
		if label[i] >= 0x80 {
			return complain(quote(host)+" has letters beyond ASCII", "write its xn-- form")
		}
	}
	if !isWord(label, "_-") {
		return complain(quote(host)+" is not a host name", "")
	}
	return nil
}

// checkHostPattern checks a host name, or one that begins with "*.".
func checkHostPattern(pattern string) *complaint {
	name, _ := strings.CutPrefix(pattern, "*.")
	if strings.Contains(name, "*") {
		return complain("a wildcard is the whole first label", "write *.example.org")
	}
	return checkHostName(name)
}

// checkBasePath checks the key of a mapping, which has no slash at either end.
func checkBasePath(path string) *complaint {
	if path == "" || path == rootBasePath {
		return nil
	}
	if trimmed := strings.Trim(path, "/"); trimmed != path {
		return complain("a base path is written without a slash at its ends", didYouMean(trimmed))
	}
	if len(path) > 300 {
		return complain("a base path has at most 300 bytes", "")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if segment == "" {
			return complain("the base path has an empty segment", "write single slashes")
		}
		if segment == "." || segment == ".." {
			return complain("a base path cannot hold the segment "+quote(segment), "")
		}
		if !isWord(segment, "$-_.+!*'()") {
			return complain(quote(path)+" is not a base path", "it has letters, digits and $ - _ . + ! * ' ( )")
		}
	}
	return nil
}

func isStageName(name string) bool {
	return name == DefaultName || len(name) <= 128 && isWord(name, "_-")
}
