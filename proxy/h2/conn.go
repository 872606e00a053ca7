package h2

import (
	"bufio"
	"bytes"
	"errors"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/frame"
	"weir/proxy/front"
	"weir/proxy/hpack"
	"weir/proxy/wire"
)

// conn is one client connection. Its goroutine runs serve and reads; each
// stream has a goroutine beside it, and mu guards what they share.
type conn struct {
	server *Server
	sock   *wire.Conn
	from   front.Origin
	peer   netip.AddrPort
	begun  int64 // on wire's clock

	// The reader's own.
	work           *work
	dec            hpack.Decoder
	last           uint32 // highest stream that the client has begun
	block          block
	greeted, acked bool  // preface and first SETTINGS; our SETTINGS
	waiting        int64 // since when a frame is there in part
	spawned        int   // streams begun since the last read
	frames, resets budget
	parting        parting

	retired atomic.Bool

	mu      sync.Mutex
	enc     hpack.Encoder
	their   frame.Peer
	window  frame.Window  // what may be sent
	in      frame.Inbound // what may come
	streams table
	busy    int // streams whose answer is not complete, given up ones included
	closed  [16]closedStream
	next    int    // place in closed of the next one
	idle    int64  // since when no stream is there
	dead    bool   // nothing is sent any more
	limit   uint32 // streams beyond it are not served; 0 for none
	leaving bool   // the connection ends with its last stream

	out     *out // what is to be sent, nil for nothing
	control int  // frames in out that answer others
	flusher bool // somebody will write out, or is about to
	writing bool
	blocked []*stream // wait for room in out, or for windows
	woken   *stream   // of blocked, the one whose turn it is
	turns   uint64
	earned  int    // frames without content that the client may send for what it got
	ended   waiter // of who waits for the end of a write

	running sync.WaitGroup
}

// closedStream is a stream that has ended not long ago.
type closedStream struct {
	id       uint32
	ours     bool  // ended by this side ahead of the client, which may not know yet
	told     bool  // by RST_STREAM
	theirs   bool  // the client has ended or reset it: it sends nothing more
	declared int64 // of its content, as in body
	received int64
	left     int          // what may still come before it is declined
	window   frame.Window // what might have been sent
}

// work is what a connection needs only while there are bytes to look at.
type work struct {
	buf        []byte
	start, end int // of what was not looked at
	block      []byte
	fields     hpack.Fields
	text       []byte // a request's head as HTTP/1.1 writes it
	src        bytes.Reader
	br         *bufio.Reader // over src
	head       wire.Head
}

// block is a field block that is not complete.
type block struct {
	stream uint32 // 0 for none
	ended  bool   // END_STREAM
	self   bool   // the stream depends on itself
	frames int
}

// parting is how far the connection has come in saying good-bye.
type parting uint8

const (
	staying  parting = iota
	warned           // the client was told, and asked for a sign (RFC 9113 §6.8)
	departed         // and knows which streams are served
)

func (c *conn) serve(early []byte) {
	f := c.talk(early)
	c.quit(f)
	c.running.Wait()
	c.rest()
}

// talk reads until the connection ends. Nil means that there is nobody to tell why.
func (c *conn) talk(early []byte) *fault {
	c.sock.WriteLimits(0, c.server.cfg.SendTimeout)
	c.mu.Lock()
	c.flusher = true
	c.append(c.server.hello)
	c.idle = c.begun
	c.flush()
	c.mu.Unlock()
	for len(early) > 0 {
		n := copy(c.Lend(), early)
		early = early[n:]
		if f := c.take(n); f != nil {
			return f
		}
	}
	for {
		c.sock.ReadLimits(c.readBy())
		n, err := c.sock.ReadLent(c)
		if n > 0 {
			if f := c.take(n); f != nil {
				return f
			}
		}
		switch {
		case err == nil:
		case errors.Is(err, wire.ErrInterrupted):
			if f, ends := c.interrupted(); ends {
				return f
			}
		case errors.Is(err, wire.ErrTimeout):
			if f := c.overdue(); f != nil {
				return f
			}
		default:
			return nil
		}
	}
}

// Lend and TakeBack make conn the wire.Lender of its own reads.
func (c *conn) Lend() []byte {
	w := c.work
	if w == nil {
		w = c.server.works.Get().(*work)
		w.br = c.server.readers.Get(&w.src)
		c.work = w
	}
	return w.buf[w.end:]
}

// TakeBack gives the buffers back unless a frame or a block lies in them.
func (c *conn) TakeBack() {
	if w := c.work; w != nil && w.start == w.end && c.block.stream == 0 {
		c.rest()
	}
}

// keptBuffer is the largest buffer that goes back to a pool.
const keptBuffer = 64 << 10

func (c *conn) rest() {
	w := c.work
	if w == nil {
		return
	}
	c.work = nil
	c.server.readers.Put(w.br)
	w.br, w.start, w.end = nil, 0, 0
	if cap(w.block) > keptBuffer {
		w.block = nil
	}
	if w.fields.Cap() > keptBuffer {
		w.fields = hpack.Fields{}
	}
	c.server.works.Put(w)
}

