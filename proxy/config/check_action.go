package config

import (
	"encoding/base64"
	"errors"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// ValueMatch is what a header or query parameter must be, taken apart.
type ValueMatch struct {
	// Present: any value will do. Otherwise the value must be Exact, or, where
	// Expression is not nil, match it as a whole.
	Present    bool
	Exact      string
	Expression *regexp.Regexp
}

// ParseValueMatch takes apart exact text, "*" and "/expression/".
func ParseValueMatch(text string) (ValueMatch, error) {
	m, wrong := parseValueMatch(text)
	if wrong != nil {
		return ValueMatch{}, wrong
	}
	return m, nil
}

func parseValueMatch(text string) (ValueMatch, *complaint) {
	if text == "*" {
		return ValueMatch{Present: true}, nil
	}
	if len(text) < 2 || text[0] != '/' || text[len(text)-1] != '/' {
		return ValueMatch{Exact: text}, checkFieldValue(text)
	}
	inside := text[1 : len(text)-1]
	// Compiled alone first: "a)|(b" is wrong, but not between the parentheses.
	_, err := regexp.Compile(inside)
	if err == nil {
		var whole *regexp.Regexp
		if whole, err = regexp.Compile(`\A(?:` + inside + `)\z`); err == nil {
			return ValueMatch{Expression: whole}, nil
		}
	}
	return ValueMatch{}, complain("the expression is not valid: "+strings.TrimPrefix(err.Error(), "error parsing regexp: "), "")
}

func (r *routeChecker) match(m *Match, at *place) {
	seen := map[string]string{}
	for _, name := range inOrder(m.Headers, at.kid("headers")) {
		here := at.kid("headers").kid(name)
		if !isToken(name) {
			r.complainKey(here, complain(quote(name)+" is not the name of a header", ""))
		}
		r.twice(seen, name, here)
		_, wrong := parseValueMatch(m.Headers[name])
		r.complain(here, wrong)
	}
	for _, name := range inOrder(m.Query, at.kid("query")) {
		here := at.kid("query").kid(name)
		if name == "" {
			r.complainKey(here, complain("the name of the parameter is empty", ""))
		}
		_, wrong := parseValueMatch(m.Query[name])
		r.complain(here, wrong)
	}
	for i, host := range m.Hosts {
		r.complain(at.kid("hosts").item(i), checkHostPattern(host))
	}
}

// twice reports a header that is written in two ways which mean the same.
func (r *routeChecker) twice(seen map[string]string, name string, at *place) {
	lower := strings.ToLower(name)
	if other, found := seen[lower]; found {
		r.complainKey(at, complain("the header is there twice", "it is also written "+other))
	}
	seen[lower] = name
}

// checkHeaderName refuses what belongs to one connection (RFC 9110 §7.6.1) or to
// the framing of a message: changing it by hand is how requests are smuggled.
func checkHeaderName(name string) *complaint {
	if !isToken(name) {
		return complain(quote(name)+" is not the name of a header", "")
	}
	switch strings.ToLower(name) {
	case "connection", "keep-alive", "proxy-connection", "proxy-authenticate", "proxy-authorization",
		"te", "trailer", "transfer-encoding", "upgrade":
		return complain(name+" belongs to the connection and cannot be changed", "")
	case "content-length":
		return complain(name+" follows from the body and cannot be changed", "")
	case "host":
		return complain(name+" is not changed here", "write host: beside upstream")
	}
	return nil
}

// checkFieldValue refuses what a header's value cannot hold (RFC 9110 §5.5).
func checkFieldValue(value string) *complaint {
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '\r' || c == '\n':
			return complain("the value holds a line break", "write it on one line")
		case c < ' ' && c != '\t' || c == 0x7f:
			return complain("the value holds a control character", "")
		}
	}
	if strings.Trim(value, " \t") != value {
		return complain("the value begins or ends with a space", didYouMean(strings.Trim(value, " \t")))
	}
	return nil
}

