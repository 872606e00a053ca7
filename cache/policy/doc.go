// Package policy decides what a shared cache may keep, for how long, and for
// whom: RFC 9111 with its family (RFC 5861, 8246, 9213) and the rules of HTTP
// that it rests on (RFC 9110 §13 conditions, §14 ranges). It knows neither
// sockets nor a store: fields go in, decisions come out, with their reasons.
//
//	var q policy.Request
//	q.Add(name, value) // each field of the request that policy.Concerns
//
//	var a policy.Answer
//	a.Begin(status, requested, received)
//	a.Add(name, value) // each field of the answer
//	verdict := rules.Judge(&q, &a)
//
//	use := rules.Use(&verdict.Terms, &q, resident)
//
// Field names are in canonical case (Cache-Control). Nothing here is for several
// goroutines at once but Rules and Terms, which are not changed once made.
package policy
