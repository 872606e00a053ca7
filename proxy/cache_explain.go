package proxy

import (
	"time"

	"weir/cache"
	"weir/cache/policy"
)

// explainFound notes what the key led to, and what is made of it.
func (r *request) explainFound(found cache.Found, use policy.Use, resident time.Duration) {
	c := &r.caching
	rules := &c.rule.rules
	r.explained.add("lookup", "the key leads to an answer of status %d, here for %s; %s", found.Entry.Status,
		resident.Round(time.Millisecond), rules.AppendWhy(nil, &found.Entry.Terms, &c.asks, resident))
	if found.Validate {
		r.explained.add("lookup", "it was purged softly, or changed by an unsafe request, since it was fetched")
	}
	r.explained.add("lookup", "so it is %s", [...]string{
		policy.Serve:          "given as it is",
		policy.ServeStale:     "given as it is, while a newer one is fetched",
		policy.Validate:       "validated first",
		policy.Refetch:        "fetched anew",
		policy.GatewayTimeout: "not given, and the client wants no other",
	}[use])
}
