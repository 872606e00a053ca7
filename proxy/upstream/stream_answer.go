package upstream

import (
	"bufio"
	"errors"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// readFinal waits for the final head and passes interim answers on.
func (s *stream) readFinal() (*exchange.Refusal, error) {
	until, again := s.until(s.first), false
	for {
		c := s.c
		c.mu.Lock()
		if s.seen < s.have {
			s.mine, s.list[s.seen] = s.list[s.seen], s.mine
			s.seen++
			last := s.seen == s.have
			c.mu.Unlock()
			s.begun = true
			final, r, err := s.readHead(last)
			if r != nil || final {
				return r, err
			}
			continue
		}
		err := s.err
		c.mu.Unlock()
		if err == nil {
			err = s.park(until, again)
			again = true
		}
		switch {
		case err == nil:
		case err == wire.ErrTimeout:
			by, more := s.grace()
			if !more {
				return s.late(exchange.FirstByteTimeout), err
			}
			if until = by; by == 0 {
				until = s.until(s.first)
			}
		default:
			return s.refusal(err), err
		}
	}
}

// until returns when a wait of limit that begins now ends; 0 is never.
func (s *stream) until(limit time.Duration) int64 {
	if limit == 0 {
		return s.by
	}
	until := wire.Now() + int64(limit)
	if s.by != 0 {
		until = min(until, s.by)
	}
	return until
}

// readHead makes s.mine the head of x.Response. It is written as HTTP/1.1
// first, so that one and the same strict pass judges every upstream's answers.
func (s *stream) readHead(last bool) (final bool, _ *exchange.Refusal, _ error) {
	var broken *breach
	if s.text, broken = appendText(s.text[:0], s.mine); broken != nil {
		return false, exchange.MalformedAnswer, broken
	}
	s.head.Reset()
	done, fault := s.head.ScanResponse(s.text, &wire.Limits{})
	if fault != nil || !done || s.head.Status == fasthttp.StatusSwitchingProtocols {
		if fault != nil {
			return false, exchange.MalformedAnswer, fault
		}
		return false, exchange.MalformedAnswer, breachPseudo
	}
	if err := s.parse(); err != nil {
		return false, exchange.MalformedAnswer, err
	}
	status := s.head.Status
	if status >= 200 {
		return true, nil, nil
	}
	if status != fasthttp.StatusContinue && status != fasthttp.StatusProcessing && !s.x.Old && s.x.Front != nil {
		if err := s.x.Front.Interim(&s.x.Response); err != nil {
			return false, exchange.ClientGone, err
		}
	}
	return false, nil, nil
}

// parse reads s.text into x.Response.
func (s *stream) parse() error {
	s.replay.b = s.text
	readers := s.t.registry.readers
	br := readers.Get(&s.replay)
	pooled := br
	if len(s.text) > br.Size() {
		br = bufio.NewReaderSize(&s.replay, len(s.text))
	}
	h := &s.x.Response
	h.SetNoDefaultContentType(true)
	err := h.Read(br)
	h.SetNoDefaultContentType(true)
	if err == nil && (br.Buffered() > 0 || len(s.replay.b) > 0 || h.StatusCode() != s.head.Status) {
		err = errDisagreed
	}
	readers.Put(pooled)
	s.replay.b = nil
	h.ResetConnectionClose()
	h.Del(fasthttp.HeaderProxyAuthenticate) // a reverse proxy has no credentials to give
	return err
}

// appendText writes a head as HTTP/1.1 does (RFC 9113 §8.3.2).
func appendText(dst []byte, f *hpack.Fields) ([]byte, *breach) {
	if f.Len() == 0 || f.Token(0) != hpack.Status || f.Mark(0) != 0 {
		return dst, breachPseudo
	}
	status := 0
	for _, c := range f.Value(0) {
		if c < '0' || c > '9' || status > 99 {
			return dst, breachPseudo
		}
		status = status*10 + int(c-'0')
	}
	if status < 100 {
		return dst, breachPseudo
	}
	dst = wire.AppendStatusLine(dst, status, nil)
	for i := 1; i < f.Len(); i++ {
		if f.Mark(i) != 0 {
			return dst, breachField
		}
		switch f.Token(i) {
		case hpack.Status, hpack.Authority, hpack.Method, hpack.Path, hpack.Scheme, hpack.Protocol:
			return dst, breachPseudo
		case hpack.Connection, hpack.KeepAlive, hpack.ProxyConnection, hpack.TransferEncoding, hpack.Upgrade:
			return dst, breachConn
		}
		dst = wire.AppendField(dst, f.Name(i), f.Value(i))
	}
	return append(dst, '\r', '\n'), nil
}

// appendTrailers writes trailers as field lines; nil means that they are malformed.
func appendTrailers(dst []byte, f *hpack.Fields) []byte {
	if dst == nil {
		dst = []byte{}
	}
	for i := range f.Len() {
		name := f.Name(i)
		if f.Mark(i) != 0 || len(name) == 0 || name[0] == ':' || !wire.TrailerAllowed(name) {
			return nil
		}
		dst = wire.AppendField(dst, name, f.Value(i))
	}
	return dst
}

// judge marks fields that no message may have (RFC 9113 §8.2.1). A decoder asks
// once for each field that gets into its table.
func judge(token hpack.Token, name, value []byte) uint8 {
	if (token == 0 && !isLowerToken(name)) || !isCleanValue(value) {
		return 1
	}
	return 0
}

func isLowerToken(name []byte) bool {
	for _, c := range name {
		if !lowerToken[c] {
			return false
		}
	}
	return len(name) > 0
}

var lowerToken = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") {
		t[c] = true
	}
	return t
}()

