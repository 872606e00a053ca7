package proxy

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestCachingGuide runs the commands of docs/caching.md in their order: each must
// do what the page says.
func TestCachingGuide(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not here")
	}
	page, err := os.ReadFile("../docs/caching.md")
	if err != nil {
		t.Fatal(err)
	}
	up, asked := counted(t, turns)
	g := startGateway(t, strings.ReplaceAll(documentOf(t, string(page)), "http://127.0.0.1:9000", up.url()), withControl)
	local := strings.NewReplacer("localhost:8081", g.ControlAddress(), "localhost:8080", g.address())
	ran := 0
	for _, block := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		for line := range strings.Lines(block[1]) {
			line = strings.Replace(strings.TrimSpace(line), "curl ", "curl -sSf --max-time 10 ", 1)
			answer, err := exec.CommandContext(t.Context(), "sh", "-c", local.Replace(line)).CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", line, err, answer)
			}
			if purges := strings.Contains(line, " -X "); purges && !strings.Contains(string(answer), `"purged"`) {
				t.Errorf("%s: got %s; want it purged", line, answer)
			}
			ran++
		}
	}
	if ran < 10 {
		t.Errorf("got %d commands; want all of the page", ran)
	}
	if n := asked.Load(); n != 1 {
		t.Errorf("got %d requests at the upstream; want the page's one", n)
	}
}
