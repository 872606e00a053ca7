package policy

import "bytes"

// Freshen decides the terms of a stored answer after the 304 (or the answer to
// HEAD) a: what that does not say stays as it was (RFC 9111 §4.3.4, §4.3.5). A
// verdict not to store means that the stored answer holds no longer. Drop lists
// fields that must not be taken over.
func (r *Rules) Freshen(q *Request, stored *Terms, a *Answer) Verdict {
	if a.Status != 304 && !a.isAbout(stored) {
		return Verdict{Why: "another representation"}
	}
	next := *stored
	next.InitialAge, next.Date = a.initialAge(), a.sent()
	if a.lastModified != 0 {
		next.LastModified = a.lastModified
	}
	// A 304 answers the validators that weir asked with, so it is about the stored
	// answer; an ETag that differs is not taken over.
	if next.ETag == nil {
		next.ETag = bytes.Clone(a.ETag)
	}
	v := Verdict{Store: true, Why: "still holds", Terms: next, Drop: a.drop()}
	if a.SetCookie && !r.SetCookie {
		v.Drop = append(v.Drop, []byte("Set-Cookie"), []byte("Set-Cookie2"))
	}
	if r.Fixed {
		v.Terms.InitialAge = 0
		return v
	}
	return r.freshen(q, stored, a, v)
}

func (r *Rules) freshen(q *Request, stored *Terms, a *Answer, v Verdict) Verdict {
	next := &v.Terms
	// A targeted field that was stored goes before a Cache-Control that came.
	says := a.IsTargeted || a.hasControl && !stored.Targeted
	if says {
		if has := a.control().Has; has&NoStore != 0 && has&MustUnderstand == 0 || has&Private != 0 || a.VaryAll {
			return Verdict{Why: "holds no longer: no-store, private or Vary: *"}
		}
		next.Targeted = a.IsTargeted
		next.obey(r, a.control())
	}
	lifetime, source := a.stated()
	isOlder := stored.Source == FromSMaxAge || stored.Source == FromMaxAge
	switch {
	case says && (source == FromSMaxAge || source == FromMaxAge),
		source == FromExpires && !stored.Targeted && (says || !isOlder):
		next.Lifetime, next.Source = r.bounded(lifetime), source
	case stored.Source == FromExpires && !next.Targeted:
		// The stored Expires is a time, and Date is another now.
		expires := stored.Date + int64(stored.Lifetime/seconds(1))
		next.Lifetime = seconds(min(max(expires-next.Date, 0), maxSeconds))
	case isOlder && !says:
	default:
		again := *a
		again.Status, again.lastModified = 200, next.LastModified
		again.pragma = again.pragma && says
		if guess, from := r.unstated(q, &again); from == FromHeuristic || says {
			next.Lifetime, next.Source = guess, from
		}
	}
	return v
}

// isAbout tells whether an answer to HEAD may be about the stored one: no
// validator differs.
func (a *Answer) isAbout(t *Terms) bool {
	if a.Status != 200 {
		return false
	}
	if a.ETag != nil && t.ETag != nil && !isSameWeakly(a.ETag, t.ETag) {
		return false
	}
	return a.lastModified == 0 || t.LastModified == 0 || a.lastModified == t.LastModified
}

// IsUpdatable tells whether a field of a 304 replaces the stored one (RFC 9111
// §3.2): not what belongs to the connection, to the stored content or to the key
// of the stored answer.
func IsUpdatable(name []byte) bool {
	for _, kept := range [...]string{
		"connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization", "proxy-connection",
		"te", "trailer", "transfer-encoding", "upgrade",
		"content-length", "content-encoding", "content-range", "content-md5", "content-digest", "etag", "vary", "weir-cache-control",
	} {
		if isFold(name, kept) {
			return false
		}
	}
	return true
}

// Invalidates tells whether the answer to a request makes stored ones of its URI
// invalid (RFC 9111 §4.4): no error, to a method that is not known to be safe.
func Invalidates(method []byte, status int) bool {
	switch string(method) {
	case "", "GET", "HEAD", "OPTIONS", "TRACE", "QUERY", "PROPFIND", "REPORT", "SEARCH":
		return false
	}
	return status >= 200 && status < 400
}
