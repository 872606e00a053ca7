package h2

// budget is how often a client may do what is allowed but brings nothing. It is
// earned back over time, and by what the client lets be done for it.
type budget struct {
	left, burst float64
	rate        float64 // earned each second
	at          int64   // when left was reckoned, on wire's clock
}

func newBudget(burst, rate int, now int64) budget {
	return budget{left: float64(burst), burst: float64(burst), rate: float64(rate), at: now}
}

// spend takes one and tells whether it was there.
func (b *budget) spend(now int64) bool {
	b.left = min(b.burst, b.left+float64(now-b.at)*1e-9*b.rate)
	b.at = now
	b.left--
	return b.left >= 0
}

// earn gives n back.
func (b *budget) earn(n float64) { b.left = min(b.burst, b.left+n) }
