package hpack

// AppendHuffman appends what the Huffman code src stands for (RFC 7541 §5.2).
// QPACK has the same code (RFC 9204 §4.1.2).
func AppendHuffman(dst, src []byte) ([]byte, error) { return appendDecoded(dst, src) }
