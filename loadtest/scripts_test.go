package loadtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestShellScriptsParse(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	for _, script := range []string{"run.sh", "../tools/setup.sh"} {
		if said, err := exec.Command(bash, "-n", script).CombinedOutput(); err != nil {
			t.Errorf("%s: got %v: %s; want it to parse", script, err, said)
		}
	}
}

func TestRunRefusesAnUnknownScenario(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("there is no bash here")
	}
	for _, name := range []string{"flood", "settings"} {
		said, err := exec.Command(bash, "run.sh", name).CombinedOutput()
		if err == nil || !strings.Contains(string(said), "unknown scenario") {
			t.Errorf("%s: got %v: %s; want it refused", name, err, said)
		}
	}
}

// Every scenario has thresholds of its own and a line in the README.
func TestScenariosHaveThresholds(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	scripts, err := filepath.Glob("*.js")
	if err != nil || len(scripts) < 6 {
		t.Fatalf("got %q, %v; want the scenarios", scripts, err)
	}
	for _, script := range scripts {
		name := strings.TrimSuffix(script, ".js")
		if name == "settings" {
			continue
		}
		text, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "thresholds: {") {
			t.Errorf("%s: got no thresholds; want some", script)
		}
		if !strings.Contains(string(readme), "| "+name+" |") {
			t.Errorf("README.md: got no line for %s; want one", name)
		}
	}
}
