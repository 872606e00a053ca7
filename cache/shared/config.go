package shared

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"weir/cache"
	"weir/cache/record"
	connection "weir/ratelimit/shared"
)

// Config says where the second tier is, and how much it may take.
type Config struct {
	// Redis says how to connect. All nodes that share must have the same Prefix.
	Redis connection.Config
	// Cache is the first tier, in which purges of other nodes take effect.
	Cache *cache.Cache
	// Timeout is the longest that Get takes. 0 means 50 ms.
	Timeout time.Duration
	// MostBytes is the largest answer that is written. 0 means 8 MiB.
	MostBytes int64
	// QueueBytes is how much may wait to be written. 0 means 64 MiB.
	QueueBytes int64
	// Purges is about how many purges the stream keeps for nodes that are away. 0
	// means 10000.
	Purges int
	// Position is how far the purges were followed that the first tier knows of,
	// as a snapshot has told, or zero.
	Position record.Position
	// Notify is called when Redis goes away, with the reason, and when it is back.
	// It must return soon. Nil means that nobody has to know.
	Notify func(away bool, err error)
}

// longest is what a value may have that the connection lets through.
const longest = 15 << 20

func (c Config) withDefaults() (Config, error) {
	switch {
	case c.Cache == nil:
		return c, errors.New("cannot share a cache: there is none")
	case len(c.Redis.Addresses) == 0:
		return c, errors.New("cannot share a cache: no address of Redis is given")
	case c.Timeout < 0 || c.MostBytes < 0 || c.QueueBytes < 0 || c.Purges < 0:
		return c, errors.New("cannot share a cache: a time or a number is negative")
	case c.MostBytes > longest:
		return c, fmt.Errorf("cannot share answers of %d bytes: the most is %d", c.MostBytes, longest)
	case strings.ContainsAny(c.Redis.Prefix, "{}"):
		return c, fmt.Errorf("cannot share a cache: the prefix %q has a brace, which says where keys lie in a Cluster", c.Redis.Prefix)
	}
	if c.Redis.Prefix == "" {
		c.Redis.Prefix = "weir"
	}
	if c.Timeout == 0 {
		c.Timeout = 50 * time.Millisecond
	}
	if c.MostBytes == 0 {
		c.MostBytes = 8 << 20
	}
	if c.QueueBytes == 0 {
		c.QueueBytes = 64 << 20
	}
	if c.Purges == 0 {
		c.Purges = 10_000
	}
	if c.Notify == nil {
		c.Notify = func(bool, error) {}
	}
	return c, nil
}