func isCleanValue(value []byte) bool {
	for _, c := range value {
		if (c < ' ' && c != '\t') || c == 0x7f {
			return false
		}
	}
	return len(value) == 0 || (!isBlank(value[0]) && !isBlank(value[len(value)-1]))
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// receive makes the final head the answer of x and decides how its content ends.
func (s *stream) receive() (*exchange.Refusal, error) {
	x, h := s.x, &s.head
	x.UpstreamStatus = h.Status
	x.FirstByte = time.Since(x.Start)
	length := h.Length
	if length == wire.Unknown {
		length = exchange.Chunked
	}
	s.want = length
	if h.Status < 300 && len(s.call.Upgrade) > 0 {
		s.want = exchange.Chunked
		s.change()
		return nil, nil
	}
	s.c.mu.Lock()
	ended := s.ended && len(s.in) == 0
	s.c.mu.Unlock()
	switch {
	case x.Request.IsHead():
		s.empty(length)
	case h.Status == fasthttp.StatusNoContent || h.Status == fasthttp.StatusNotModified || h.Length == 0:
		s.empty(0)
	case ended && len(s.trailer) == 0:
		if h.Length > 0 {
			return exchange.TruncatedAnswer, breachSum
		}
		s.empty(0)
	default:
		x.Stream, x.Length = s, length
	}
	return nil, nil
}

// empty ends the exchange with an answer that has no content.
func (s *stream) empty(length int64) {
	s.x.Stream, s.x.Length = nil, length
	s.release(true)
	s.t.inFlight.Add(-1)
}

// refusal maps why there is no answer.
func (s *stream) refusal(err error) *exchange.Refusal {
	var broken *breach
	var reset *resetError
	switch {
	case err == breachHead:
		return exchange.AnswerHeadTooLarge
	case err == errOnlyH1 || err == errNotH2 || err == breachFirst:
		return exchange.ProtocolMismatch
	case errors.As(err, &broken) || err == errInterims:
		return exchange.MalformedAnswer
	case err == errGoAway || err == errSessionUp:
		return exchange.ConnectionClosed
	case errors.As(err, &reset) || err == errRefused || err == errSilent:
		return exchange.UpstreamReset
	case isTimeout(err):
		return s.late(exchange.WriteTimeout)
	}
	return refusalOfRead(err, s.begun)
}
