package policy

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// model is a second, slow and plain reading of RFC 9111 §3, §4.2 and §5.2, which
// shares no code with the first.
type model struct {
	request, answer http.Header
	status          int
	took            int64 // seconds
	heuristic       bool
}

// said reads a field of directives into a map, the first of a name. Preferences
// that cannot be read say nothing.
func said(values []string) map[string]string {
	m := map[string]string{}
	for _, member := range members(strings.Join(values, ",")) {
		name, argument, hasArgument := strings.Cut(member, "=")
		name = strings.ToLower(name)
		if !hasArgument {
			argument = "-"
		}
		if name == "max-stale" && argument != "-" || name == "min-fresh" || strings.HasPrefix(name, "stale-") {
			if _, ok := number(argument); !ok {
				continue
			}
		}
		if _, ok := m[name]; !ok {
			m[name] = argument
		}
	}
	return m
}

// members splits at the commas outside of strings.
func members(value string) []string {
	var list []string
	one, isQuoted := "", false
	for _, c := range value + "," {
		if c == '"' {
			isQuoted = !isQuoted
		}
		if c == ',' && !isQuoted {
			list = append(list, strings.Trim(one, " "))
			one = ""
			continue
		}
		one += string(c)
	}
	return list
}

// number reads delta-seconds.
func number(argument string) (int64, bool) {
	if len(argument) > 2 && argument[0] == '"' && argument[len(argument)-1] == '"' {
		argument = argument[1 : len(argument)-1]
	}
	if argument == "" || strings.Trim(argument, "0123456789") != "" {
		return 0, false
	}
	n, err := strconv.ParseInt(argument, 10, 64)
	if err != nil || n > 1<<31 {
		return 1 << 31, true
	}
	return n, true
}

func (m *model) control() map[string]string { return said(m.answer.Values("Cache-Control")) }

func has(m map[string]string, name string) bool { _, ok := m[name]; return ok }

// mayStore is §3.
func (m *model) mayStore() bool {
	c := m.control()
	authorized := m.request.Get("Authorization") != ""
	switch {
	case m.status == 206, m.status == 304, m.status < 200:
		return false
	case has(c, "no-store") && !has(c, "must-understand"), has(said(m.request.Values("Cache-Control")), "no-store"):
		return false
	case has(c, "must-understand") && m.status == 599:
		return false
	case has(c, "private"):
		return false
	case authorized && !has(c, "public") && !has(c, "must-revalidate") && !has(c, "s-maxage"):
		return false
	case has(c, "public"), has(c, "max-age"), has(c, "s-maxage"), m.answer.Get("Expires") != "":
		return true
	}
	return m.isHeuristic()
}

func (m *model) isHeuristic() bool {
	return slices.Contains([]int{200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}, m.status)
}

func (m *model) date() int64 {
	if date, err := http.ParseTime(m.answer.Get("Date")); err == nil {
		return date.Unix()
	}
	return then.Unix()
}

// lifetime is §4.2.1, in seconds.
func (m *model) lifetime() int64 {
	c := m.control()
	for _, name := range []string{"s-maxage", "max-age"} {
		if has(c, name) {
			n, _ := number(c[name])
			return n
		}
	}
	if expires := m.answer.Values("Expires"); len(expires) > 0 {
		at, err := http.ParseTime(expires[0])
		if err != nil {
			return 0
		}
		return max(at.Unix()-m.date(), 0)
	}
	modified, err := http.ParseTime(m.answer.Get("Last-Modified"))
	if err == nil && m.heuristic && (m.isHeuristic() || has(c, "public")) && m.request.Get("Cookie") == "" {
		return max(m.date()-modified.Unix(), 0) / 2
	}
	return 0
}

// age is §4.2.3, in seconds.
func (m *model) age(resident int64) int64 {
	apparent := max(0, then.Unix()-m.date())
	value := int64(0)
	if ages := m.answer.Values("Age"); len(ages) > 0 {
		n, ok := number(ages[0])
		if !ok || len(ages) > 1 || strings.HasPrefix(ages[0], `"`) {
			n = 1 << 31
		}
		value = n
	}
	return min(max(apparent, value+max(m.took, 0)), 1<<31) + resident
}

// use is §4.2.4 and §5.2.1 for a later request.
func (m *model) use(later http.Header, resident int64) Use {
	c, q := m.control(), said(later.Values("Cache-Control"))
	use := m.useUnlessOnly(c, q, resident)
	if use == Validate && has(q, "only-if-cached") {
		return GatewayTimeout
	}
	return use
}

func (m *model) useUnlessOnly(c, q map[string]string, resident int64) Use {
	lifetime, age := m.lifetime(), m.age(resident)
	fresh := lifetime > age
	if has(c, "no-cache") || has(q, "no-cache") {
		return Validate
	}
	if has(q, "max-age") && !(fresh && has(c, "immutable")) {
		n, _ := number(q["max-age"])
		if n == 0 || age > n {
			return Validate
		}
	}
	least, hasLeast := number(q["min-fresh"])
	if hasLeast && lifetime < age+least {
		return Validate
	}
	if fresh {
		return Serve
	}
	if has(c, "must-revalidate") || has(c, "proxy-revalidate") || has(c, "s-maxage") {
		return Validate
	}
	grace, hasGrace := number(c["stale-while-revalidate"])
	inGrace := hasGrace && age < lifetime+grace
	most, hasMost := number(q["max-stale"])
	if q["max-stale"] == "-" {
		most, hasMost = 1<<62, true
	}
	switch allowed := hasMost && age-lifetime <= most; {
	case inGrace && (allowed || !has(q, "max-age") && !hasLeast && !hasMost):
		return ServeStale
	case allowed:
		return Serve
	}
	return Validate
}

