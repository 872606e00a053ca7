// Package plans keeps API keys, usage plans and what was used of them: in
// memory for the way of a request, and in one file that outlives the process.
package plans

import (
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

// Throttle is a rate in requests a second, and a burst.
type Throttle struct {
	Rate  float64
	Burst int
}

// Quota is how many requests a key has in each period. Offset is what is taken
// off in the first one.
type Quota struct {
	Limit, Offset int64
	Period        ratelimit.Period
}
