package plans

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"weir/ratelimit"
)

// lines is a log that can be waited for.
type lines struct {
	mutex sync.Mutex
	all   []string
	added chan struct{}
}

func newLines() *lines { return &lines{added: make(chan struct{}, 1)} }

func (l *lines) Write(line []byte) (int, error) {
	l.mutex.Lock()
	l.all = append(l.all, string(line))
	l.mutex.Unlock()
	select {
	case l.added <- struct{}{}:
	default:
	}
	return len(line), nil
}

func (l *lines) count(text string) (n int) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	for _, line := range l.all {
		if strings.Contains(line, text) {
			n++
		}
	}
	return n
}

func (l *lines) wait(t *testing.T, text string) {
	t.Helper()
	for deadline := time.After(20 * time.Second); l.count(text) == 0; {
		select {
		case <-l.added:
		case <-deadline:
			t.Fatalf("the log has no line with %q: %q", text, l.all)
		}
	}
}

const (
	alarmBegins = "cannot keep keys, plans and usage"
	alarmEnds   = "are kept again"
)

// hand is a clock that is set by hand.
type hand struct {
	mutex sync.Mutex
	at    time.Time
}

func (h *hand) now() time.Time {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	return h.at
}

func (h *hand) set(at time.Time) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	h.at = at
}

func open(t testing.TB) *Store { return openAt(t, Options{}) }

func openAt(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// reopen closes s and opens what it has kept.
func reopen(t testing.TB, s *Store, o Options) *Store {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return openAt(t, o)
}

func must[T any](t testing.TB) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// stages are named as in "pets/prod".
func stages(names ...string) (out []Stage) {
	for _, name := range names {
		api, stage, _ := strings.Cut(name, "/")
		out = append(out, Stage{API: api, Stage: stage})
	}
	return out
}

// gold makes a plan for pets/prod with a quota, and a key in it.
func gold(t testing.TB, s *Store, limit int64, period ratelimit.Period) (Plan, Issued) {
	t.Helper()
	p := must[Plan](t)(s.CreatePlan(Plan{Name: "gold", Stages: stages("pets/prod"), Quota: &Quota{Limit: limit, Period: period}}))
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one", Enabled: true}))
	must[Key](t)(s.AddPlanKey(p.ID, k.Key.ID))
	return p, k
}

func member(t testing.TB, s *Store, value, stage string) Member {
	t.Helper()
	i, reason := s.Identify([]byte(value))
	if i == nil {
		t.Fatalf("the key is %s; want known", reason)
	}
	m, ok := i.Member(stage)
	if !ok {
		t.Fatalf("the key has no plan for %q", stage)
	}
	return m
}

func takes(m Member, now time.Time, n int) (allowed int) {
	for range n {
		if d, _ := m.Take(now); d.Allowed {
			allowed++
		}
	}
	return allowed
}

func logTo(l *lines) zerolog.Logger { return zerolog.New(l) }

func valueOf(n int) string { return fmt.Sprintf("value-%034d", n) }
