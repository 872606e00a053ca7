package main

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
)

// measured is an outcome whose first column holds these CPU times.
func measured(name string, values map[string][]float64) outcome {
	i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
	s := scenarios()[i]
	o := outcome{Name: s.name, Title: s.title, Samples: map[string][]sample{}, columns: s.columns}
	for _, program := range []string{"weir", "weir-default", "nginx", "nginx-stock", "haproxy", "varnish", "caddy", "weir-quiet"} {
		for _, value := range values[program] {
			o.add(program, sample{CPUMicros: value, P99: value, KiBPerConnection: value, Failures: int(value),
				RequestsPerSecond: 12345.6, P50: 0.5, Requests: 10})
		}
	}
	return o
}

func TestMedianAndBest(t *testing.T) {
	o := measured("1kb", map[string][]float64{"weir": {30, 10, 20}, "nginx": {4, 1, 3, 2}})
	f := func(name string, wantMedian, wantBest float64) {
		t.Helper()
		median, found := o.median(name, o.columns[0])
		if best := o.best(name, o.columns[0]); !found || median != wantMedian || best != wantBest {
			t.Fatalf("%s: got median %v, best %v; want %v, %v", name, median, best, wantMedian, wantBest)
		}
	}
	f("weir", 20, 10)
	f("nginx", 2.5, 1)
	if _, found := o.median("caddy", o.columns[0]); found {
		t.Fatal("got a median of nothing; want none")
	}
}

func TestRatio(t *testing.T) {
	o := measured("1kb", map[string][]float64{"weir": {20}, "nginx": {25}, "haproxy": {0}})
	f := func(rival string, want float64, wantFound bool) {
		t.Helper()
		if got, found := o.ratio("weir", rival); got != want || found != wantFound {
			t.Fatalf("weir ÷ %s: got %v, %t; want %v, %t", rival, got, found, want, wantFound)
		}
	}
	f("nginx", 0.8, true)
	f("haproxy", 0, false)
	f("caddy", 0, false)
}

func TestTable(t *testing.T) {
	o := measured("1kb", map[string][]float64{"weir": {20, 22, 21}, "nginx": {25}})
	want := `| program | CPU µs/request, median | best | requests/s | p50 ms | p99 ms | ÷ nginx |
|---|---:|---:|---:|---:|---:|---:|
| weir | 21.0 | 20.0 | 12,346 | 0.50 | 21.00 | 0.84 |
| nginx | 25.0 | 25.0 | 12,346 | 0.50 | 25.00 | 1.00 |
`
	if got := o.table(); got != want {
		t.Fatalf("got\n%s\nwant\n%s", got, want)
	}
	if got, want := (outcome{}).table(), "Nothing was measured.\n"; got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
}

func TestNumber(t *testing.T) {
	f := func(value float64, digits int, want string) {
		t.Helper()
		if got := number(value, digits); got != want {
			t.Fatalf("number(%v, %d): got %q; want %q", value, digits, got, want)
		}
	}
	f(0, 0, "0")
	f(999, 0, "999")
	f(1000, 0, "1,000")
	f(1234567.891, 2, "1,234,567.89")
	f(-123456, 0, "-123,456")
}

func TestGoals(t *testing.T) {
	f := func(o outcome, wantLine string, wantMissed bool) {
		t.Helper()
		var b strings.Builder
		err := checkGoals(comparison{Scenarios: []outcome{o}}, []scenario{{name: o.Name}}, &b)
		if (err != nil) != wantMissed || !strings.Contains(b.String(), wantLine) {
			t.Fatalf("got %v and\n%s\nwant missed %t and %q", err, b.String(), wantMissed, wantLine)
		}
	}
	f(measured("16kb", map[string][]float64{"weir": {8}, "nginx": {10}, "nginx-stock": {10}, "haproxy": {8}}),
		"| 16kb | CPU µs/request ÷ nginx | ≤ 0.8 | 0.80 | 0.80 | pass |", false)
	f(measured("16kb", map[string][]float64{"weir": {7, 9, 9}, "nginx": {10}, "haproxy": {9}}),
		"| 16kb | CPU µs/request ÷ nginx | ≤ 0.8 | 0.90 | 0.70 | FAIL |", true)
	f(measured("16kb", map[string][]float64{"weir": {8}, "nginx": {10}}), "÷ haproxy | ≤ 1 | - | - | not measured |", true)
	f(measured("idle", map[string][]float64{"weir": {10}}), "| idle | KiB/connection | ≤ 10 | 10.00 | 10.00 | pass |", false)
	f(measured("reload", map[string][]float64{"weir": {0}}), "| reload | failed requests | ≤ 0 | 0.00 | 0.00 | pass |", false)
	f(measured("reload", map[string][]float64{"weir": {1}}), "| reload | failed requests | ≤ 0 | 1.00 | 1.00 | FAIL |", true)
}

// Each goal names a scenario that exists and a rival that takes part in it.
func TestGoalsAreMeasurable(t *testing.T) {
	for _, g := range goals() {
		i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == g.scenario })
		if i < 0 || g.rival != "" && !slices.Contains(scenarios()[i].peers, g.rival) {
			t.Errorf("got goal %+v; want one of a scenario and a peer of it", g)
		}
	}
}

func TestPictureIsWellFormed(t *testing.T) {
	c := comparison{Machine: "a <fast> & good machine", Versions: map[string]string{"nginx": "1.22.1"}, Scenarios: []outcome{
		measured("1kb", map[string][]float64{"weir": {10}, "nginx": {20}}),
		measured("reload", map[string][]float64{"weir": {0}}),
		{Name: "idle", Title: "nothing measured"},
	}}
	picture := c.svg()
	decoder := xml.NewDecoder(strings.NewReader(picture))
	bars := 0
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("got %v; want well-formed XML", err)
		}
		if element, ok := token.(xml.StartElement); ok && element.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 2 {
		t.Fatalf("got %d bars; want 2", bars)
	}
	for _, want := range []string{`width="260.0"`, `width="520.0"`, "nginx 1.22.1", "a &lt;fast&gt; &amp; good machine"} {
		if !strings.Contains(picture, want) {
			t.Errorf("got a picture without %q; want it", want)
		}
	}
	if strings.Contains(picture, "nothing measured") {
		t.Error("got a panel without bars; want none")
	}
}

func TestJSONHoldsEverySample(t *testing.T) {
	c := comparison{Scenarios: []outcome{measured("1kb", map[string][]float64{"weir": {10, 11}})}}
	var back comparison
	if err := json.Unmarshal(c.json(), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Scenarios[0].Samples["weir"]; len(got) != 2 || got[1].CPUMicros != 11 {
		t.Fatalf("got %+v; want both samples", got)
	}
}

func TestWrap(t *testing.T) {
	got := strings.Join(wrap("one two three verylongword x", 7), "|")
	if want := "one two|three|verylongword|x"; got != want {
		t.Fatalf("got %q; want %q", got, want)
	}
}
