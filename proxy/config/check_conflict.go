package config

import (
	"cmp"
	"slices"
	"strings"
)

// leafKey is where routes meet: the shape of the path, and one method.
type leafKey struct {
	shape  string
	method string
}

// leaf holds the routes that take one method of one path.
type leaf struct {
	all     *place // the first without conditions, which takes what reaches it
	byMatch map[string]*place
}

// conflict reports a route that another one makes useless. Methods differ as the
// tree sees them: GET beside ANY is no conflict, since the exact method wins.
func (r *routeChecker) conflict(route *Route, segments []Segment, at *place) {
	shape, match := pathShape(route.Path, segments), matchKey(route.Match)
	methods := route.Methods
	if len(methods) == 0 {
		methods = []string{AnyMethod}
	}
	reported := false
	for _, method := range methods {
		key := leafKey{shape, method}
		here := r.taken[key]
		if here == nil {
			here = &leaf{}
			r.taken[key] = here
		}
		if other := here.byMatch[match]; other != nil && !reported {
			reported = true
			if other != at {
				r.mistake(at, "the route takes "+every(method)+" of the same paths as "+other.path()+onLine(other), "give one of them a match, or take it away")
			}
		} else if here.all != nil && here.all != at && !reported {
			reported = true
			r.mistake(at, "the route is never reached: "+here.all.path()+onLine(here.all)+" takes "+every(method)+" first", "write this route before it")
		}
		if here.byMatch == nil {
			here.byMatch = make(map[string]*place, 1)
		}
		if here.byMatch[match] == nil {
			here.byMatch[match] = at
		}
		if match == "" && here.all == nil {
			here.all = at
		}
	}
}

func every(method string) string {
	if method == AnyMethod {
		return "every method"
	}
	return method
}

// pathShape writes a pattern without the names of its parameters.
func pathShape(path string, segments []Segment) string {
	if path == DefaultName {
		return path
	}
	var b strings.Builder
	for _, segment := range segments {
		b.WriteByte('/')
		switch segment.Kind {
		case Param:
			b.WriteString("{}")
		case Greedy:
			b.WriteString("{+}")
		default:
			b.WriteString(segment.Text)
		}
	}
	return b.String()
}

// matchKey writes a match so that two that mean the same are the same text;
// without conditions it is empty.
func matchKey(m *Match) string {
	if m == nil || len(m.Headers)+len(m.Query)+len(m.Hosts) == 0 {
		return ""
	}
	var parts []string
	for name, value := range m.Headers {
		parts = append(parts, "h"+strings.ToLower(name)+"\x00"+value)
	}
	for name, value := range m.Query {
		parts = append(parts, "q"+name+"\x00"+value)
	}
	hosts := slices.Clone(m.Hosts)
	slices.Sort(hosts)
	parts = append(parts, "o"+strings.Join(slices.Compact(hosts), "\x00"))
	slices.SortFunc(parts, cmp.Compare[string])
	return strings.Join(parts, "\x01")
}
