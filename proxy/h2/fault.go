package h2

import "weir/proxy/frame"

// fault ends a connection; the client gets its code and reason.
type fault struct {
	code   frame.Code
	reason string
}

var (
	faultPreface   = &fault{frame.ProtocolError, "no preface"}
	faultSettings  = &fault{frame.ProtocolError, "the first frame is not SETTINGS"}
	faultSequence  = &fault{frame.ProtocolError, "a frame inside a field block"}
	faultStream    = &fault{frame.ProtocolError, "a frame that its stream cannot have"}
	faultPush      = &fault{frame.ProtocolError, "PUSH_PROMISE from a client"}
	faultIncrement = &fault{frame.ProtocolError, "WINDOW_UPDATE of nothing"}
	faultPadding   = &fault{frame.ProtocolError, "padding is longer than its frame"}
	faultLength    = &fault{frame.FrameSizeError, "a frame of a wrong length"}
	faultValue     = &fault{frame.ProtocolError, "a setting of a wrong value"}
	faultWindow    = &fault{frame.FlowControlError, "a window that is too large"}
	faultOverrun   = &fault{frame.FlowControlError, "more content than the window allows"}
	faultClosed    = &fault{frame.StreamClosed, "a frame on a closed stream"}
	faultFields    = &fault{frame.CompressionError, "a field block that cannot be decoded"}
	faultSlow      = &fault{frame.NoError, "a frame took too long"}
	faultNoAck     = &fault{frame.SettingsTimeout, "SETTINGS were not acknowledged"}
	faultIdle      = &fault{frame.NoError, ""}
	faultLeft      = &fault{frame.NoError, ""} // the client knows already

	faultManyResets = &fault{frame.EnhanceYourCalm, "too many streams given up"}
	faultManyFrames = &fault{frame.EnhanceYourCalm, "too many frames without content"}
	faultLongBlock  = &fault{frame.EnhanceYourCalm, "a field block that is too long"}
	faultUnread     = &fault{frame.EnhanceYourCalm, "answers to control frames are not read"}
)

// count counts a connection that ends because of f.
func (f *fault) count(s *Stats) {
	switch f.code {
	case frame.NoError, frame.SettingsTimeout:
	case frame.EnhanceYourCalm:
		s.Calmed.Add(1)
	default:
		s.Errors.Add(1)
	}
}

// faultOf returns the fault of a frame that is wrong by itself.
func faultOf(code frame.Code) *fault {
	switch code {
	case frame.FrameSizeError:
		return faultLength
	case frame.FlowControlError:
		return faultWindow
	}
	return faultStream
}
