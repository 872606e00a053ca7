package observe

import (
	"sync/atomic"
	"time"
)

// UpstreamStats counts what is sent to one target of one upstream. It comes from
// [Metrics.Upstream]; all methods may be called at once.
type UpstreamStats struct {
	upstream, target string
	cells            []atomic.Pointer[upstreamCell]
	// Failures are rare enough for one array that all shards share.
	failures atomic.Pointer[[maxCauses]atomic.Uint64]
}

type upstreamCell struct {
	answers [classCount]atomic.Uint64
	took    histogram
	retries atomic.Uint64
	opened  atomic.Uint64
	reused  atomic.Uint64
	_       [64]byte
}

// Observe counts an answer of the target and the time until its first byte.
func (s *UpstreamStats) Observe(shard, status int, firstByte time.Duration) {
	c := s.cell(shard)
	c.answers[classOf(status)].Add(1)
	c.took.observe(firstByte)
}

// Fail counts an attempt that brought no answer.
func (s *UpstreamStats) Fail(cause Cause) {
	counts := s.failures.Load()
	if counts == nil {
		s.failures.CompareAndSwap(nil, new([maxCauses]atomic.Uint64))
		counts = s.failures.Load()
	}
	counts[cause%maxCauses].Add(1)
}

// Retry counts an attempt that repeats an earlier one of the same request.
func (s *UpstreamStats) Retry(shard int) { s.cell(shard).retries.Add(1) }

// Open counts a new connection to the target.
func (s *UpstreamStats) Open(shard int) { s.cell(shard).opened.Add(1) }

// Reuse counts a request that found a pooled connection.
func (s *UpstreamStats) Reuse(shard int) { s.cell(shard).reused.Add(1) }

func (s *UpstreamStats) cell(shard int) *upstreamCell {
	if uint(shard) >= uint(len(s.cells)) {
		shard = 0
	}
	if c := s.cells[shard].Load(); c != nil {
		return c
	}
	s.cells[shard].CompareAndSwap(nil, new(upstreamCell))
	return s.cells[shard].Load()
}

type upstreamTotals struct {
	answers                 [classCount]uint64
	took                    tally
	retries, opened, reused uint64
}

func (s *UpstreamStats) totals(t *upstreamTotals) {
	*t = upstreamTotals{}
	for i := range s.cells {
		c := s.cells[i].Load()
		if c == nil {
			continue
		}
		for k := range c.answers {
			t.answers[k] += c.answers[k].Load()
		}
		t.took.add(&c.took)
		t.retries += c.retries.Load()
		t.opened += c.opened.Load()
		t.reused += c.reused.Load()
	}
}
