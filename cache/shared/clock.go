package shared

import (
	"sync"
	"time"
)

// jump is by how much Redis' clock may differ from what it should say before what
// was stored by it counts as lost.
const jump = time.Second

// clock is what a node knows of Redis' clock, by which all nodes say when an
// answer was received.
type clock struct {
	mutex       sync.Mutex
	least, most time.Duration // what it is ahead of this node's
	known       bool
}

// set notes that Redis' clock has said told between two readings of this node's.
// It returns whether it has jumped.
func (c *clock) set(told, before, after time.Duration) (jumped bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	least, most := told-after, told-before
	jumped = c.known && (least > c.most+jump || most < c.least-jump)
	c.least, c.most, c.known = least, most, true
	return jumped
}

// now returns what Redis' clock says at least and at most when this node's says own.
func (c *clock) now(own time.Duration) (least, most time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return own + c.least, own + c.most
}
