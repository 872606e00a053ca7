package hpack

import "errors"

// codeLengths are the lengths of the Huffman codes of the 256 bytes and of EOS
// (RFC 7541, Appendix B). The code is canonical: of the lengths alone follow
// the codes.
var codeLengths = [257]uint8{
	13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
	28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
	6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
	5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
	13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
	7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
	15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
	6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
	20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
	24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
	22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
	21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
	26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
	19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
	20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
	26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
	30,
}

const (
	eos         = 256
	longestCode = 30
	// quickBits is what one look decides: it covers every character that field
	// values are usually made of, in 2 KiB.
	quickBits = 10
)

// huffman holds what is derived of codeLengths.
type huffman struct {
	codes  [257]uint32
	quick  [1 << quickBits]quickCode
	limits [longestCode + 1]uint64 // first window, aligned left in 32 bits, beyond the codes of a length
	firsts [longestCode + 1]uint32 // code of the first symbol of a length
	ranks  [longestCode + 1]uint16 // its place in sorted
	sorted [257]uint16             // symbols by code
}

// quickCode is a symbol and the bits of its code; zero bits: the code is longer.
type quickCode struct{ symbol, bits uint8 }

var code = func() *huffman {
	h := &huffman{}
	var next uint32
	rank := 0
	for length := 1; length <= longestCode; length++ {
		h.firsts[length], h.ranks[length] = next, uint16(rank)
		for symbol, l := range codeLengths {
			if int(l) != length {
				continue
			}
			h.codes[symbol] = next
			h.sorted[rank] = uint16(symbol)
			if length <= quickBits {
				for tail := range uint32(1) << (quickBits - length) {
					h.quick[next<<(quickBits-length)|tail] = quickCode{uint8(symbol), uint8(length)}
				}
			}
			next++
			rank++
		}
		h.limits[length] = uint64(next) << (32 - length)
		next <<= 1
	}
	return h
}()

var errHuffman = errors.New("malformed Huffman code")

// appendDecoded appends what src encodes (RFC 7541 §5.2).
func appendDecoded(dst, src []byte) ([]byte, error) {
	var window uint64 // unread bits, aligned right
	bits := uint(0)   // how many
	for {
		for bits <= 56 && len(src) > 0 {
			window = window<<8 | uint64(src[0])
			src = src[1:]
			bits += 8
		}
		for bits >= quickBits {
			q := code.quick[window>>(bits-quickBits)&(1<<quickBits-1)]
			if q.bits == 0 {
				break
			}
			dst = append(dst, q.symbol)
			bits -= uint(q.bits)
		}
		switch {
		case bits <= 7 && len(src) == 0:
			return finishDecoded(dst, window, bits)
		case bits < quickBits && len(src) > 0:
			continue
		case bits < longestCode && len(src) > 0:
			continue
		}
		symbol, length := slowSymbol(window, bits)
		if length == 0 {
			return finishDecoded(dst, window, bits)
		}
		if symbol == eos {
			return dst, errHuffman
		}
		dst = append(dst, byte(symbol))
		bits -= length
	}
}

// slowSymbol finds the symbol whose code begins the window of bits, or length 0
// if none does within them.
func slowSymbol(window uint64, bits uint) (symbol uint16, length uint) {
	w := uint32(window << (64 - bits) >> 32)
	for length = 5; length <= min(longestCode, bits); length++ {
		if uint64(w) < code.limits[length] {
			return code.sorted[uint32(code.ranks[length])+w>>(32-length)-code.firsts[length]], length
		}
	}
	return 0, 0
}

// finishDecoded takes the codes that are left in less than a byte, or in
// padding. Padding is at most 7 bits of ones: the start of EOS.
func finishDecoded(dst []byte, window uint64, bits uint) ([]byte, error) {
	for bits >= 5 {
		symbol, length := slowSymbol(window, bits)
		if length == 0 {
			break
		}
		dst = append(dst, byte(symbol))
		bits -= length
	}
	ones := uint64(1)<<bits - 1
	if bits > 7 || window&ones != ones {
		return dst, errHuffman
	}
	return dst, nil
}

// encodedLength returns the bytes that src needs in Huffman code.
func encodedLength(src []byte) int {
	bits := 0
	for _, c := range src {
		bits += int(codeLengths[c])
	}
	return (bits + 7) / 8
}

func appendEncoded(dst, src []byte) []byte {
	var window uint64
	bits := uint(0)
	for _, c := range src {
		length := uint(codeLengths[c])
		window = window<<length | uint64(code.codes[c])
		bits += length
		for bits >= 8 {
			bits -= 8
			dst = append(dst, byte(window>>bits))
		}
	}
	if bits > 0 {
		dst = append(dst, byte(window<<(8-bits))|byte(0xff>>bits))
	}
	return dst
}
