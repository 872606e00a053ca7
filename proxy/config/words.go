package config

import "strings"

// listed writes names as a sentence does: a, b or c.
func listed(names []string) string { return joined(names, "or") }

func joined(names []string, word string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}

// clip cuts a text that would fill the screen and is shown without quotes.
func clip(text string) string {
	quoted := quote(text)
	return quoted[1 : len(quoted)-1]
}

func isLetterOrDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// isToken reports whether a text is a token of RFC 9110 §5.6.2: a method or the
// name of a header.
func isToken(text string) bool {
	for i := 0; i < len(text); i++ {
		if !isLetterOrDigit(text[i]) && strings.IndexByte("!#$%&'*+-.^_`|~", text[i]) < 0 {
			return false
		}
	}
	return text != ""
}

// isName reports whether a text can name an API, an upstream or a listener.
func isName(text string) bool {
	if text == "" || len(text) > 128 || text[0] == '-' {
		return false
	}
	return isWord(text, "_-")
}

// isWord reports whether a text has letters, digits and the other bytes only.
func isWord(text, others string) bool {
	for i := 0; i < len(text); i++ {
		if !isLetterOrDigit(text[i]) && strings.IndexByte(others, text[i]) < 0 {
			return false
		}
	}
	return text != ""
}
