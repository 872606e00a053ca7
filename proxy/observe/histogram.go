package observe

import (
	"sync/atomic"
	"time"
)

const (
	boundCount  = 15
	methodOther = 7
	methodCount = 8
	// The last class holds requests that ended without an answer.
	classCount = 6
)

// durationBounds are the upper bounds of the buckets. They begin at half a
// millisecond, below which a proxied request seldom gets on a network, and end at
// the longest timeout that people set.
func durationBounds() [boundCount]time.Duration {
	return [boundCount]time.Duration{
		500 * time.Microsecond, time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond,
		25 * time.Millisecond, 50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
		time.Second, 3 * time.Second, 10 * time.Second, 30 * time.Second, 60 * time.Second,
	}
}

// histogram counts durations. The zero value is ready; all methods may be called
// at once.
type histogram struct {
	buckets [boundCount + 1]atomic.Uint64 // not cumulative; the last is beyond all bounds
	nanos   atomic.Uint64
}

func (h *histogram) observe(d time.Duration) {
	d = max(d, 0)
	h.buckets[bucketOf(d)].Add(1)
	h.nanos.Add(uint64(d))
}

// bucketOf compares with constants from below: answers are mostly quick, and a
// table would have to be built or kept in a global.
func bucketOf(d time.Duration) int {
	const ms = time.Millisecond
	switch {
	case d <= ms/2:
		return 0
	case d <= ms:
		return 1
	case d <= 5*ms/2:
		return 2
	case d <= 5*ms:
		return 3
	case d <= 10*ms:
		return 4
	case d <= 25*ms:
		return 5
	case d <= 50*ms:
		return 6
	case d <= 100*ms:
		return 7
	case d <= 250*ms:
		return 8
	case d <= 500*ms:
		return 9
	case d <= 1000*ms:
		return 10
	case d <= 3000*ms:
		return 11
	case d <= 10000*ms:
		return 12
	case d <= 30000*ms:
		return 13
	case d <= 60000*ms:
		return 14
	}
	return boundCount
}

// tally is the sum of the histograms of all shards, at a scrape.
type tally struct {
	buckets [boundCount + 1]uint64
	nanos   uint64
}

func (t *tally) add(h *histogram) {
	for i := range h.buckets {
		t.buckets[i] += h.buckets[i].Load()
	}
	t.nanos += h.nanos.Load()
}

func (t *tally) count() uint64 {
	var n uint64
	for _, c := range t.buckets {
		n += c
	}
	return n
}

// methodOf bounds the methods that appear in labels: a client may invent any.
func methodOf(method []byte) int {
	switch string(method) {
	case "GET":
		return 0
	case "HEAD":
		return 1
	case "POST":
		return 2
	case "PUT":
		return 3
	case "PATCH":
		return 4
	case "DELETE":
		return 5
	case "OPTIONS":
		return 6
	}
	return methodOther
}

func methodLabel(method int) string {
	return [methodCount]string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "other"}[method]
}

func classOf(status int) int {
	if status < 100 || status > 599 {
		return classCount - 1
	}
	return status/100 - 1
}

func classLabel(class int) string {
	return [classCount]string{"1xx", "2xx", "3xx", "4xx", "5xx", "none"}[class]
}
