package observe

import (
	"fmt"
	"maps"
	"strings"

	"weir/proxy/config"
)

const (
	contextPrefix    = "$context."
	authorizerPrefix = "authorizer."
	claimsPrefix     = "authorizer.claims."

	// maxFormatBytes is AWS's bound of a format string.
	maxFormatBytes = 3 << 10

	// commonFormat is the line that AWS offers as CLF.
	commonFormat = `$context.identity.sourceIp $context.identity.caller $context.identity.user [$context.requestTime] ` +
		`"$context.httpMethod $context.resourcePath $context.protocol" $context.status $context.responseLength $context.requestId $context.extendedRequestId`
)

// logFormat is a format compiled into the parts of a line. It is immutable. JSON
// has no parts: zerolog writes it.
type logFormat struct {
	isJSON bool
	parts  []logPart
	end    string
}

// logPart is a fixed text and the value behind it.
type logPart struct {
	before string
	escape *escaper
	add    func(dst []byte, e *escaper, r *Record) []byte
	// missing stands for an unknown value.
	missing string
	// property is asked of the authorizer's properties when add is nil.
	property string
}

// compileFormat understands json, clf, combined, and format strings.
func compileFormat(format string) (*logFormat, error) {
	switch strings.ToLower(strings.TrimSpace(format)) {
	case "", "json":
		return &logFormat{isJSON: true}, nil
	case "clf":
		return compileTemplate(commonFormat)
	case "combined":
		return compileCombined(), nil
	}
	if !strings.Contains(format, "$") {
		return nil, fmt.Errorf("cannot use log format %q: it is not json, clf or combined and names no $context value", format)
	}
	return compileTemplate(format)
}

// compileCombined is Apache's combined log. Its request line holds the target as
// received, which no $context name tells.
func compileCombined() *logFormat {
	quoted, bare := newEscaper(quotedText), newEscaper(bareText)
	return &logFormat{end: "\"\n", parts: []logPart{
		{escape: bare, add: appendClient, missing: "-"},
		{before: " - ", escape: bare, add: func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Identity.User) }, missing: "-"},
		{before: " [", add: func(dst []byte, _ *escaper, r *Record) []byte { return appendCLFTime(dst, r.Start) }, missing: "-"},
		{before: "] \"", escape: quoted, add: func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Method) }, missing: "-"},
		{before: " ", escape: quoted, add: func(dst []byte, e *escaper, r *Record) []byte { return appendURL(dst, e, r.RequestTarget) }, missing: "-"},
		{before: " ", escape: quoted, add: func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.Protocol) }, missing: "-"},
		{before: "\" ", add: func(dst []byte, _ *escaper, r *Record) []byte { return appendStatus(dst, r.Status) }, missing: "-"},
		{before: " ", add: appendBodyLength, missing: "-"},
		{before: " \"", escape: quoted, add: func(dst []byte, e *escaper, r *Record) []byte { return appendURL(dst, e, r.Referer) }, missing: "-"},
		{before: "\" \"", escape: quoted, add: func(dst []byte, e *escaper, r *Record) []byte { return appendText(dst, e, r.UserAgent) }, missing: "-"},
	}}
}

// compileTemplate compiles a format string of $context names.
func compileTemplate(format string) (*logFormat, error) {
	if len(format) > maxFormatBytes {
		return nil, fmt.Errorf("cannot use log format of %d bytes: at most %d are allowed", len(format), maxFormatBytes)
	}
	if strings.ContainsAny(format, "\r\n") {
		return nil, fmt.Errorf("cannot use log format %q: it must be one line", format)
	}
	byName := make(map[string]logField)
	for _, field := range logFields() {
		if field.context != "" {
			byName[field.context] = field
		}
	}
	t := template{quoted: newEscaper(quotedText), bare: newEscaper(bareText), markup: newEscaper(markupText)}
	t.isMarkup = strings.HasPrefix(strings.TrimSpace(format), "<")
	f := new(logFormat)
	rest := format
	for {
		text, name, behind, err := cutName(rest)
		if err != nil {
			return nil, fmt.Errorf("cannot use log format %q: %w", format, err)
		}
		t.pass(text)
		if name == "" {
			f.end = text + "\n"
			return f, nil
		}
		p := logPart{before: text, escape: t.escaper(), missing: "-"}
		field, known := byName[name]
		switch {
		case name == "error.messageString" && !t.isMarkup:
			p.add, p.escape = field.add, t.quoted // it brings its own quotes
		case known && field.add != nil:
			p.add = field.add
		case known:
			p.add = appendNothing
		case isOverride(name):
			p.add = appendNothing
		case strings.HasPrefix(name, authorizerPrefix) && name != "authorizer.claims":
			p.property = strings.TrimPrefix(name, authorizerPrefix)
		default:
			return nil, fmt.Errorf("cannot use log format %q: unknown name %q%s", format, contextPrefix+name, suggest(name, byName))
		}
		f.parts = append(f.parts, p)
		rest = behind
	}
}

