package shared

import (
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"
)

const (
	// stay is how long a node counts after its last heartbeat, beat the time between two.
	stay, beat = 5 * time.Second, time.Second
)

// connect makes the first connection, however long that takes, and starts what
// needs it. Later ones rueidis makes by itself.
func (c *Client) connect() {
	for {
		redis, err := rueidis.NewClient(c.config.Options(c.io, "weir-"+c.node))
		if err == nil {
			c.redis.Store(&redis)
			break
		}
		c.lanes[0].stay(reason(err))
		pause := probing
		if _, answered := rueidis.IsRedisErr(err); answered {
			pause = 10 * probing // a wrong password does not become right, and each try is a line in Redis' log
		}
		if !c.sleep(pause) {
			return
		}
	}
	c.spread.Store((*c.redis.Load()).Mode() == rueidis.ClientModeCluster)
	for i := range c.used() {
		l := &c.lanes[i]
		l.key, l.looking = c.probeKey("{"+slotTag(i)+"}"), true
		for range workers {
			c.start(l.work)
		}
		c.start(l.look)
	}
	c.start(c.beat)
	c.start(c.settle)
}

// used returns the lanes that keys can be on.
func (c *Client) used() []lane {
	if c.spread.Load() {
		return c.lanes[:]
	}
	return c.lanes[:1]
}

// key returns the key of an identity under a name, and its slot. The identity
// is hashed, so that nothing of a client can be read in Redis.
func (c *Client) key(kind string, identity []byte, name string) (key string, slot int) {
	sum := sha256.Sum256(identity)
	var tag [22]byte
	base64.RawURLEncoding.Encode(tag[:], sum[:16])
	b := make([]byte, 0, len(c.config.Prefix)+len(kind)+len(name)+28)
	b = append(b, c.config.Prefix...)
	b = append(b, ':')
	b = append(b, kind...)
	b = append(b, ":{"...)
	b = append(b, tag[:]...)
	b = append(b, "}:"...)
	b = append(b, name...)
	return string(b), slotOf(tag[:])
}

// lane returns the lane of a slot.
func (c *Client) lane(slot int) *lane {
	if only := c.only(); only != nil {
		return only
	}
	return &c.lanes[slot*lanes/slots]
}

// probeKey returns a key beside key that probes may write.
func (c *Client) probeKey(key string) string {
	if _, after, found := strings.Cut(key, "{"); found {
		tag, _, _ := strings.Cut(after, "}")
		key = "{" + tag + "}"
	}
	return c.config.Prefix + ":probe:" + key
}

// only returns the lane of every key, if there is only one.
func (c *Client) only() *lane {
	if c.spread.Load() {
		return nil
	}
	return &c.lanes[0]
}

// slots is how many parts the keys of a Cluster are in.
const slots = 16384

// slotOf returns the slot of a hash tag: CRC-16/XMODEM, as Redis Cluster has it.
func slotOf[T string | []byte](tag T) int {
	var crc uint16
	for i := range len(tag) {
		crc ^= uint16(tag[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc % slots)
}

// slotTag returns a hash tag whose slot is of the lane.
func slotTag(lane int) string {
	for i := 0; ; i++ {
		if tag := strconv.Itoa(i); slotOf(tag)*lanes/slots == lane {
			return tag
		}
	}
}

// beat tells the others that this node is there, and counts them.
func (c *Client) beat() {
	defer c.depart()
	for {
		q := question{script: c.scripts.nodes, key: c.config.Prefix + ":nodes"}
		q.with(c.node, strconv.FormatInt(stay.Milliseconds(), 10))
		if c.run(dialing, []*question{&q}); q.err == nil && c.config.Nodes == 0 {
			c.share(max(1, q.answer[0]))
		}
		pause := beat
		if q.err != nil {
			pause = probing
		}
		if !c.sleep(pause) {
			return
		}
	}
}

// share takes note of how many nodes there are.
func (c *Client) share(nodes int64) {
	if c.nodes.Swap(nodes) == nodes {
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	for _, l := range c.limits {
		l.set(l.terms.Load().terms)
	}
	for _, q := range c.quotas {
		t := q.terms.Load()
		q.set(t.allowance, t.mode, t.away)
	}
}

// depart tells the others that this node is no more.
func (c *Client) depart() {
	if !c.answers() {
		return
	}
	q := question{script: c.scripts.nodes, key: c.config.Prefix + ":nodes"}
	q.with(c.node, "0")
	c.run(patience, []*question{&q})
}
