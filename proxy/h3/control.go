package h3

import (
	"context"
	"io"
	"sync"

	"github.com/quic-go/quic-go"
)

// openControl opens the control stream and sends the settings (RFC 9114 §6.2.1).
func (c *conn) openControl() error {
	stream, err := c.qc.OpenUniStream()
	if err != nil {
		return err
	}
	settings := appendVarint(nil, settingFieldSection)
	settings = appendVarint(settings, uint64(c.server.limits.Head))
	settings = appendVarint(settings, settingConnectProtocol)
	settings = appendVarint(settings, 1)
	out := appendVarint(nil, streamControl)
	out = append(appendFrame(out, frameSettings, uint64(len(settings))), settings...)
	c.control = stream
	_, err = stream.Write(out)
	return err
}

// sendControl sends a frame whose header is given and whose payload is v.
func (c *conn) sendControl(header []byte, v uint64) {
	_, _ = c.control.Write(appendVarint(header, v))
}

// acceptUni accepts the client's unidirectional streams.
func (c *conn) acceptUni(running *sync.WaitGroup) {
	for {
		stream, err := c.qc.AcceptUniStream(context.Background())
		if err != nil {
			return
		}
		running.Go(func() { c.serveUni(stream) })
	}
}

func (c *conn) serveUni(stream *quic.ReceiveStream) {
	defer stream.ReleaseStreamCredit()
	r := newReader(uniBuffer)
	in := &r
	in.reset(stream)
	kind, err := in.varint()
	if err != nil {
		return // a stream may end before its type has come (RFC 9114 §6.2)
	}
	switch kind {
	case streamControl, streamEncoder, streamDecoder:
		if c.seen[kind].Swap(true) {
			c.fail(codeStreamCreation, "a second stream of a type that comes once")
			return
		}
	case streamPush:
		c.fail(codeStreamCreation, "only servers push")
		return
	default:
		stream.CancelRead(codeStreamCreation)
		return
	}
	code, reason := quic.ApplicationErrorCode(codeEncoderStream), "instruction for a dynamic table that has no room"
	switch kind {
	case streamControl:
		code, reason = c.readControl(in)
	case streamEncoder:
		err = readEncoder(in)
	case streamDecoder:
		code, reason = codeDecoderStream, "nothing was sent that could be acknowledged"
		err = readDecoder(in)
	}
	switch {
	case c.qc.Context().Err() != nil:
		return
	case err == io.EOF || isReset(err):
		code, reason = codeClosedCritical, "a stream ended that must stay open"
	}
	c.fail(code, reason)
}

// readEncoder reads the encoder's instructions: without room, the only one
// that may come sets the table's capacity to 0 (RFC 9204 §4.3).
func readEncoder(in *reader) error {
	for {
		b, err := in.octet()
		if err != nil {
			return err
		}
		if b != 0x20 {
			return errQPACK
		}
	}
}

// readDecoder reads the decoder's instructions: clients may cancel streams,
// but have nothing to acknowledge (RFC 9204 §4.4).
func readDecoder(in *reader) error {
	for {
		b, err := in.octet()
		if err != nil {
			return err
		}
		if b&0xc0 != 0x40 {
			return errQPACK
		}
		for more := b&0x3f == 0x3f; more; more = b&0x80 != 0 {
			if b, err = in.octet(); err != nil {
				return err
			}
		}
	}
}

const (
	settingsMost = 4 << 10 // bytes of a SETTINGS frame
	controlMost  = 1 << 10 // bytes of another frame on the control stream
	// priorityMost is how often a client may change its mind about one request.
	priorityMost = 8
	// idleFramesMost is how many frames that say nothing may come one after another.
	idleFramesMost = 1000
)

// readControl reads the client's control stream (RFC 9114 §7.2) and returns
// why the connection has to end.
func (c *conn) readControl(in *reader) (quic.ApplicationErrorCode, string) {
	kind, length, err := in.next()
	switch {
	case err != nil:
		return controlError(err)
	case kind != frameSettings:
		return codeMissingSettings, "the control stream does not begin with SETTINGS"
	case length > settingsMost:
		return codeExcessiveLoad, "SETTINGS is too large"
	}
	payload := make([]byte, length)
	if err := in.full(payload); err != nil {
		return controlError(err)
	}
	if code, reason := checkSettings(payload); code != 0 {
		return code, reason
	}
	for frames := 0; ; frames++ {
		if frames > idleFramesMost+priorityMost*c.begun() {
			c.server.Stats.Abuses.Add(1)
			return codeExcessiveLoad, "too many frames on the control stream"
		}
		kind, length, err := in.next()
		if err != nil {
			return controlError(err)
		}
		switch {
		case kind == frameData || kind == frameHeaders || kind == frameSettings || kind == framePushPromise || isReservedFrame(kind):
			return codeFrameUnexpected, "frame does not belong on the control stream"
		case kind == framePriorityPush || kind == frameCancelPush:
			return codeIDError, "nothing was pushed"
		case length > controlMost:
			return codeExcessiveLoad, "frame is too large"
		}
		payload := payload[:0]
		payload = append(payload, make([]byte, length)...)
		if err := in.full(payload); err != nil {
			return controlError(err)
		}
		if code, reason := c.controlFrame(kind, payload); code != 0 {
			return code, reason
		}
	}
}

// controlFrame obeys one frame of the control stream. GOAWAY and MAX_PUSH_ID
// speak of pushes, which are not made.
func (c *conn) controlFrame(kind uint64, payload []byte) (quic.ApplicationErrorCode, string) {
	switch kind {
	case frameGoAway, frameMaxPushID:
		if _, n := parseVarint(payload); n == 0 || n != len(payload) {
			return codeFrameError, "malformed frame"
		}
	case framePriorityUpdate:
		id, n := parseVarint(payload)
		switch {
		case n == 0:
			return codeFrameError, "malformed PRIORITY_UPDATE"
		case id%4 != 0:
			return codeIDError, "PRIORITY_UPDATE of what is no request"
		}
		c.prioritize(quic.StreamID(id), payload[n:])
	}
	return 0, ""
}

// prioritize gives a request that is under way the priority that its client
// has changed to; for those that are to come the field Priority speaks.
func (c *conn) prioritize(id quic.StreamID, value []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.requests[id]; r != nil {
		r.stream.SetPriority(parsePriority(value))
	}
}

// checkSettings checks a SETTINGS frame (RFC 9114 §7.2.4). None of its values
// is needed: answers use no dynamic table and are not pushed.
func checkSettings(b []byte) (quic.ApplicationErrorCode, string) {
	var seen [16]uint64
	for n := 0; len(b) > 0; n++ {
		id, i := parseVarint(b)
		_, j := parseVarint(b[i:])
		if i == 0 || j == 0 {
			return codeFrameError, "malformed SETTINGS"
		}
		b = b[i+j:]
		if isReservedSetting(id) {
			return codeSettingsError, "setting of HTTP/2"
		}
		for _, other := range seen[:min(n, len(seen))] {
			if other == id {
				return codeSettingsError, "setting comes twice"
			}
		}
		if n < len(seen) {
			seen[n] = id
		}
	}
	return 0, ""
}

func controlError(err error) (quic.ApplicationErrorCode, string) {
	if err == io.EOF || isReset(err) {
		return codeClosedCritical, "the control stream ended"
	}
	return codeFrameError, "malformed frame"
}

// octet reads one byte.
func (r *reader) octet() (byte, error) {
	if r.from == r.to {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	b := r.buf[r.from]
	r.from++
	return b, nil
}
