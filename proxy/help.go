package proxy

import (
	"flag"
	"fmt"
	"strings"
)

// flagGroup is a heading of -help and the flags below it: those whose name
// begins with prefix, or that are listed.
type flagGroup struct {
	title string
	names []string
	under string
}

var flagGroups = []flagGroup{
	{title: "What to serve", names: []string{"upstream", "config", "check", "explain", "schema", "version", "echKey"}},
	{title: "Where", names: []string{"listen", "tls", "control", "control.token", "data"}},
	{title: "Connections of clients", names: []string{"shards", "heapFloor"}, under: "listen."},
	{title: "TLS towards clients", under: "tls."},
	{title: "HTTP/2 of clients", under: "http2."},
	{title: "HTTP/3 of clients", under: "http3."},
	{title: "Limits", under: "limit."},
	{title: "Response cache", names: []string{"cache"}, under: "cache."},
	{title: "Connections to upstreams", under: "upstream."},
	{title: "Upgraded connections", under: "tunnel."},
	{title: "What upstreams are told", under: "forward."},
	{title: "Log and metrics", names: []string{"metrics"}, under: "log."},
	{title: "Reload and drain", names: []string{"watch"}, under: "drain."},
}

func (g *flagGroup) has(name string) bool {
	for _, n := range g.names {
		if n == name {
			return true
		}
	}
	return g.under != "" && strings.HasPrefix(name, g.under)
}

const helpHead = `weir: an API gateway for the network edge

  weir                                    the built-in demo
  weir -upstream http://127.0.0.1:9000    a proxy in front of one address
  weir -config weir.yaml                  the whole document

Every flag is also a variable: -listen.headTimeout is WEIR_LISTEN_HEAD_TIMEOUT.
The command line wins. SIGHUP reloads the document and reopens the log; SIGTERM
drains. Sizes are in bytes, times like 500ms, 10s, 2m.
`

// Help returns the text of -help.
func Help() string {
	var b strings.Builder
	b.WriteString(helpHead)
	for _, group := range FlagReference() {
		fmt.Fprintf(&b, "\n%s\n", group.Title)
		for _, f := range group.Flags {
			fmt.Fprintf(&b, "  -%s", f.Name)
			if f.Default != "" {
				fmt.Fprintf(&b, " (%s)", f.Default)
			}
			b.WriteString("\n" + wrap(f.Usage, 8, 80))
		}
	}
	return b.String()
}

// DocumentedFlags is one group of flags, as -help and the reference show it.
type DocumentedFlags struct {
	Title string
	Flags []DocumentedFlag
}

// DocumentedFlag is one flag.
type DocumentedFlag struct{ Name, Variable, Default, Usage string }

// FlagReference returns every flag, in the groups of -help.
func FlagReference() []DocumentedFlags {
	fs := flag.NewFlagSet("weir", flag.ContinueOnError)
	(&Door{}).registerFlags(fs)
	out := make([]DocumentedFlags, len(flagGroups))
	fs.VisitAll(func(f *flag.Flag) {
		for i := range flagGroups {
			if flagGroups[i].has(f.Name) {
				out[i].Flags = append(out[i].Flags, DocumentedFlag{f.Name, variableOf(f.Name), f.DefValue, strings.TrimSuffix(f.Usage, ".") + "."})
				return
			}
		}
		panic("BUG: flag -" + f.Name + " is in no group of -help")
	})
	for i := range flagGroups {
		out[i].Title = flagGroups[i].title
	}
	return out
}

// wrap breaks text into lines of at most width, each indented.
func wrap(text string, indent, width int) string {
	var b strings.Builder
	margin := strings.Repeat(" ", indent)
	line := margin
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width && line != margin {
			b.WriteString(line + "\n")
			line = margin
		}
		if line != margin {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
