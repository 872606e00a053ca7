package proxy

import (
	"strconv"

	"weir/proxy/exchange"
)

var (
	nameRateLimit  = []byte("RateLimit")
	namePolicy     = []byte("RateLimit-Policy")
	nameRetryAfter = []byte("Retry-After")
)

// announce tells the client of an accepted request what is left of the limits
// that say so (draft-ietf-httpapi-ratelimit-headers-11).
func (r *request) announce() {
	h := &r.x.Response
	r.field = r.appendPolicies(r.field[:0], true)
	if len(r.field) == 0 {
		return
	}
	h.AddBytesKV(namePolicy, r.field) // an upstream may have limits of its own
	r.field = r.field[:0]
	for i := range r.held {
		if e := &r.held[i]; e.limit.announce && e.tells() {
			r.field = e.appendLeft(r.field)
		}
	}
	h.AddBytesKV(nameRateLimit, r.field)
}

// tellRefused tells a client whom a limit refused what holds, and when to come
// again.
func (r *request) tellRefused() {
	h := &r.x.Response
	wait := seconds(r.limited.wait)
	r.field = strconv.AppendInt(r.field[:0], wait, 10)
	h.SetCanonical(nameRetryAfter, r.field)
	if r.field = r.appendPolicies(r.field[:0], false); len(r.field) > 0 {
		h.SetCanonical(namePolicy, r.field)
	}
	r.field = append(append(append(r.field[:0], '"'), r.limited.by.levelOf(r.x.Refusal)...), `";r=0;t=`...)
	r.field = strconv.AppendInt(r.field, wait, 10)
	for i := range r.held {
		if e := &r.held[i]; e.limit != r.limited.by && !e.limit.dryRun && e.tells() {
			r.field = e.appendLeft(r.field)
		}
	}
	h.SetCanonical(nameRateLimit, r.field)
}

// tells tells whether there is a number to tell of.
func (h *held) tells() bool { return h.rate.Burst() > 0 || h.hasQuota }

// appendPolicies appends the policies of limits that the request met.
func (r *request) appendPolicies(dst []byte, announced bool) []byte {
	for i := range r.held {
		h := &r.held[i]
		if h.limit.dryRun || announced && !h.limit.announce {
			continue
		}
		from := len(dst)
		if from > 0 {
			dst = append(dst, ", "...)
		}
		start := len(dst)
		if dst = h.appendPolicy(dst, r); len(dst) == start {
			dst = dst[:from]
		}
	}
	return dst
}

func (h *held) appendPolicy(dst []byte, r *request) []byte {
	l := h.limit
	switch {
	case h.hasQuota:
		dst = append(append(append(dst, '"'), l.level...), `";q=`...)
		return strconv.AppendInt(dst, r.caller.member.Used(r.wall)+h.remaining, 10)
	case l.policy != nil:
		return append(dst, l.policy...)
	case h.rate.Burst() > 0:
		return appendPolicy(dst, l.level, h.rate)
	}
	return dst
}

// appendLeft appends the member of RateLimit that tells what is left.
func (h *held) appendLeft(dst []byte) []byte {
	if len(dst) > 0 {
		dst = append(dst, ", "...)
	}
	dst = append(append(append(dst, '"'), h.limit.level...), `";r=`...)
	dst = strconv.AppendInt(dst, h.remaining, 10)
	if h.reset > 0 {
		dst = append(dst, ";t="...)
		dst = strconv.AppendInt(dst, seconds(h.reset), 10)
	}
	return dst
}

// levelOf returns the name of the policy that a refusal is by.
func (l *limit) levelOf(refusal *exchange.Refusal) string {
	if refusal == exchange.TooManyAtOnce {
		return l.atOnceLevel
	}
	return l.level
}
