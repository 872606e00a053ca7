package proxy

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rs/zerolog"
)

// Examine compiles the document without serving it and, where it was asked
// for, prints what would become of a request. It returns the exit status: 0,
// or 1 after a mistake.
func (d *Door) Examine(source Source, stdout, stderr io.Writer) int {
	d.Options.Log.Output, d.Options.ephemeral = "off", true
	g, err := New(d.Options, source, "", zerolog.Nop())
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	defer g.close()
	if d.Explain == "" {
		fmt.Fprintln(stdout, "the flags and the document are good")
		return 0
	}
	what, err := g.Explain(describe(d.Explain))
	if err != nil {
		fmt.Fprintf(stderr, "weir: %s\n", err)
		return 1
	}
	text, err := json.MarshalIndent(what, "", "  ")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	fmt.Fprintf(stdout, "%s\n", text)
	return 0
}

// describe makes a description of what stands behind -explain.
func describe(text string) []byte {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "{") {
		return []byte(text)
	}
	var q question
	method, url, both := strings.Cut(text, " ")
	if !both {
		method, url = "", text
	}
	q.Method, q.URL = method, strings.TrimSpace(url)
	description, err := json.Marshal(q)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	return description
}
