package shared

import (
	"crypto/tls"
	"errors"
	"fmt"
	"time"

	"weir/ratelimit"
)

// Config says where Redis is and how nodes share what is in it. All nodes that
// share must have the same Prefix and Interval, and about the same limits.
type Config struct {
	// Addresses are host:port of the server, of some nodes of a Cluster, or of the
	// Sentinels. More than one without Sentinel has to be a Cluster.
	Addresses          []string
	Username, Password string
	TLS                *tls.Config // nil for none

	// Sentinel is the name of the master set. Empty means that there are no Sentinels.
	Sentinel                           string
	SentinelUsername, SentinelPassword string

	// Prefix begins every key. Empty means "weir".
	Prefix string
	// Timeout is the longest that a decision waits on the way of a request. 0 means 4 ms.
	Timeout time.Duration
	// Interval is the time between two synchronisations of what fast limits have
	// taken, see Limit.Bound. 0 means 50 ms.
	Interval time.Duration
	// Nodes is how many nodes share. 0 means that they are counted by their heartbeats.
	Nodes int
	// Keys is how many keys of fast limits and quotas are kept. 0 means 65536.
	// Those that find no room get the local share.
	Keys int
	// Clock is what now of Take is read from. Nil means one that Client.Now reads.
	Clock *ratelimit.Clock
	// Notify is called when Redis goes away, with the reason, and when it is back.
	// It must return soon. Nil means that nobody has to know.
	Notify func(away bool, err error)
}

// withDefaults returns c with what is missing filled in, or what is wrong with it.
func (c Config) withDefaults() (Config, error) {
	switch {
	case len(c.Addresses) == 0:
		return c, errors.New("cannot share limits: no address of Redis is given")
	case c.Timeout < 0 || c.Interval < 0 || c.Nodes < 0 || c.Keys < 0:
		return c, errors.New("cannot share limits: a time or a number is negative")
	case c.Interval != 0 && c.Interval < time.Millisecond:
		return c, fmt.Errorf("cannot share limits every %s: the least is 1ms", c.Interval)
	}
	if c.Prefix == "" {
		c.Prefix = "weir"
	}
	if c.Timeout == 0 {
		c.Timeout = 4 * time.Millisecond
	}
	if c.Interval == 0 {
		c.Interval = 50 * time.Millisecond
	}
	if c.Keys == 0 {
		c.Keys = 1 << 16
	}
	if c.Clock == nil {
		c.Clock = ratelimit.NewClock()
	}
	if c.Notify == nil {
		c.Notify = func(bool, error) {}
	}
	return c, nil
}

// Mode is how a limit is held.
type Mode uint8

// The modes. Exact asks Redis about each request, whose answer is waited for;
// Fast decides by itself and settles in the background.
const (
	Exact Mode = iota
	Fast
)

// ParseMode reads exact or fast.
func ParseMode(text string) (Mode, error) {
	switch text {
	case "exact":
		return Exact, nil
	case "fast":
		return Fast, nil
	}
	return 0, fmt.Errorf("%q is no mode: it is exact or fast", text)
}

func (m Mode) String() string { return [...]string{"exact", "fast"}[m] }

// WhenAway is what becomes of requests while Redis is away.
type WhenAway uint8

// What can happen while Redis is away: each node holds its share of the limit
// for itself, every request passes, or none does.
const (
	Local WhenAway = iota
	Open
	Closed
)

// ParseWhenAway reads local, open or closed.
func ParseWhenAway(text string) (WhenAway, error) {
	switch text {
	case "local":
		return Local, nil
	case "open":
		return Open, nil
	case "closed":
		return Closed, nil
	}
	return 0, fmt.Errorf("%q does not say what happens while Redis is away: it is local, open or closed", text)
}

func (w WhenAway) String() string { return [...]string{"local", "open", "closed"}[w] }

// Outcome is who made a decision.
type Outcome uint8

// The outcomes: decided with what is shared, by the node's share alone, or
// let through and refused by rule because Redis is away.
const (
	Decided Outcome = iota
	DecidedLocally
	Opened
	Refused
)

func (o Outcome) String() string { return [...]string{"shared", "local", "open", "closed"}[o] }
