package upstream

import (
	"errors"

	"weir/proxy/frame"
)

// breach is how a target broke the rules of HTTP/2, and what it is told.
// Breaches are constants, so that refusing hostile input allocates nothing.
type breach struct {
	code   frame.Code
	reason string
}

func (b *breach) Error() string { return b.reason }

var (
	errGoAway    = errors.New("upstream takes no more requests on this connection")
	errRefused   = errors.New("upstream refused the stream without acting on it")
	errSilent    = errors.New("upstream did not answer a PING")
	errNotH2     = errors.New("upstream does not speak HTTP/2 here")
	errOnlyH1    = errors.New("upstream wants HTTP/1.1 for this request")
	errSessionUp = errors.New("connection was closed by the gateway")
)

var (
	breachFrame     = &breach{frame.FrameSizeError, "upstream sent a frame of a wrong size"}
	breachStream    = &breach{frame.ProtocolError, "upstream sent a frame on a wrong stream"}
	breachIdle      = &breach{frame.ProtocolError, "upstream sent a frame on a stream that nobody opened"}
	breachPush      = &breach{frame.ProtocolError, "upstream pushes although it must not"}
	breachBlock     = &breach{frame.ProtocolError, "upstream sent a frame within a field block"}
	breachPadding   = &breach{frame.ProtocolError, "upstream sent more padding than there is room for"}
	breachFlood     = &breach{frame.EnhanceYourCalm, "upstream sends frames that carry nothing on"}
	breachDeaf      = &breach{frame.EnhanceYourCalm, "upstream does not read what it asks for"}
	breachHead      = &breach{frame.EnhanceYourCalm, "header section of the upstream's answer is too large"}
	breachFields    = &breach{frame.CompressionError, "upstream sent a field block that cannot be decoded"}
	breachWindow    = &breach{frame.FlowControlError, "upstream sent more than it may"}
	breachIncrement = &breach{frame.FlowControlError, "upstream made a window too large"}
	breachZero      = &breach{frame.ProtocolError, "upstream made a window larger by nothing"}
	breachSetting   = &breach{frame.ProtocolError, "upstream sent a setting that is not allowed"}
	breachFirst     = &breach{frame.ProtocolError, "upstream does not begin with its settings"}
	breachClosed    = &breach{frame.StreamClosed, "upstream goes on after the end of a stream"}
	breachEarly     = &breach{frame.ProtocolError, "upstream sent content ahead of the answer's head"}
	breachInterim   = &breach{frame.ProtocolError, "upstream ended a stream with an interim answer"}
	breachHeads     = &breach{frame.ProtocolError, "upstream sent a head behind the answer's head"}
	breachDepends   = &breach{frame.ProtocolError, "upstream made a stream depend on itself"}
	breachTrailer   = &breach{frame.ProtocolError, "upstream sent a malformed trailer section"}
	breachPseudo    = &breach{frame.ProtocolError, "pseudo-header fields of the upstream's answer are malformed"}
	breachField     = &breach{frame.ProtocolError, "a header field of the upstream's answer is malformed"}
	breachConn      = &breach{frame.ProtocolError, "the upstream's answer has fields that belong to a connection"}
	breachSum       = &breach{frame.ProtocolError, "the upstream's answer is not as long as it says"}
)

// resetError is a RST_STREAM of the target.
type resetError struct{ code frame.Code }

func (e *resetError) Error() string { return "upstream reset the stream with " + e.code.String() }

func resetBy(code frame.Code) error { return &resetError{code} }
