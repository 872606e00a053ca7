package grpc

// AppendMessage appends text as a value of grpc-message: printable ASCII but
// '%' as it is, every other byte as "%XX" (PROTOCOL-HTTP2, Percent-Encoded).
func AppendMessage[T string | []byte](dst []byte, text T) []byte {
	const digits = "0123456789ABCDEF"
	for i := range len(text) {
		c := text[i]
		if c >= ' ' && c <= '~' && c != '%' {
			dst = append(dst, c)
			continue
		}
		dst = append(dst, '%', digits[c>>4], digits[c&15])
	}
	return dst
}
