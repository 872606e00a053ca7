package policy

import (
	"bytes"
	"time"
)

// OwnField is the field that is for weir alone: it goes to no client (RFC 9213).
const OwnField = "Weir-Cache-Control"

// Answer is what an answer says about caching, gathered field by field. It
// borrows the values that it was given.
type Answer struct {
	Status              int
	Requested, Received time.Time // wall clock, around the exchange with the upstream

	Control  Directives // of Cache-Control
	Targeted Directives // of CDN-Cache-Control or Weir-Cache-Control, the nearer one (RFC 9213)
	// IsTargeted tells that Targeted holds in Control's place.
	IsTargeted bool

	ETag, LastModified []byte
	Vary               [][]byte // names, as sent
	VaryAll            bool     // Vary: *, or a Vary that cannot be read
	SetCookie          bool
	Partial            bool     // Content-Range is there
	Tags               [][]byte // Surrogate-Key, Cache-Tag, Cache-Groups
	InvalidatesGroups  [][]byte // Cache-Group-Invalidation (RFC 9875)
	Location           []byte
	ContentLocation    []byte

	hasControl, hasOwn    bool
	own, cdn              targeted
	pragma                bool // Pragma: no-cache
	hasExpires, hasDate   bool
	expires, date         int64 // Unix seconds
	isExpiresOK, isDateOK bool
	lastModified          int64 // Unix seconds, 0 for none
	age                   ageField
}

// Begin readies a for an answer.
func (a *Answer) Begin(status int, requested, received time.Time) {
	*a = Answer{Status: status, Requested: requested, Received: received}
}

// Add takes one field line, its name in canonical case.
func (a *Answer) Add(name, value []byte) {
	switch len(name) {
	case 3:
		if isFold(name, "age") {
			a.age.add(value)
		}
	case 4:
		a.addShort(name, value)
	case 6:
		if isFold(name, "pragma") {
			a.pragma = a.pragma || hasNoCache(value)
		}
	case 7:
		if isFold(name, "expires") && !a.hasExpires {
			a.hasExpires = true
			a.expires, a.isExpiresOK = dateOf(value, a.Received.Unix())
		}
	case 8:
		if isFold(name, "location") {
			a.Location = value
		}
	case 9:
		if isFold(name, "cache-tag") {
			a.addTags(value, ',')
		}
	case 10:
		a.SetCookie = a.SetCookie || isFold(name, "set-cookie")
	case 11:
		// The obsolete one is meant for one caller as well.
		a.SetCookie = a.SetCookie || isFold(name, "set-cookie2")
	default:
		a.addLong(name, value)
	}
}

func (a *Answer) addShort(name, value []byte) {
	switch {
	case isFold(name, "date"):
		if !a.hasDate {
			a.hasDate = true
			a.date, a.isDateOK = dateOf(value, a.Received.Unix())
		}
	case isFold(name, "etag"):
		if tag := trim(value); a.ETag == nil && len(tag) > 0 {
			a.ETag = tag
		}
	case isFold(name, "vary"):
		a.addVary(value)
	}
}

func (a *Answer) addLong(name, value []byte) {
	switch {
	case isFold(name, "cache-control"):
		a.hasControl = true
		a.Control.Add(value)
	case isFold(name, "last-modified"):
		if a.LastModified == nil {
			a.LastModified = trim(value)
			// The beginning of Unix time is what servers say that do not know.
			if modified, ok := dateOf(value, a.Received.Unix()); ok {
				a.lastModified = max(modified, 0)
			}
		}
	case isFold(name, "content-range"):
		a.Partial = true
	case isFold(name, "surrogate-key"):
		a.addTags(value, ' ')
	case isFold(name, "cache-groups"):
		a.Tags = appendGroups(a.Tags, value)
	case isFold(name, "cache-group-invalidation"):
		a.InvalidatesGroups = appendGroups(a.InvalidatesGroups, value)
	case isFold(name, "content-location"):
		a.ContentLocation = value
	case isFold(name, "cdn-cache-control"):
		a.cdn.add(value)
		a.target()
	case isFold(name, "weir-cache-control"):
		a.hasOwn = true
		a.own.add(value)
		a.target()
	}
}

// target chooses among the targeted fields: weir's own is the nearer one.
func (a *Answer) target() {
	switch {
	case a.own.holds():
		a.Targeted, a.IsTargeted = a.own.Directives, true
	case a.cdn.holds():
		a.Targeted, a.IsTargeted = a.cdn.Directives, true
	default:
		a.Targeted, a.IsTargeted = Directives{}, false
	}
}

// control returns the directives that hold.
func (a *Answer) control() *Directives {
	if a.IsTargeted {
		return &a.Targeted
	}
	return &a.Control
}

// addVary takes names. One that is no token could not be compared: it stands for
// everything.
func (a *Answer) addVary(value []byte) {
	for len(value) > 0 {
		var name []byte
		name, value = cutAtComma(value)
		switch {
		case len(name) == 0:
		case string(name) == "*" || !isToken(name):
			a.VaryAll = true
		case !a.variesBy(name):
			a.Vary = append(a.Vary, name)
		}
	}
}

func (a *Answer) variesBy(name []byte) bool {
	if len(a.Vary) > maxVary {
		// It will not be stored; looking further would only be slow.
		return true
	}
	for _, known := range a.Vary {
		if bytes.EqualFold(known, name) {
			return true
		}
	}
	return false
}

func (a *Answer) addTags(value []byte, separator byte) {
	for len(value) > 0 {
		end := bytes.IndexByte(value, separator)
		if end < 0 {
			end = len(value)
		}
		if tag := trim(value[:end]); len(tag) > 0 {
			a.Tags = append(a.Tags, tag)
		}
		value = value[min(end+1, len(value)):]
	}
}

// sent returns when the answer was made, in Unix seconds: its Date, else when it
// came (RFC 9110 §6.6.1).
func (a *Answer) sent() int64 {
	if a.isDateOK {
		return a.date
	}
	return a.Received.Unix()
}

// initialAge returns corrected_initial_age (RFC 9111 §4.2.3). Clocks that step
// make no part of it negative.
func (a *Answer) initialAge() time.Duration {
	apparent := min(max(a.Received.Unix()-a.sent(), 0), maxSeconds)
	delay := max(a.Received.Sub(a.Requested), 0)
	corrected := a.age.value() + min(delay, maxResident)
	return min(max(seconds(apparent), corrected), maxResident)
}

// ageField is what the lines of an Age field say.
type ageField struct {
	lines, seconds int64
	isBroken       bool
}

// add takes a line. RFC 9111 §5.1 has the first member of a list used and what is
// no number ignored. That would make an answer fresh of which nobody knows how
// old it is, so only a list in one piece has its first member used; lines, also
// when something before weir joined them, and what is no number are as old as
// can be.
func (f *ageField) add(value []byte) {
	f.lines++
	first, rest := cutAtComma(value)
	n, ok := digits(first)
	f.seconds = n
	if !ok || f.lines > 1 || len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') {
		f.isBroken = true
	}
}

func (f *ageField) value() time.Duration {
	if f.isBroken {
		return maxResident
	}
	return seconds(f.seconds)
}
