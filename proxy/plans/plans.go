// Package plans keeps API keys, usage plans and what was used of them: in
// memory for the way of a request, and in one file that outlives the process.
package plans

import (
	"maps"
	"slices"
	"time"

	"weir/ratelimit"
)

// Key is an API key as operators see it. Its value is never kept.
type Key struct {
	ID, Name, Description, CustomerID string

	Enabled          bool
	Created, Updated time.Time
	Tags             map[string]string
	Static           bool // it stands in a file of the document and cannot be changed otherwise

	// FormerUntil is how long the value before the last rotation is good as well.
	FormerUntil time.Time
}

// Plan is a usage plan: limits and a quota that each of its keys has for
// itself, over stages of APIs (AWS: UsagePlan).
type Plan struct {
	ID, Name, Description string

	Stages   []Stage
	Throttle *Throttle // nil for none
	Quota    *Quota    // nil for none
	Tags     map[string]string
	Static   bool // it stands in the document and cannot be changed otherwise
}

// Stage is one stage that a plan is for.
type Stage struct {
	API, Stage string
	Throttle   map[string]Throttle // by resource path and method, as in "/pets/GET"; before the plan's own
}

// Name returns the name by which Identity.Member finds the stage.
func (s Stage) Name() string { return s.API + "/" + s.Stage }

// Throttle is a rate in requests a second, and a burst.
type Throttle struct {
	Rate  float64
	Burst int
}

// Quota is how many requests a key has in each period. Offset is what is taken
// off in the first one, which is that in which the key came to the plan.
type Quota struct {
	Limit, Offset int64
	Period        ratelimit.Period
}

// Issued is a new value of a key, and what signs requests by it. Neither can be
// asked for again.
type Issued struct {
	Key           Key
	Value         string
	SigningSecret string // base64url
}

// Page asks for a part of a list: from where the page before it ended, which is
// "" for the first one, and for how much, which is 25 for 0 and at most 500.
type Page struct {
	Position string
	Limit    int
}

// KeyFilter says which keys are wanted; what is "" wants all.
type KeyFilter struct{ NamePrefix, CustomerID string }

// StaticKey is a key that stands in the document, with its value. Plans are ids
// of plans, in the document or kept.
type StaticKey struct {
	Name, Description, CustomerID, Value string

	Disabled bool
	Plans    []string
	Tags     map[string]string
}

// Static is what the document says of plans and keys. The id of a plan is what
// the document calls it; Plan.Name may be another text.
type Static struct {
	Plans []Plan
	Keys  []StaticKey
}

func (k Key) clone() Key {
	k.Tags = maps.Clone(k.Tags)
	return k
}

func (p Plan) clone() Plan {
	p.Stages = slices.Clone(p.Stages)
	for i := range p.Stages {
		p.Stages[i].Throttle = maps.Clone(p.Stages[i].Throttle)
	}
	if p.Throttle != nil {
		t := *p.Throttle
		p.Throttle = &t
	}
	if p.Quota != nil {
		q := *p.Quota
		p.Quota = &q
	}
	p.Tags = maps.Clone(p.Tags)
	return p
}

// DefaultPage and MaxPage bound a page of a list, as AWS does.
const (
	DefaultPage = 25
	MaxPage     = 500
)

// slice returns the part of ids, which are sorted, that the page asks for, and
// the position of the next one.
func (p Page) slice(ids []string) (part []string, next string, err error) {
	limit := p.Limit
	if limit == 0 {
		limit = DefaultPage
	}
	if limit < 0 || limit > MaxPage {
		return nil, "", invalid("limit", "%d is not in 1 to %d", p.Limit, MaxPage)
	}
	from := 0
	if p.Position != "" {
		var found bool
		if from, found = slices.BinarySearch(ids, p.Position); found {
			from++
		}
	}
	to := min(from+limit, len(ids))
	if part = ids[from:to]; to < len(ids) {
		next = part[len(part)-1]
	}
	return part, next, nil
}
