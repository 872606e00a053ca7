package proxy

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestKeysGuide runs the commands of docs/api-keys.md in their order: each must
// do what the page says, with the ids that are given here.
func TestKeysGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not here")
	}
	_, err := exec.LookPath("aws")
	hasAWS := err == nil
	page, err := os.ReadFile("../docs/api-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	g := startGateway(t, strings.ReplaceAll(documentOf(t, string(page)), "upstream: pets", "answer: {}"), withControl)
	directory := t.TempDir()
	file := regexp.MustCompile("(?s)```csv\n(.*?)```").FindSubmatch(page)
	if err := os.WriteFile(filepath.Join(directory, "keys.csv"), file[1], 0o600); err != nil {
		t.Fatal(err)
	}
	var (
		before strings.Builder // what lines before have set
		answer []byte
		ran    int
	)
	given := regexp.MustCompile(`^([a-z]+)=[A-Za-z0-9]+$`)
	local := strings.NewReplacer("localhost:8081", g.ControlAddress(), "localhost:8080", g.address())
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.TrimSpace(line)
			switch name := given.FindStringSubmatch(line); {
			case name != nil:
				var made struct{ ID, Value string }
				if err := json.Unmarshal(answer, &made); err != nil || made.ID == "" {
					t.Fatalf("%s: the answer before is %s; want an id in it", line, answer)
				}
				set := made.ID
				if name[1] == "value" {
					set = made.Value
				}
				before.WriteString(name[1] + "=" + set + "\n")
				continue
			case strings.HasPrefix(line, "export "):
				before.WriteString(local.Replace(line) + "\n")
				continue
			case strings.HasPrefix(line, "aws ") && !hasAWS:
				continue
			case strings.HasPrefix(line, "curl "):
				line = "curl -sSf --max-time 10 " + strings.TrimPrefix(line, "curl ")
			}
			cmd := exec.CommandContext(t.Context(), "sh", "-c", before.String()+local.Replace(line))
			cmd.Dir = directory
			if answer, err = cmd.CombinedOutput(); err != nil {
				t.Fatalf("%s: %v\n%s", line, err, answer)
			}
			ran++
		}
	}
	if ran < 15 {
		t.Errorf("got %d commands; want all of the page", ran)
	}
	if got := g.ask("GET", "/usageplans").Body; !strings.Contains(got, `"item": []`) {
		t.Errorf("after the page: got %s; want no plans", got)
	}
}

// documentOf returns the document that a page shows first, indented.
func documentOf(t *testing.T, page string) string {
	t.Helper()
	found := regexp.MustCompile(`(?m)(^    .*\n)+`).FindString(page)
	if !strings.HasPrefix(found, "    apis:") {
		t.Fatalf("got %q; want a document", found)
	}
	return regexp.MustCompile(`(?m)^    `).ReplaceAllString(found, "")
}
