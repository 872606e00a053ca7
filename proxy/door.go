package proxy

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"strings"
	"unicode"

	"github.com/rs/zerolog"

	"weir/proxy/config"
)

// Door is how the program was called.
type Door struct {
	Options                Options
	Config, Upstreams, TLS string
	Cache                  bool
	ECHKey, Explain        string
	Check, Version, Schema bool

	wish *tlsWish
}

func (d *Door) registerFlags(fs *flag.FlagSet) {
	fs.BoolVar(&d.Cache, "cache", false, "Keep the answers of -upstream and give them again, as they allow (RFC 9111); a document says it by cache")
	fs.StringVar(&d.Upstreams, "upstream", "", "Serve a reverse proxy in front of URL[,URL…]: http://host:port[/base], https://… or unix:/path")
	fs.StringVar(&d.Config, "config", "", "Serve the document in this file, YAML or JSON")
	fs.StringVar(&d.TLS, "tls", "", tlsUsage)
	fs.BoolVar(&d.Check, "check", false, "Check the flags and the document, print every mistake, and exit; 1 if there is one")
	fs.StringVar(&d.Explain, "explain", "", "Print what would become of a request, and why, and exit: a URL, METHOD URL, or what the control listener's POST /explain takes. Nothing is sent")
	fs.BoolVar(&d.Version, "version", false, "Print the version and exit")
	fs.BoolVar(&d.Schema, "schema", false, "Print the JSON Schema of the document, for editors, and exit")
	fs.StringVar(&d.ECHKey, "echKey", "", "Print a new key for Encrypted Client Hello (tls.ech.keys of the document) under this public name, with what its HTTPS record needs, and exit")
	d.Options.RegisterFlags(fs)
}

// ParseFlags reads the command line, then the environment for what it leaves
// unset. The error is flag.ErrHelp when help was asked for.
func ParseFlags(args, environ []string) (*Door, error) {
	d := &Door{}
	fs := flag.NewFlagSet("weir", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	d.registerFlags(fs)
	err := fs.Parse(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil, err
		}
		return nil, explainFlag(fs, err)
	}
	if fs.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag; weir takes flags only, see weir -help", fs.Arg(0))
	}
	set := make(map[string]bool)
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	if err := fromEnvironment(fs, set, environ); err != nil {
		return nil, err
	}
	for name := range set {
		d.Options.Given(name)
	}
	for _, name := range []string{"config", "upstream"} {
		if set[name] && fs.Lookup(name).Value.String() == "" {
			// An unset variable of a shell script, most likely: the demo would be a bad surprise.
			return nil, fmt.Errorf("-%s is empty; leave it out for the demo", name)
		}
	}
	if set["config"] && set["upstream"] {
		return nil, errors.New("-config and -upstream exclude each other: name the upstream in the document")
	}
	if set["config"] && set["tls"] {
		return nil, errors.New("-config and -tls exclude each other: write tls: true at a listener of the document")
	}
	if d.wish, err = parseTLS(d.TLS); err != nil {
		return nil, err
	}
	d.Options.listenGiven = d.Options.listenGiven && d.wish == nil // it is in the document then
	return d, d.Options.Validate()
}

// fromEnvironment sets the flags that WEIR_… variables name and the command
// line does not. A variable that names no flag is a mistake.
func fromEnvironment(fs *flag.FlagSet, set map[string]bool, environ []string) error {
	byVariable := make(map[string]string)
	fs.VisitAll(func(f *flag.Flag) { byVariable[variableOf(f.Name)] = f.Name })
	var errs []error
	for _, entry := range environ {
		variable, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(variable, "WEIR_") {
			continue
		}
		name, known := byVariable[variable]
		if !known {
			errs = append(errs, fmt.Errorf("the environment has %s, which is no flag of weir%s", variable, nearest(variable, byVariable)))
			continue
		}
		if set[name] {
			continue
		}
		if err := fs.Set(name, value); err != nil {
			errs = append(errs, fmt.Errorf("the environment has %s=%q: %w", variable, value, err))
			continue
		}
		set[name] = true
	}
	return errors.Join(errs...)
}

