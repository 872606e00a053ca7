package h3

// Error codes (RFC 9114 §8.1, RFC 9204 §6).
const (
	codeNoError          = 0x100
	codeInternalError    = 0x102
	codeStreamCreation   = 0x103
	codeClosedCritical   = 0x104
	codeFrameUnexpected  = 0x105
	codeFrameError       = 0x106
	codeExcessiveLoad    = 0x107
	codeIDError          = 0x108
	codeSettingsError    = 0x109
	codeMissingSettings  = 0x10a
	codeRequestRejected  = 0x10b
	codeRequestCancelled = 0x10c
	codeIncomplete       = 0x10d
	codeMessageError     = 0x10e
	codeConnectError     = 0x10f
	codeDecompression    = 0x200
	codeEncoderStream    = 0x201
	codeDecoderStream    = 0x202
)

// Frame types (RFC 9114 §7.2, RFC 9218 §7.2).
const (
	frameData           = 0x0
	frameHeaders        = 0x1
	frameCancelPush     = 0x3
	frameSettings       = 0x4
	framePushPromise    = 0x5
	frameGoAway         = 0x7
	frameMaxPushID      = 0xd
	framePriorityUpdate = 0xf0700
	framePriorityPush   = 0xf0701
)

// isReserved tells frame types and settings that only HTTP/2 has (RFC 9114
// §7.2.8, §7.2.4.1).
func isReservedFrame(t uint64) bool { return t == 0x2 || t == 0x6 || t == 0x8 || t == 0x9 }

func isReservedSetting(id uint64) bool { return id >= 0x2 && id <= 0x5 }

// Types of unidirectional streams (RFC 9114 §6.2, RFC 9204 §4.2).
const (
	streamControl = 0x0
	streamPush    = 0x1
	streamEncoder = 0x2
	streamDecoder = 0x3
)

// Settings (RFC 9114 §7.2.4.1, RFC 9220 §3).
const (
	settingFieldSection    = 0x6
	settingConnectProtocol = 0x8
)
