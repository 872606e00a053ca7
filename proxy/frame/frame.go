package frame

import "encoding/binary"

// Preface is what a client sends ahead of its first frame (RFC 9113 §3.4).
const Preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

const (
	HeaderLen   = 9
	MinMaxFrame = 1 << 14   // smallest SETTINGS_MAX_FRAME_SIZE, and its default
	MaxMaxFrame = 1<<24 - 1 // largest
	MaxStream   = 1<<31 - 1 // largest stream identifier
)

// Type is the type of a frame. Unknown ones are to be ignored.
type Type uint8

const (
	Data Type = iota
	Headers
	Priority
	RSTStream
	Settings
	PushPromise
	Ping
	GoAway
	WindowUpdate
	Continuation
	PriorityUpdate Type = 0x10 // RFC 9218 §7.1
)

// Flags of a frame. Their meaning depends on its type.
type Flags uint8

const (
	Ack         Flags = 0x1 // SETTINGS, PING
	EndStream   Flags = 0x1 // DATA, HEADERS
	EndHeaders  Flags = 0x4 // HEADERS, CONTINUATION
	Padded      Flags = 0x8 // DATA, HEADERS
	HasPriority Flags = 0x20
)

// Has tells whether all of g are set.
func (f Flags) Has(g Flags) bool { return f&g == g }

// Header is the head of a frame.
type Header struct {
	Length int // of the payload
	Type   Type
	Flags  Flags
	Stream uint32
}

// Parse reads the first HeaderLen bytes of b. The reserved bit is dropped.
func Parse(b []byte) Header {
	_ = b[HeaderLen-1]
	return Header{
		Length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		Type:   Type(b[3]),
		Flags:  Flags(b[4]),
		Stream: binary.BigEndian.Uint32(b[5:]) & MaxStream,
	}
}

// Append appends the head of a frame.
func Append(dst []byte, length int, t Type, f Flags, stream uint32) []byte {
	return append(dst, byte(length>>16), byte(length>>8), byte(length), byte(t), byte(f),
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// Put writes the head of a frame over the first HeaderLen bytes of b, for
// frames whose length is known only when they are there.
func Put(b []byte, length int, t Type, f Flags, stream uint32) {
	_ = Append(b[:0:HeaderLen], length, t, f, stream)
}

// Check judges a frame by its head alone (RFC 9113 §4.2 and §6): whether its
// length and its stream fit its type. What it returns, but NoError, ends the
// connection; a PRIORITY of a wrong length ends only its stream, see OfStream.
func (h Header) Check(maxFrame int) Code {
	if h.Length > maxFrame {
		return FrameSizeError
	}
	switch h.Type {
	case Data, Headers, Continuation, PushPromise:
		return onStream(h, h.Length)
	case Priority:
		return onStream(h, 5)
	case RSTStream:
		return onStream(h, 4)
	case WindowUpdate:
		return sized(h, 4)
	case Settings:
		switch {
		case h.Stream != 0:
			return ProtocolError
		case h.Length%settingLen != 0 || (h.Flags.Has(Ack) && h.Length != 0):
			return FrameSizeError
		}
	case Ping:
		return offStream(h, 8)
	case GoAway:
		return offStream(h, max(h.Length, 8))
	case PriorityUpdate:
		return offStream(h, max(h.Length, 4))
	}
	return NoError
}

// OfStream tells whether what Check found ends the stream and not the
// connection (RFC 9113 §6.3).
func (h Header) OfStream(c Code) bool {
	return h.Type == Priority && h.Stream != 0 && c == FrameSizeError
}

func onStream(h Header, length int) Code {
	if h.Stream == 0 {
		return ProtocolError
	}
	return sized(h, length)
}

func offStream(h Header, length int) Code {
	if h.Stream != 0 {
		return ProtocolError
	}
	return sized(h, length)
}

func sized(h Header, length int) Code {
	if h.Length != length {
		return FrameSizeError
	}
	return NoError
}

// Unpad returns the payload of a DATA or HEADERS frame without its padding
// (RFC 9113 §6.1).
func Unpad(h Header, payload []byte) ([]byte, Code) {
	if !h.Flags.Has(Padded) {
		return payload, NoError
	}
	if len(payload) == 0 {
		return nil, FrameSizeError
	}
	pad := int(payload[0])
	payload = payload[1:]
	if pad > len(payload) {
		return nil, ProtocolError
	}
	return payload[:len(payload)-pad], NoError
}

// Block returns the field block in the payload of a HEADERS frame, behind its
// padding and the old priority, which nobody uses any more (RFC 9113 §5.3.2).
// A stream that depends on itself is still an error of the stream.
func Block(h Header, payload []byte) (block []byte, code Code, selfDependent bool) {
	block, code = Unpad(h, payload)
	if code != NoError || !h.Flags.Has(HasPriority) {
		return block, code, false
	}
	if len(block) < 5 {
		return nil, FrameSizeError, false
	}
	return block[5:], NoError, DependsOn(block) == h.Stream
}

// DependsOn returns the stream that a PRIORITY payload names.
func DependsOn(payload []byte) uint32 { return binary.BigEndian.Uint32(payload) & MaxStream }

// Uint32 returns the number that the payload of a RST_STREAM is, or the start
// of another, whole frame's.
func Uint32(payload []byte) uint32 { return binary.BigEndian.Uint32(payload) }

// AppendRSTStream appends a RST_STREAM frame.
func AppendRSTStream(dst []byte, stream uint32, code Code) []byte {
	return appendUint32(Append(dst, 4, RSTStream, 0, stream), uint32(code))
}

// AppendGoAway appends a GOAWAY frame. Debug is for people; both sides may see it.
func AppendGoAway(dst []byte, last uint32, code Code, debug string) []byte {
	dst = Append(dst, 8+len(debug), GoAway, 0, 0)
	return append(appendUint32(appendUint32(dst, last), uint32(code)), debug...)
}

// AppendPing appends a PING frame.
func AppendPing(dst []byte, flags Flags, data [8]byte) []byte {
	return append(Append(dst, 8, Ping, flags, 0), data[:]...)
}

// AppendWindowUpdate appends a WINDOW_UPDATE frame; stream 0 is the connection.
func AppendWindowUpdate(dst []byte, stream, n uint32) []byte {
	return appendUint32(Append(dst, 4, WindowUpdate, 0, stream), n)
}

// AppendPriorityUpdate appends a PRIORITY_UPDATE frame (RFC 9218 §7.1).
func AppendPriorityUpdate(dst []byte, stream uint32, value []byte) []byte {
	dst = appendUint32(Append(dst, 4+len(value), PriorityUpdate, 0, 0), stream)
	return append(dst, value...)
}

func appendUint32(dst []byte, n uint32) []byte {
	return append(dst, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
}