// TestModel holds Judge and Use against the model.
func TestModel(t *testing.T) {
	stored := 0
	rapid.Check(t, func(t *rapid.T) {
		m := drawModel(t)
		var q Request
		var a Answer
		addAll(&q, m.request)
		a.Begin(m.status, then.Add(-time.Duration(m.took)*time.Second), then)
		for name, values := range m.answer {
			for _, value := range values {
				a.Add([]byte(name), []byte(value))
			}
		}
		rules := Rules{}
		if m.heuristic {
			rules.Heuristic = 0.5
		}
		v := rules.Judge(&q, &a)
		isOfUse := m.lifetime() > m.age(0) && !has(m.control(), "no-cache")
		switch {
		case v.Store && !m.mayStore():
			t.Fatalf("stored, and may not be: %+v", m)
		case !v.Store && m.mayStore() && isOfUse:
			t.Fatalf("not stored (%s): %+v", v.Why, m)
		case !v.Store:
			return
		}
		stored++
		if got := int64(v.Terms.Lifetime / time.Second); got != m.lifetime() && v.Terms.Lifetime < maxHeuristic {
			t.Fatalf("got lifetime %d; want %d: %+v", got, m.lifetime(), m)
		}
		for range 10 {
			later := http.Header{}
			draw(t, later, "Cache-Control", requestDirectives)
			var next Request
			addAll(&next, later)
			resident := rapid.SampledFrom([]int64{0, 1, 9, 10, 11, 29, 30, 31, 59, 60, 61, 3600}).Draw(t, "resident")
			after := time.Duration(resident) * time.Second
			if got := int64(v.Terms.Age(after) / time.Second); got != m.age(resident) {
				t.Fatalf("got age %d; want %d: %+v", got, m.age(resident), m)
			}
			if got, want := rules.Use(&v.Terms, &next, after), m.use(later, resident); got != want {
				t.Fatalf("got %s; want %s for %v after %d of %+v", useName(got), useName(want), later, resident, m)
			}
		}
	})
	if stored == 0 {
		t.Error("got no case that stores; want some")
	}
}

var (
	requestDirectives = []string{
		"max-age=0", "max-age=10", "max-age=30", "max-age=x", "max-age", "max-stale", "max-stale=10", "max-stale=x", "min-fresh=1", "min-fresh=30",
		"min-fresh=x", "no-cache", "only-if-cached", "no-transform", "foo=\"no-cache, max-age=0\"", "MAX-AGE=60",
	}
	answerDirectives = []string{
		"max-age=0", "max-age=10", "max-age=60", `max-age="30"`, "Max-Age=9999999999", "max-age=-1", "max-age=1.5", "max-age", "s-maxage=30", "S-MaxAge=x",
		"public", "private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate", "must-understand", "immutable",
		"stale-while-revalidate=30", "stale-while-revalidate=x", `foo="max-age=60, no-store"`, "foo", "", "=",
	}
)

func drawModel(t *rapid.T) *model {
	m := &model{request: http.Header{}, answer: http.Header{}}
	m.status = rapid.SampledFrom([]int{200, 200, 200, 203, 404, 206, 304, 302, 500, 599, 103}).Draw(t, "status")
	m.took = rapid.SampledFrom([]int64{0, 0, 5, -5}).Draw(t, "took")
	m.heuristic = rapid.Bool().Draw(t, "heuristic")
	draw(t, m.answer, "Cache-Control", answerDirectives)
	drawOne(t, m.answer, "Date", "", "", "{+0}", "{-20}", "{+20}", "x")
	drawOne(t, m.answer, "Expires", "", "", "", "{+30}", "{-30}", "0")
	drawOne(t, m.answer, "Last-Modified", "", "{-100}", "{+100}")
	drawOne(t, m.answer, "Age", "", "", "", "5", "40", "-1", "99999999999", "x", `"5"`)
	drawOne(t, m.answer, "Etag", "", `"a"`)
	if rapid.IntRange(0, 9).Draw(t, "ages") == 0 {
		m.answer.Add("Age", "5")
	}
	drawOne(t, m.request, "Authorization", "", "", "", "x")
	drawOne(t, m.request, "Cookie", "", "", "a=b")
	drawOne(t, m.request, "Cache-Control", "", "", "", "no-store", "max-age=0")
	return m
}

func drawOne(t *rapid.T, h http.Header, name string, values ...string) {
	if value := rapid.SampledFrom(values).Draw(t, name); value != "" {
		h.Add(name, withDates(value))
	}
}

// draw adds up to five directives in up to two lines.
func draw(t *rapid.T, h http.Header, name string, from []string) {
	picked := rapid.SliceOfN(rapid.SampledFrom(from), 0, 5).Draw(t, name)
	cut := rapid.IntRange(0, len(picked)).Draw(t, "cut")
	separator := rapid.SampledFrom([]string{",", ", ", " , "}).Draw(t, "separator")
	for _, line := range [][]string{picked[:cut], picked[cut:]} {
		if len(line) > 0 {
			h.Add(name, strings.Join(line, separator))
		}
	}
}

func addAll(q *Request, h http.Header) {
	for name, values := range h {
		for _, value := range values {
			q.Add([]byte(name), []byte(value))
		}
	}
}
