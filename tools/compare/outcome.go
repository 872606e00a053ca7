package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// comparison is everything that one run measured.
type comparison struct {
	Machine   string            `json:"machine"`
	Method    string            `json:"method"`
	Versions  map[string]string `json:"versions"`
	Scenarios []outcome         `json:"scenarios"`
}

// outcome is one scenario's samples by program.
type outcome struct {
	Name    string              `json:"name"`
	Title   string              `json:"title"`
	Samples map[string][]sample `json:"samples"`
	columns []column
	// names are the programs in the order in which they were first measured.
	names []string
}

func (o *outcome) add(name string, s sample) {
	if _, known := o.Samples[name]; !known {
		o.names = append(o.names, name)
	}
	o.Samples[name] = append(o.Samples[name], s)
}

// median is the middle of a column over the rounds; false without any.
func (o outcome) median(name string, c column) (float64, bool) {
	values := o.values(name, c)
	if len(values) == 0 {
		return 0, false
	}
	middle := len(values) / 2
	if len(values)%2 == 1 {
		return values[middle], true
	}
	return (values[middle-1] + values[middle]) / 2, true
}

// best is the lowest of a column: noise only adds.
func (o outcome) best(name string, c column) float64 { return slices.Min(o.values(name, c)) }

func (o outcome) values(name string, c column) []float64 {
	var values []float64
	for _, s := range o.Samples[name] {
		values = append(values, c.of(s))
	}
	slices.Sort(values)
	return values
}

// ratio is the first column's median of a program divided by that of a rival; below 1 is cheaper or faster.
func (o outcome) ratio(name, rival string) (float64, bool) {
	mine, found := o.median(name, o.columns[0])
	theirs, foundToo := o.median(rival, o.columns[0])
	if !found || !foundToo || theirs == 0 {
		return 0, false
	}
	return mine / theirs, true
}

// table is the scenario in markdown.
func (o outcome) table() string {
	if len(o.names) == 0 {
		return "Nothing was measured.\n"
	}
	rivals := o.rivals()
	main := o.columns[0]
	head := []string{"program", main.title + ", median", "best"}
	for _, c := range o.columns[1:] {
		head = append(head, c.title)
	}
	for _, rival := range rivals {
		head = append(head, "÷ "+rival)
	}
	var b strings.Builder
	writeRow(&b, head)
	b.WriteString("|---" + strings.Repeat("|---:", len(head)-1) + "|\n")
	for _, name := range o.names {
		row := []string{name, o.cell(name, main), number(o.best(name, main), main.digits)}
		for _, c := range o.columns[1:] {
			row = append(row, o.cell(name, c))
		}
		for _, rival := range rivals {
			text := "-"
			if ratio, found := o.ratio(name, rival); found {
				text = fmt.Sprintf("%.2f", ratio)
			}
			row = append(row, text)
		}
		writeRow(&b, row)
	}
	return b.String()
}

// rivals are the programs that the others are divided by.
func (o outcome) rivals() []string {
	var rivals []string
	for _, name := range []string{"nginx", "nginx-stock", "haproxy", "varnish", "weir-quiet"} {
		if slices.Contains(o.names, name) {
			rivals = append(rivals, name)
		}
	}
	// Not beside the others: that it is far from them needs no column.
	if len(rivals) == 0 && slices.Contains(o.names, "caddy") {
		rivals = append(rivals, "caddy")
	}
	return rivals
}

func (o outcome) cell(name string, c column) string {
	value, _ := o.median(name, c)
	return number(value, c.digits)
}

func writeRow(b *strings.Builder, cells []string) {
	b.WriteString("| " + strings.Join(cells, " | ") + " |\n")
}

// number writes a value with a comma between thousands.
func number(value float64, digits int) string {
	text := strconv.FormatFloat(value, 'f', digits, 64)
	whole, rest, hasRest := strings.Cut(text, ".")
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	if hasRest {
		whole += "." + rest
	}
	return whole
}

// otherWork is the median over all samples of what others took of the proxy's processor.
func (o outcome) otherWork() float64 {
	all := outcome{Samples: map[string][]sample{}}
	for _, samples := range o.Samples {
		all.Samples[""] = append(all.Samples[""], samples...)
	}
	median, _ := all.median("", column{of: func(s sample) float64 { return s.OtherWork }})
	return median
}

func (c comparison) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n", c.Machine, c.Method, c.versionLine())
	for _, o := range c.Scenarios {
		fmt.Fprintf(&b, "\n### %s: %s\n\n%s", o.Name, o.Title, o.table())
		if other := o.otherWork(); other > 0 {
			fmt.Fprintf(&b, "\nInterrupts, other programs and the hypervisor took %.0f %% of the programs' processor meanwhile.\n", other*100)
		}
	}
	return b.String()
}

func (c comparison) versionLine() string {
	var parts []string
	for name, version := range c.Versions {
		parts = append(parts, name+" "+version)
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (c comparison) json() []byte {
	text, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		panic("BUG: measurements that are not JSON: " + err.Error())
	}
	return append(text, '\n')
}

func methodLine(o order, l *lab) string {
	where := "not pinned"
	if len(l.pinProxy) > 0 {
		where = fmt.Sprintf("each alone on processor %d with one worker, load and upstream on processor %d", o.proxyCPU, o.loadCPU)
	}
	return fmt.Sprintf("%d rounds of %d s in turns, %s; access log, forwarding headers and request id on for all. weir is weir at the rivals' work (a combined log line, the same fields); weir-default is weir as it comes (a JSON line, Forwarded and traceparent too); nginx-stock has its packager's buffers. nginx caches in files on a tmpfs, and varnishncsa writes varnish's log, which is counted. Over TLS all have one certificate of ECDSA P-256, TLS 1.3, X25519 and AES-128-GCM. "+
		"Figures are medians; a ratio divides the medians of the first column, and below 1 is better.", o.rounds, o.seconds, where)
}
