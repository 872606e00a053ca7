// Package route finds out what a request is for: host → base path → path tree → a value of the caller's.
//
// A front end first brings the path into its one canonical form with AppendCanonical. Matching, authorisation, the
// cache key and forwarding must all use that form and no other: a gateway that authorises "/public/%2e%2e/admin" as
// one path and forwards it as another has no access control. The form decodes unreserved characters only, so that
// "%2F" stays inside its segment; it resolves dot segments and merges slashes, and refuses what has no safe reading.
//
// Domains then chooses by host and base path, and a Tree by method and path, with the precedence of AWS API Gateway:
// segment by segment a static one goes before {param} and that before {greedy+}. Where the more specific way leads
// to no route, the search turns back and tries the less specific one. It visits a node of the tree at most once, so
// that no path costs more than the tree has nodes, and it allocates nothing.
//
// Limits: parameters are whole segments without regular expressions, at most 32 in a pattern; IPv6 literals are
// compared as written, in any case; domains with other than ASCII letters are written in their xn-- form.
package route
