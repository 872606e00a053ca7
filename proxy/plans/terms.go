package plans

import (
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"weir/ratelimit"
)

// MaxQuota is the largest limit of a quota, which is far beyond what can be used.
const MaxQuota = 1_000_000_000_000

// Bounds that AWS has as well.
const (
	MaxPlansOfKey     = 10
	MaxMethodsOfStage = 20
	maxName           = 1024
)

// livePlan is a plan, and who is in it.
type livePlan struct {
	plan    Plan
	slots   map[string]int // of "api/stage" + method, for as long as the process runs
	members map[string]bool
	terms   atomic.Pointer[terms]
}

// terms are what a plan is for requests. They are immutable.
type terms struct {
	stages    map[string]map[string]method // by "api/stage", then by "/pets/GET"
	rate      ratelimit.Rate
	throttled bool
	quota     *Quota
}

type method struct {
	slot int
	rate ratelimit.Rate
}

// quotaOf returns the quota as u has it.
func (t *terms) quotaOf(u *use) ratelimit.Quota {
	q := ratelimit.Quota{Limit: t.quota.Limit, Period: t.quota.Period}
	if t.quota.Offset != 0 {
		q.Offset, q.First = t.quota.Offset, midnight(uint16(u.first.Load()))
	}
	return q
}

// compile checks p and makes its terms, with slots that stay those of before.
func (p *Plan) compile(slots map[string]int) (*terms, error) {
	if len(p.Name) > maxName || p.Name == "" {
		return nil, invalid("name", "it has %d characters; 1 to %d are allowed", len(p.Name), maxName)
	}
	t := &terms{stages: make(map[string]map[string]method, len(p.Stages))}
	var err error
	if p.Throttle != nil {
		if t.rate, err = ratelimit.NewRate(p.Throttle.Rate, p.Throttle.Burst); err != nil {
			return nil, invalid("throttle", "%s", err)
		}
		t.throttled = true
	}
	if p.Quota != nil {
		if err := p.Quota.check(); err != nil {
			return nil, err
		}
		q := *p.Quota
		t.quota = &q
	}
	for _, stage := range p.Stages {
		if err := t.add(stage, slots); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t *terms) add(stage Stage, slots map[string]int) error {
	name := stage.Name()
	if stage.API == "" || stage.Stage == "" || strings.Contains(stage.API, "/") || strings.Contains(stage.Stage, "/") {
		return invalid("apiStages", "%q is no name of an API and its stage", name)
	}
	if t.stages[name] != nil {
		return invalid("apiStages", "stage %q is named twice", name)
	}
	if len(stage.Throttle) > MaxMethodsOfStage {
		return invalid("apiStages", "stage %q has limits for %d methods; at most %d are allowed", name, len(stage.Throttle), MaxMethodsOfStage)
	}
	methods := make(map[string]method, len(stage.Throttle))
	for _, key := range slices.Sorted(maps.Keys(stage.Throttle)) {
		if !isResourceMethod(key) {
			return invalid("apiStages", "%q is no path and method: it looks like \"/pets/GET\"", key)
		}
		limit := stage.Throttle[key]
		rate, err := ratelimit.NewRate(limit.Rate, limit.Burst)
		if err != nil {
			return invalid("apiStages", "the limit of %q in stage %q: %s", key, name, err)
		}
		slot, ok := slots[name+key]
		if !ok {
			slot = len(slots)
			slots[name+key] = slot
		}
		methods[key] = method{slot, rate}
	}
	t.stages[name] = methods
	return nil
}

// isResourceMethod tells whether text is a path, a slash and a method.
func isResourceMethod(text string) bool {
	at := strings.LastIndexByte(text, '/')
	if at < 0 || text[0] != '/' || at == len(text)-1 {
		return false
	}
	if text[at+1:] == "*" {
		return true // every method of the path that has none of its own
	}
	for _, c := range text[at+1:] {
		if c < 'A' || c > 'Z' {
			return false
		}
	}
	return true
}

func (q *Quota) check() error {
	switch {
	case q.Limit < 1 || q.Limit > MaxQuota:
		return invalid("quota", "a limit of %d is not in 1 to %d", q.Limit, int64(MaxQuota))
	case q.Offset < 0 || q.Offset > q.Limit:
		return invalid("quota", "an offset of %d is not in 0 to the limit of %d", q.Offset, q.Limit)
	case q.Period > ratelimit.Month:
		return invalid("quota", "it has no period")
	}
	return nil
}
