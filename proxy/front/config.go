package front

import (
	"flag"
	"time"
)

// Config tunes the connections of clients. Zero durations and counts
// mean no limit.
type Config struct {
	HeadTimeout time.Duration // from a request's first byte to the end of its head
	BodyTimeout time.Duration // longest silence inside a request body
	IdleTimeout time.Duration // wait for the next request of a connection
	SendTimeout time.Duration // longest time in which a client takes no byte of an answer

	MaxHead   int // bytes of a request head, also the size of the read buffer
	MaxTarget int // bytes of a request target
	MaxFields int // header fields of a request
}

// RegisterFlags defines the flags of the listener's connections.
func (c *Config) RegisterFlags(fs *flag.FlagSet) {
	fs.DurationVar(&c.HeadTimeout, "listen.headTimeout", 10*time.Second, "Time a client has to send a request's head. 0 means no limit")
	fs.DurationVar(&c.BodyTimeout, "listen.bodyTimeout", 60*time.Second, "Longest silence of a client inside a request body. 0 means no limit")
	fs.DurationVar(&c.IdleTimeout, "listen.idleTimeout", 75*time.Second, "Time a connection may wait for its next request. 0 means no limit")
	fs.DurationVar(&c.SendTimeout, "listen.sendTimeout", 60*time.Second, "Longest time in which a client may take no byte of its answer. 0 means no limit")
	fs.IntVar(&c.MaxHead, "listen.maxHead", 16<<10, "Bytes of a request's head; more is refused with 431. Each busy connection holds a buffer of this size")
	fs.IntVar(&c.MaxTarget, "listen.maxTarget", 8<<10, "Bytes of a request's target; more is refused with 414. 0 means as much as the head may have")
	fs.IntVar(&c.MaxFields, "listen.maxFields", 100, "Header fields of a request; more are refused with 431. 0 means no limit")
}
