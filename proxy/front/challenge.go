package front

import (
	"crypto/rand"
	"crypto/sha1" // of RFC 6455, where it hides nothing
	"encoding/base64"
	"fmt"

	"weir/proxy/exchange"
)

// Why an upstream's answer opens no WebSocket. To the client of HTTP/2 or
// HTTP/3 a success would mean that it is open.
var (
	ErrNotAccepted = fmt.Errorf("%w: its Sec-WebSocket-Accept is wrong", exchange.ErrUnopened)
	ErrNotChanged  = fmt.Errorf("%w: it answered with success, but did not change the protocol", exchange.ErrUnopened)
)

// Challenge is what the opening of a WebSocket asks and must be answered
// (RFC 6455 §4). Over HTTP/2 and HTTP/3 there is none, so that the front end
// asks the upstream in its client's place (RFC 8441 §5).
type Challenge struct {
	key    [24]byte
	answer [28]byte
}

// Make makes a new challenge.
func (c *Challenge) Make() {
	var nonce [16]byte
	_, _ = rand.Read(nonce[:])
	base64.StdEncoding.Encode(c.key[:], nonce[:])
	c.solve()
}

func (c *Challenge) solve() {
	var text [len(c.key) + len(webSocketID)]byte
	copy(text[copy(text[:], c.key[:]):], webSocketID)
	sum := sha1.Sum(text[:])
	base64.StdEncoding.Encode(c.answer[:], sum[:])
}

const webSocketID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

// Key returns the value of Sec-WebSocket-Key.
func (c *Challenge) Key() []byte { return c.key[:] }

// Accepts tells whether accept is the right value of Sec-WebSocket-Accept.
func (c *Challenge) Accepts(accept []byte) bool { return string(accept) == string(c.answer[:]) }
