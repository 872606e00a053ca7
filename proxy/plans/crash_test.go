package plans

import (
	"bufio"
	"encoding/binary"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/ratelimit"
)

// inChild is set in the process that TestKill starts and kills.
const inChild = "WEIR_TEST_PLANS_DIRECTORY"

// report is how many requests the child counts between two words to its parent.
const report = 1000

// TestChild counts as fast as it can, and says how far it is, until it is
// killed. It makes keys as well, and names each that is kept.
func TestChild(t *testing.T) {
	directory := os.Getenv(inChild)
	if directory == "" {
		t.Skip("it is for TestKill")
	}
	s := must[*Store](t)(Open(Options{Directory: directory}))
	m := member(t, s, valueOf(1), "pets/prod")
	go func() {
		for {
			k := must[Issued](t)(s.CreateKey(NewKey{Name: "made", Enabled: true}))
			os.Stderr.WriteString(k.Value + "\n")
		}
	}()
	out := bufio.NewWriterSize(os.Stdout, 8)
	for n := uint64(m.Used(time.Now())); ; {
		for range report {
			m.Take(time.Now())
		}
		n += report
		out.Write(binary.BigEndian.AppendUint64(nil, n))
	}
}

// told is a word of the child, and when it came.
type told struct {
	at    time.Time
	count int64
}

func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	o := Options{Directory: t.TempDir()}
	s := openAt(t, o)
	p := must[Plan](t)(s.CreatePlan(Plan{Name: "p", Stages: stages("pets/prod"), Quota: &Quota{Limit: MaxQuota, Period: ratelimit.Month}}))
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true, Value: valueOf(1)}))
	must[Key](t)(s.AddPlanKey(p.ID, k.Key.ID))
	// More keys than one page has, so that pages split and move.
	for range 5 {
		must[Imported](t)(s.ImportCSV(strings.NewReader("name,key\na,"+random(alphanumeric, 40)+"\nb,"+random(alphanumeric, 40)+"\n"), true))
	}
	s.Close()
	for _, life := range []time.Duration{1500 * time.Millisecond, 30 * time.Millisecond, 70 * time.Millisecond, 110 * time.Millisecond} {
		words, values, killed := runAndKill(t, o.Directory, life)
		s := openAt(t, o)
		used := member(t, s, valueOf(1), "pets/prod").Used(time.Now())
		last, safe, lost := words[len(words)-1].count, int64(0), killed.Sub(words[0].at)
		for _, w := range words {
			if killed.Sub(w.at) >= time.Second {
				safe = w.count
			}
			if w.count <= used {
				lost = killed.Sub(w.at)
			}
		}
		if used < safe || used > last+report {
			t.Fatalf("killed after %s: %d requests are kept; want at least %d, which were counted a second before, and at most %d", life, used, safe, last+report)
		}
		for _, value := range values {
			if i, reason := s.Identify([]byte(value)); i == nil {
				t.Fatalf("killed after %s: a key that was made is %s", life, reason)
			}
		}
		t.Logf("killed after %s: %d of %d requests kept, %s lost, %d keys made", life, used, last, lost, len(values))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// runAndKill lets a child count for a while after its first word.
func runAndKill(t *testing.T, directory string, life time.Duration) (words []told, values []string, killed time.Time) {
	t.Helper()
	child := exec.Command(os.Args[0], "-test.run=^TestChild$")
	child.Env = append(os.Environ(), inChild+"="+directory)
	out := must[io.ReadCloser](t)(child.StdoutPipe())
	errs := must[io.ReadCloser](t)(child.StderrPipe())
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	named := make(chan []string)
	go func() {
		all, _ := io.ReadAll(errs)
		lines := strings.Split(string(all), "\n")
		named <- lines[:len(lines)-1] // the last one may be a part
	}()
	ended := make(chan time.Time, 1)
	var word [8]byte
	for {
		if _, err := io.ReadFull(out, word[:]); err != nil {
			break
		}
		words = append(words, told{time.Now(), int64(binary.BigEndian.Uint64(word[:]))})
		if len(words) == 1 {
			time.AfterFunc(life, func() {
				child.Process.Signal(syscall.SIGKILL)
				ended <- time.Now()
			})
		}
	}
	values = <-named
	child.Wait()
	if len(words) == 0 {
		t.Fatalf("the child has said nothing but %q", values)
	}
	return words, slices.DeleteFunc(values, func(v string) bool { return len(v) != newValue }), <-ended
}
