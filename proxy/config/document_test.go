package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// headMark begins the comment at the head of a bad document that lists what is
// wrong with it, one mistake a line.
const headMark = "# want:"

// TestBad reads each bad document and compares all its mistakes with its head.
func TestBad(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.yaml")
	if err != nil || len(files) < 30 {
		t.Fatalf("got %d bad documents, %v; want at least 30", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if os.Getenv("WEIR_GOLDEN") != "" {
				renewHead(t, file, string(text))
				return
			}
			head, _ := cutHead(string(text))
			if got := mistakesOf(t, file, string(text)); got != head {
				t.Fatalf("got mistakes\n%s\nwant\n%s", got, head)
			}
		})
	}
}

// cutHead parts the expected mistakes from the document.
func cutHead(text string) (head, body string) {
	if !strings.HasPrefix(text, headMark+"\n") {
		return "", text
	}
	var lines []string
	body = strings.TrimPrefix(text, headMark+"\n")
	for strings.HasPrefix(body, "#   ") {
		line, rest, _ := strings.Cut(body, "\n")
		lines, body = append(lines, strings.TrimPrefix(line, "#   ")), rest
	}
	return strings.Join(lines, "\n"), body
}

func mistakesOf(t *testing.T, file, text string) string {
	t.Helper()
	_, err := Parse(file, []byte(text))
	var mistakes *Mistakes
	if !errors.As(err, &mistakes) {
		t.Fatalf("got error %v; want mistakes", err)
	}
	lines := strings.Split(mistakes.Error(), "\n")
	for i := range lines {
		lines[i] = strings.TrimPrefix(lines[i], file+":")
	}
	return strings.Join(lines, "\n")
}

// renewHead writes the mistakes as they are; twice, because the length of the
// head moves the lines.
func renewHead(t *testing.T, file, text string) {
	_, body := cutHead(text)
	for range 3 {
		got := mistakesOf(t, file, text)
		text = headMark + "\n#   " + strings.ReplaceAll(got, "\n", "\n#   ") + "\n" + body
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
