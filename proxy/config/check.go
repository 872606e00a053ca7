package config

import (
	"cmp"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// checker finds what is wrong with a document beyond the shape of its text.
type checker struct {
	doc       *Document
	found     *findings
	directory string // what relative paths start from
	apiNames  []string
	shapes    shapes
}

// check fills in the defaults, resolves paths and reports what is wrong.
func (d *Document) check(found *findings, directory string) {
	d.fillDefaults()
	c := &checker{doc: d, found: found, directory: directory, apiNames: inOrder(d.APIs, d.root.kid("apis")), shapes: shapes{}}
	c.listeners(d.root.kid("listeners"))
	c.tls(d.root.kid("tls"))
	c.upstreams(d.root.kid("upstreams"))
	c.limits(d.root.kid("limits"))
	c.redis(d.root.kid("redis"))
	c.apis(d.root.kid("apis"))
	c.usagePlans(d.root.kid("usagePlans"))
	if len(d.Domains) > 0 {
		c.domains(d.root.kid("domains"))
	} else if !d.root.incomplete && !d.root.kid("domains").silenced() {
		c.impliedMappings(d.root.kid("apis"))
	}
}

func (c *checker) mistake(at *place, problem, suggestion string) {
	if !at.silenced() {
		c.found.add(at.line, at.column, at.path(), problem, suggestion)
	}
}

func (c *checker) complain(at *place, wrong *complaint) {
	if wrong != nil {
		c.mistake(at, wrong.problem, wrong.suggestion)
	}
}

// complainKey reports at the key of a mapping's value, whatever is wrong with
// the value itself.
func (c *checker) complainKey(at *place, wrong *complaint) {
	if wrong != nil && !at.parent.silenced() {
		c.found.add(at.keyLine, at.keyColumn, at.path(), wrong.problem, wrong.suggestion)
	}
}

// missing reports what a mapping lacks, unless a key or value that was not
// understood may have been meant for it.
func (c *checker) missing(at *place, problem, suggestion string) {
	if at.incomplete || slices.ContainsFunc(at.kids, func(kid *place) bool { return kid.spoiled }) {
		return
	}
	c.mistake(at, problem, suggestion)
}

// suggest finds the name that was meant, while anybody will read it.
func (c *checker) suggest(name string, names []string) string {
	if c.found.full() {
		return ""
	}
	return suggestName(name, slices.Values(names))
}

// inOrder returns the keys of a mapping as they stand in the text.
func inOrder[T any](m map[string]T, at *place) []string {
	names := slices.Sorted(maps.Keys(m))
	slices.SortStableFunc(names, func(a, b string) int {
		x, y := at.kid(a), at.kid(b)
		return cmp.Or(cmp.Compare(x.keyLine, y.keyLine), cmp.Compare(x.keyColumn, y.keyColumn))
	})
	return names
}

func (c *checker) name(at *place, name string) {
	if !isName(name) {
		c.complainKey(at, complain(quote(name)+" is not a name", "names have letters, digits, _ and -, at most 128, and do not begin with -"))
	}
}

func (c *checker) listeners(at *place) {
	seen := map[string]*place{}
	for _, name := range inOrder(c.doc.Listeners, at) {
		listener, here := c.doc.Listeners[name], at.kid(name)
		c.name(here, name)
		where := here.kid("address")
		c.listenerTLS(name, listener, here)
		if listener.Address == "" {
			c.missing(here, "a listener needs an address", `write address: ":8080"`)
			continue
		}
		keys, wrong := listenKeys(listener.Address)
		c.complain(where, wrong)
		for _, key := range keys {
			if other := seen[key]; other != nil {
				c.mistake(where, "listens on the same address as "+other.parent.path()+onLine(other), "")
				break
			}
		}
		for _, key := range keys {
			seen[key] = where
		}
	}
}

// CheckListen tells what is wrong with an address to listen on, if anything.
func CheckListen(address string) error {
	if _, wrong := listenKeys(address); wrong != nil {
		return wrong
	}
	return nil
}

// listenKeys checks an address to listen on and returns what it occupies: one key
// an address family where the host is left out.
func listenKeys(address string) ([]string, *complaint) {
	if path, ok := strings.CutPrefix(address, "unix:"); ok {
		return []string{"unix:" + filepath.Clean(path)}, checkSocketPath(path)
	}
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 || strings.HasSuffix(address, "]") {
		suggestion := "write host:port, :port or unix:/path"
		if _, wrong := parsePort(address); wrong == nil {
			suggestion = didYouMean(":" + address)
		}
		return nil, complain("the port is missing", suggestion)
	}
	if strings.Contains(address, "://") {
		return nil, complain("an address to listen on has no scheme", "write host:port, :port or unix:/path")
	}
	host, portText := address[:colon], address[colon+1:]
	port, wrong := parsePort(portText)
	if wrong != nil {
		return nil, wrong
	}
	if host != "" {
		if host, _, wrong = splitHostPort(host); wrong != nil {
			return nil, wrong
		}
	}
	if port == 0 {
		return nil, nil // any free port: two of them do not meet
	}
	switch port := strconv.Itoa(port); host {
	case "":
		return []string{"4:" + port, "6:" + port}, nil
	case "0.0.0.0":
		return []string{"4:" + port}, nil
	case "::":
		return []string{"6:" + port}, nil
	default:
		return []string{strings.ToLower(host) + ":" + port}, nil
	}
}

func onLine(at *place) string {
	if at.line == 0 {
		return ""
	}
	return " (line " + strconv.Itoa(int(at.line)) + ")"
}

func (c *checker) upstreams(at *place) {
	for _, name := range inOrder(c.doc.Upstreams, at) {
		upstream, here := c.doc.Upstreams[name], at.kid(name)
		c.name(here, name)
		if len(upstream.Targets) == 0 {
			c.missing(here, "an upstream needs targets", `write targets: ["http://127.0.0.1:9000"]`)
		}
		anyTLS, seen := false, map[Target]int{}
		for i, text := range upstream.Targets {
			where := here.kid("targets").item(i)
			target, wrong := parseTarget(text)
			if wrong != nil {
				c.complain(where, wrong)
				anyTLS = true // do not say that TLS is useless while this may have been https
				continue
			}
			anyTLS = anyTLS || target.TLS
			if target.HTTP2 && upstream.Protocol == HTTP1 {
				c.mistake(where, "h2c:// is HTTP/2, and the upstream's protocol is http1", "write http://, or take protocol away")
			}
			if first, twice := seen[target]; twice {
				c.mistake(where, "the target is there twice", "it is also targets["+strconv.Itoa(first)+"]")
				continue
			}
			seen[target] = i
		}
		if upstream.TLS != nil {
			c.upstreamTLS(upstream.TLS, here.kid("tls"))
			if !anyTLS && len(upstream.Targets) > 0 {
				c.mistake(here.kid("tls"), "tls has no effect: no target is https", "write the targets as https://")
			}
		}
	}
}

func (c *checker) upstreamTLS(t *UpstreamTLS, at *place) {
	c.file(&t.CA, at.kid("ca"))
	c.file(&t.Cert, at.kid("cert"))
	c.file(&t.Key, at.kid("key"))
	if t.Cert != "" && t.Key == "" {
		c.missing(at, "cert needs its key", "write key: name.key.pem")
	}
	if t.Key != "" && t.Cert == "" {
		c.missing(at, "key needs its cert", "write cert: name.pem")
	}
	if t.InsecureSkipVerify && t.CA != "" {
		c.mistake(at.kid("ca"), "ca has no effect beside insecureSkipVerify", "take one of them away")
	}
	if t.ServerName != "" {
		c.complain(at.kid("serverName"), checkHostName(t.ServerName))
	}
	for i, pin := range t.Pins {
		c.complain(at.kid("pins").item(i), checkPin(pin))
	}
}

// file makes a path independent of the working directory and checks that there
// is a file. What it holds is read when the document is compiled.
func (c *checker) file(path *string, at *place) {
	if *path == "" {
		return
	}
	if !filepath.IsAbs(*path) {
		*path = filepath.Join(c.directory, *path)
	}
	about, err := os.Stat(*path)
	switch {
	case os.IsNotExist(err):
		c.mistake(at, "there is no file "+quote(*path), "")
	case err != nil:
		c.mistake(at, "cannot open "+quote(*path)+": "+cause(err), "")
	case about.IsDir():
		c.mistake(at, quote(*path)+" is a directory", "")
	}
}