func (r *routeChecker) headers(h *Headers, at *place) {
	if h == nil {
		return
	}
	set := r.headerValues(h.Set, at.kid("set"))
	r.headerValues(h.Append, at.kid("append"))
	for i, name := range h.Remove {
		here := at.kid("remove").item(i)
		r.complain(here, checkHeaderName(name))
		if other, found := set[strings.ToLower(name)]; found {
			r.mistake(here, other+" is set as well", "setting replaces it already")
		}
		if slices.ContainsFunc(h.Remove[:i], func(other string) bool { return strings.EqualFold(other, name) }) {
			r.mistake(here, "the header is there twice", "")
		}
	}
}

// headerValues checks headers with values and returns their names by lower case.
func (r *routeChecker) headerValues(headers map[string]string, at *place) map[string]string {
	seen := make(map[string]string, len(headers))
	for _, name := range inOrder(headers, at) {
		here := at.kid(name)
		r.complainKey(here, checkHeaderName(name))
		r.twice(seen, name, here)
		r.inStages(headers[name], here, checkFieldValue)
	}
	return seen
}

func (r *routeChecker) answer(a *Answer, at *place) {
	r.headerValues(a.Headers, at.kid("headers"))
	if a.Body != "" && (a.Status == 204 || a.Status == 304) {
		r.mistake(at.kid("body"), "an answer with this status has no body", "")
	}
}

func (r *routeChecker) redirect(route *Route, segments []Segment, known bool, at *place) {
	location := route.Redirect.Location
	if location == "" {
		r.missing(at, "a redirect needs a location", "")
		return
	}
	r.inStages(location, at.kid("location"), func(text string) *complaint {
		pieces, wrong := parseTemplate(text)
		if wrong != nil {
			return wrong
		}
		if wrong := checkLocation(pieces); wrong != nil {
			return wrong
		}
		return r.knownParams(pieces, segments, known, route.Path == DefaultName)
	})
}

// checkLocation checks where a redirect leads: a path, or a URL whose host is
// fixed, so that no caller chooses where the next one is sent.
func checkLocation(pieces []Piece) *complaint {
	first := ""
	if len(pieces) > 0 {
		first = pieces[0].Text
	}
	rest, isURL := strings.CutPrefix(first, "https://")
	if !isURL {
		rest, isURL = strings.CutPrefix(first, "http://")
	}
	switch {
	case isURL:
		end := strings.IndexAny(rest, "/?#")
		if end < 0 && len(pieces) > 1 {
			return complain("the host of a location cannot hold a parameter", "a caller could choose it; write it out, or use a stage variable")
		}
		if end >= 0 {
			rest = rest[:end]
		}
		if _, _, wrong := splitHostPort(rest); wrong != nil {
			return wrong
		}
	case strings.HasPrefix(first, "//"):
		return complain("a location begins with one slash, or with a scheme", didYouMean("https:"+first))
	case !strings.HasPrefix(first, "/"):
		return complain("a location is a path, or an http or https URL", "write /path or https://host/path")
	}
	for _, piece := range pieces {
		if i := indexNotURI(piece.Text); i >= 0 {
			return complain("a location cannot hold "+quote(piece.Text[i:i+1]), "write it percent-encoded")
		}
	}
	return nil
}

// indexNotURI finds the first byte that a URI cannot hold (RFC 3986 §2), or -1.
func indexNotURI(text string) int {
	for i := 0; i < len(text); i++ {
		c := text[i]
		if !isLetterOrDigit(c) && strings.IndexByte("-._~:/?#[]@!$&'()*+,;=%", c) < 0 {
			return i
		}
		if c == '%' && (i+2 >= len(text) || !isHex(text[i+1]) || !isHex(text[i+2])) {
			return i
		}
	}
	return -1
}