// variableOf returns the variable of a flag: listen.headTimeout is
// WEIR_LISTEN_HEAD_TIMEOUT.
func variableOf(name string) string {
	out := []rune("WEIR_")
	var last rune
	for _, c := range name {
		switch {
		case c == '.':
			out = append(out, '_')
		case unicode.IsUpper(c) && unicode.IsLower(last):
			out = append(out, '_', c)
		default:
			out = append(out, unicode.ToUpper(c))
		}
		last = c
	}
	return string(out)
}

// explainFlag adds a suggestion to an unknown flag.
func explainFlag(fs *flag.FlagSet, err error) error {
	name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -")
	if !unknown {
		return fmt.Errorf("%w; see weir -help", err)
	}
	names := make(map[string]string)
	fs.VisitAll(func(f *flag.Flag) { names["-"+f.Name] = f.Name })
	return fmt.Errorf("there is no flag -%s%s; see weir -help", name, nearest("-"+name, names))
}

// nearest returns "; did you mean …?" for the key of known that name is most
// likely a slip of, or nothing.
func nearest(name string, known map[string]string) string {
	best := config.Nearest(name, maps.Keys(known))
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %s?", best)
}

// Source returns what is to be served, and how to end it.
func (d *Door) Source() (Source, func(), error) {
	source, end, err := d.plainSource()
	if err == nil && d.wish != nil {
		source = &securedSource{source, d.wish, d.Options.ListenAddress}
	}
	return source, end, err
}

func (d *Door) plainSource() (Source, func(), error) {
	switch {
	case d.Config != "":
		return &FileSource{Path: d.Config}, func() {}, nil
	case d.Upstreams != "":
		var targets []string
		for _, t := range strings.Split(d.Upstreams, ",") {
			targets = append(targets, strings.TrimSpace(t))
		}
		return &UpstreamSource{Targets: targets, Cache: d.Cache}, func() {}, nil
	}
	demo, err := NewDemoSource()
	if err != nil {
		return nil, nil, err
	}
	return demo, demo.Close, nil
}

// Greet tells a person where to look, once everything listens.
func (d *Door) Greet(w io.Writer, g *Gateway) {
	var b bytes.Buffer
	for name, address := range g.Addresses() {
		fmt.Fprintf(&b, "weir listens on %s (%s)\n", address, name)
	}
	if c := g.ControlAddress(); c != "" {
		fmt.Fprintf(&b, "control is on http://%s\n", c)
	}
	authority := g.DevelopmentAuthority()
	if authority != "" {
		fmt.Fprintf(&b, "certificates for development are signed by %s; docs/tls.md says how to trust it\n", authority)
	}
	if d.Config == "" && d.Upstreams == "" {
		d.greetDemo(&b, g, authority)
	}
	_, _ = w.Write(b.Bytes())
}

// greetDemo tells what can be tried with the demo.
func (d *Door) greetDemo(b *bytes.Buffer, g *Gateway, authority string) {
	b.WriteString("\nThis is the built-in demo. Try:\n\n")
	curl, at := "curl", portOf(g.Addresses()["main"])
	if d.wish != nil {
		at = strings.Replace(at, "http:", "https:", 1)
	}
	if authority != "" {
		curl += " --cacert " + authority
	}
	for _, rest := range []string{" -i " + at + "/", " -i " + at + "/hello/you", " -i '" + at + "/echo/a/b?c=d'", " -N " + at + "/events", " -i " + at + "/nowhere"} {
		b.WriteString("  " + curl + rest + "\n")
	}
	if c := g.ControlAddress(); c != "" {
		b.WriteString("  curl http://" + c + "/metrics\n")
	}
	b.WriteString("\n")
}

func portOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 && !strings.HasPrefix(address, "/") {
		return "http://localhost" + address[i:]
	}
	return "--unix-socket " + address + " http://localhost"
}

// OnHangup reloads and reopens the log whenever hup says so, until ctx ends.
func OnHangup(ctx context.Context, hup <-chan os.Signal, g *Gateway, log zerolog.Logger) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hup:
			if err := g.Reopen(); err != nil {
				log.Error().Err(err).Msg("cannot follow SIGHUP")
			}
			_ = g.Reload() // it has logged why not
		}
	}
}
