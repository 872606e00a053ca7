package h3

import "bytes"

// parsePriority reads a priority (RFC 9218 §4): a dictionary of which u and i
// are known. What cannot be read stands for the default.
func parsePriority(value []byte) (urgency int8, incremental bool) {
	urgency = 3
	for len(value) > 0 {
		var member []byte
		member, value, _ = bytes.Cut(value, []byte{','})
		member = bytes.TrimSpace(member)
		if i := bytes.IndexByte(member, ';'); i >= 0 {
			member = member[:i]
		}
		switch {
		case len(member) == 3 && member[0] == 'u' && member[1] == '=' && member[2] >= '0' && member[2] <= '7':
			urgency = int8(member[2] - '0')
		case string(member) == "i" || string(member) == "i=?1":
			incremental = true
		case string(member) == "i=?0":
			incremental = false
		}
	}
	return urgency, incremental
}