// knownParams checks that the parameters of a template are in the route's path.
func (r *routeChecker) knownParams(pieces []Piece, segments []Segment, known, isDefault bool) *complaint {
	if !known {
		return nil
	}
	var names []string
	for _, segment := range segments {
		if segment.Kind != Static {
			names = append(names, segment.Text)
		}
	}
	for _, piece := range pieces {
		if piece.Param == "" || slices.Contains(names, piece.Param) {
			continue
		}
		suggestion := r.suggest(piece.Param, names)
		if isDefault {
			suggestion = `write path: "/{proxy+}"`
		}
		return complain("the route's path has no parameter {"+piece.Param+"}", suggestion)
	}
	return nil
}

func (r *routeChecker) rewrite(w *Rewrite, segments []Segment, known, isDefault bool, at *place) {
	if w.Path != "" && (w.StripPrefix != "" || w.AddPrefix != "") {
		r.mistake(at, "path excludes stripPrefix and addPrefix", "keep path alone, or the prefixes")
	}
	if w.Path != "" {
		r.complain(at.kid("path"), r.checkRewritePath(w.Path, segments, known, isDefault))
	}
	if w.AddPrefix != "" {
		r.complain(at.kid("addPrefix"), checkPathText(w.AddPrefix))
	}
	if w.StripPrefix == "" {
		return
	}
	wrong := checkPathText(w.StripPrefix)
	if wrong == nil && known && !isDefault && !canStrip(w.StripPrefix, segments) {
		wrong = complain("no path of this route begins with "+quote(w.StripPrefix), "")
	}
	r.complain(at.kid("stripPrefix"), wrong)
}

func (r *routeChecker) checkRewritePath(path string, segments []Segment, known, isDefault bool) *complaint {
	if strings.Contains(path, "${") {
		return complain("a rewritten path cannot hold stage variables", "")
	}
	pieces, wrong := parseTemplate(path)
	if wrong != nil {
		return wrong
	}
	if path[0] != '/' {
		return complain("a path begins with a slash", didYouMean("/"+path))
	}
	// With each parameter as a letter, the rest must be a canonical path.
	var plain strings.Builder
	for _, piece := range pieces {
		plain.WriteString(piece.Text)
		if piece.Param != "" {
			plain.WriteByte('p')
		}
	}
	if text := strings.TrimSuffix(plain.String(), "/"); text != "" {
		if wrong := checkPathText(text); wrong != nil {
			if len(pieces) > 1 {
				wrong = complain(wrong.problem, "") // its suggestion would show the letter
			}
			return wrong
		}
	}
	return r.knownParams(pieces, segments, known, isDefault)
}

// canStrip reports whether some path of the pattern begins with the prefix.
func canStrip(prefix string, segments []Segment) bool {
	i := 0
	for text := range strings.SplitSeq(prefix[1:], "/") {
		if i >= len(segments) {
			return false
		}
		if segments[i].Kind == Greedy {
			return true
		}
		if segments[i].Kind == Static && segments[i].Text != text {
			return false
		}
		i++
	}
	return true
}

func checkProtocol(protocol string) *complaint {
	if lower := strings.ToLower(protocol); lower != protocol {
		return complain("protocols are written in lower case", didYouMean(lower))
	}
	if !isToken(strings.Replace(protocol, "/", "", 1)) {
		return complain(quote(protocol)+" is not a protocol", "write websocket")
	}
	if protocol == "h2c" {
		// RFC 9113 §3.1 took it away; a tunnel of it evades every check of requests.
		return complain("h2c would carry requests past every check", "")
	}
	return nil
}

func checkPin(pin string) *complaint {
	encoded, ok := strings.CutPrefix(pin, "sha256/")
	if !ok {
		return complain("a pin begins with sha256/", "")
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(encoded)
	if err != nil {
		return complain("the pin is not base64", "")
	}
	if len(sum) != 32 {
		return complain("a pin has 32 bytes, 44 letters of base64", "")
	}
	return nil
}

// cause returns what went wrong with a file, without the operation and the path.
func cause(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}