// readBy returns the limits of the next read.
func (c *conn) readBy() (by int64, wait time.Duration) {
	cfg := &c.server.cfg
	now := wire.Now()
	switch {
	case !c.acked:
		return wire.After(c.begun, cfg.HeadTimeout), 0
	case c.parting == warned:
		return now + int64(partingTime), 0
	case c.block.stream != 0 || c.work != nil && c.work.start != c.work.end:
		if c.waiting == 0 {
			c.waiting = now
		}
		if c.block.stream == 0 && c.partOfData() {
			return 0, cfg.BodyTimeout
		}
		return wire.After(c.waiting, cfg.HeadTimeout), 0
	}
	c.waiting = 0
	return wire.After(now, cfg.IdleTimeout), 0
}

// partOfData tells whether the frame that is there in part is one of DATA,
// which a slow client may take long to send.
func (c *conn) partOfData() bool {
	w := c.work
	return w.end-w.start >= frame.HeaderLen && frame.Parse(w.buf[w.start:]).Type == frame.Data
}

// overdue judges a read whose limit has passed; nil means to read on.
func (c *conn) overdue() *fault {
	switch {
	case !c.acked && c.greeted:
		c.server.Stats.Timeouts.Add(1)
		return faultNoAck
	case !c.acked:
		return faultSlow
	case c.parting == warned:
		c.depart()
		return nil
	case c.waiting != 0:
		return faultSlow
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.streams.count > 0 || wire.Now()-c.idle < int64(c.server.cfg.IdleTimeout) {
		return nil
	}
	return faultIdle
}

// interrupted acts on an interruption and tells whether the connection ends.
func (c *conn) interrupted() (f *fault, ends bool) {
	c.server.Settled()
	c.sock.Resume()
	if c.retired.Load() && c.parting == staying {
		c.warn()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return nil, true
	}
	return faultLeft, c.leaving && c.streams.count == 0
}

// partingTime is how long a client that was warned may take to say so.
const partingTime = time.Second

var partingPing = [8]byte{'w', 'e', 'i', 'r', ' ', 'b', 'y', 'e'}

// warn tells the client that the connection will end, but refuses nothing yet:
// requests may be under way to us.
func (c *conn) warn() {
	c.parting = warned
	c.mu.Lock()
	defer c.mu.Unlock()
	b := c.room()
	*b = frame.AppendGoAway(*b, frame.MaxStream, frame.NoError, "")
	*b = frame.AppendPing(*b, 0, partingPing)
	c.send()
}

// depart tells the client which streams are served to their end.
func (c *conn) depart() {
	c.parting = departed
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leaving, c.limit = true, c.last
	b := c.room()
	*b = frame.AppendGoAway(*b, c.last, frame.NoError, "")
	c.send()
	c.leave()
}

// leave makes the reader end when the last stream of a leaving connection has.
func (c *conn) leave() {
	if (c.leaving || c.dead) && c.streams.count == 0 {
		c.sock.Interrupt()
	}
}

// Retire ends the connection in good order.
func (c *conn) Retire() {
	c.retired.Store(true)
	c.sock.Interrupt()
}

// CloseTunnels ends the streams that are tunnels.
func (c *conn) CloseTunnels() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.streams.slots {
		if s != nil && s.tunnel {
			c.reset(s, frame.Cancel)
			s.kill()
		}
	}
	c.send()
}

// Close closes the connection at once.
func (c *conn) Close() error { return c.sock.Close() }

// lastWrite is how long a connection that ends waits for its last bytes to leave.
const lastWrite = time.Second

// quit ends the connection: every stream of it, and the client is told why.
func (c *conn) quit(f *fault) {
	c.mu.Lock()
	told := f != nil && !c.dead
	if told && f != faultLeft {
		b := c.room()
		*b = frame.AppendGoAway(*b, c.last, f.code, f.reason)
		f.count(&c.server.Stats)
	}
	c.die()
	for by := wire.Now() + int64(lastWrite); told && (c.writing || c.out != nil); {
		if !c.writing {
			c.flusher = true
			c.flush()
		} else if !c.ended.wait(&c.mu, time.Duration(by-wire.Now())) {
			break
		}
	}
	c.mu.Unlock()
	if told && f.code != frame.NoError {
		c.linger()
	}
	if !told || f.code != frame.NoError {
		_ = c.sock.Close()
	}
}

// die ends what the streams wait for. Nothing is appended for them any more.
func (c *conn) die() {
	c.dead = true
	for _, s := range c.streams.slots {
		if s != nil {
			s.kill()
		}
	}
}

// linger reads on for a moment: closing at once would reset the connection, and
// take from the client what it was told (RFC 9112 §9.6 has the same).
func (c *conn) linger() {
	if c.sock.CloseWrite() != nil {
		return
	}
	c.sock.Resume()
	c.sock.ReadLimits(wire.Now()+int64(lastWrite), 0)
	b := c.Lend()
	if len(b) == 0 {
		c.work.start, c.work.end = 0, 0
		b = c.work.buf
	}
	for total := 0; total < 1<<20; {
		n, err := c.sock.Read(b)
		if err != nil {
			return
		}
		total += n
	}
}