// template follows the quotes of a format string, to know what may end a value.
type template struct {
	quoted, bare, markup *escaper
	isMarkup             bool
	inQuotes             bool
}

func (t *template) pass(text string) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			t.inQuotes = !t.inQuotes
		}
	}
}

func (t *template) escaper() *escaper {
	switch {
	case t.isMarkup:
		return t.markup
	case t.inQuotes:
		return t.quoted
	}
	return t.bare
}

// cutName cuts format at its first name, which is "" when there is none.
func cutName(format string) (text, name, rest string, err error) {
	for from := 0; ; {
		i := strings.IndexByte(format[from:], '$')
		if i < 0 {
			return format, "", "", nil
		}
		i += from
		if !strings.HasPrefix(format[i:], contextPrefix) {
			if i+1 < len(format) && isNameByte(format[i+1]) && (format[i+1] < '0' || format[i+1] > '9') {
				word := format[i+1:]
				for n := range len(word) {
					if !isNameByte(word[n]) {
						word = word[:n]
						break
					}
				}
				return "", "", "", fmt.Errorf("unknown name %q: names begin with %q", "$"+word, contextPrefix)
			}
			from = i + 1
			continue
		}
		name = nameAt(format[i+len(contextPrefix):])
		if name == "" {
			return "", "", "", fmt.Errorf("no name behind %q", contextPrefix)
		}
		return format[:i], name, format[i+len(contextPrefix)+len(name):], nil
	}
}

// nameAt returns the name that s begins with. Points, and the colons and hyphens of
// claims such as custom:tenant-id, belong to it only between other bytes.
func nameAt(s string) string {
	end := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isNameByte(c):
			end = i + 1
		case c == '.' && end == i:
		case (c == ':' || c == '-') && end == i && strings.HasPrefix(s, authorizerPrefix):
		default:
			return s[:end]
		}
	}
	return s[:end]
}

func isNameByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

// isOverride tells names of mapping templates that AWS accepts in formats too.
func isOverride(name string) bool {
	return strings.HasPrefix(name, "requestOverride.") || strings.HasPrefix(name, "responseOverride.header.")
}

func appendNothing(dst []byte, _ *escaper, _ *Record) []byte { return dst }

// appendBodyLength leaves a body of no bytes to "-", as the Common Log Format does.
func appendBodyLength(dst []byte, _ *escaper, r *Record) []byte {
	if r.BytesOut == 0 {
		return dst
	}
	return appendStatus(dst, int(r.BytesOut))
}

// appendLine appends one line for r, in any format but JSON.
func (f *logFormat) appendLine(dst []byte, r *Record) []byte {
	for i := range f.parts {
		p := &f.parts[i]
		dst = append(dst, p.before...)
		start := len(dst)
		if p.add != nil {
			dst = p.add(dst, p.escape, r)
		} else {
			dst = p.appendProperty(dst, r)
		}
		if len(dst) == start {
			dst = append(dst, p.missing...)
		}
	}
	return append(dst, f.end...)
}

// appendProperty lets the authorizer append the raw value and then escapes it, behind
// itself and back over it, so that it needs no buffer of its own.
func (p *logPart) appendProperty(dst []byte, r *Record) []byte {
	if r.Authorizer.Properties == nil {
		return dst
	}
	start := len(dst)
	dst = r.Authorizer.Properties.AppendProperty(dst, p.property)
	raw := len(dst)
	dst = appendText(dst, p.escape, dst[start:raw])
	n := copy(dst[start:], dst[raw:])
	return dst[:start+n]
}

// suggest names the known name that is nearest to a mistyped one.
func suggest(name string, known map[string]logField) string {
	best := config.Nearest(name, maps.Keys(known))
	if best == "" {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", contextPrefix+best)
}
