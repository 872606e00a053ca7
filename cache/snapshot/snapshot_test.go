package snapshot

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"weir/cache"
	"weir/cache/policy"
	"weir/cache/record"

	"github.com/rs/zerolog"
)

// lines is a log that tests read.
type lines struct {
	mutex sync.Mutex
	text  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return l.text.String()
}

// warnings returns how many lines of warnings there are.
func (l *lines) warnings() int { return strings.Count(l.String(), `"level":"warn"`) }

func options(t *testing.T, directory string) (Options, *lines) {
	t.Helper()
	log := new(lines)
	return Options{Path: filepath.Join(directory, "cache.snapshot"), Log: zerolog.New(log)}, log
}

func newCache(t *testing.T) *cache.Cache {
	t.Helper()
	c, err := cache.New(cache.Config{Size: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// nobody selects nothing.
type nobody struct{}

func (nobody) AppendSelected(dst []byte, _ string) []byte { return dst }

func keyOf(n int) *cache.Key {
	k := new(cache.Key)
	k.Reset()
	k.AddString(fmt.Sprint("GET /", n))
	k.Place = cache.Place{Stage: "site/prod", Host: []byte("example.org"), Path: fmt.Append(nil, "/", n)}
	return k
}

// put stores answer n, with terms that change may change.
func put(t *testing.T, c *cache.Cache, n, size int, change func(*cache.Entry)) {
	t.Helper()
	f, leads := c.Begin(keyOf(n), nobody{}, nil)
	if !leads {
		t.Fatal("somebody else fetches")
	}
	e := &cache.Entry{
		Status: 200, Lines: fmt.Appendf(nil, "Date: now\r\nN: %d\r\n", n), At: c.Now(), Tags: [][]byte{fmt.Append(nil, "tag-", n%10)},
		Terms: policy.Terms{Lifetime: time.Hour, Source: policy.FromMaxAge},
		Body:  cache.WholeBody(bytes.Repeat([]byte{byte(n)}, size)),
	}
	if change != nil {
		change(e)
	}
	f.Answer(e, nobody{})
	f.Done(nil)
}

// get returns what is stored, whole and right.
func get(t *testing.T, c *cache.Cache, n int) cache.Found {
	t.Helper()
	found := c.Lookup(keyOf(n), nobody{})
	if e := found.Entry; e != nil {
		if want := fmt.Sprintf("Date: now\r\nN: %d\r\n", n); string(e.Lines) != want || len(bytes.Trim(e.Body.Whole(), string([]byte{byte(n)}))) > 0 {
			t.Fatalf("%d: got %q with the content of another", n, e.Lines)
		}
	}
	return found
}

func save(t *testing.T, c *cache.Cache, o Options) {
	t.Helper()
	if err := Save(context.Background(), c, o); err != nil {
		t.Fatal(err)
	}
}

func load(t *testing.T, c *cache.Cache, o Options) *Loading {
	t.Helper()
	l := Load(c, o)
	t.Cleanup(l.Stop)
	if !l.Wait(20 * time.Second) {
		t.Fatal("it does not end")
	}
	return l
}

func TestRestart(t *testing.T) {
	o, log := options(t, t.TempDir())
	o.Position = record.Position{Time: 5, Count: 6}
	before := newCache(t)
	const n = 3000
	for i := range n {
		put(t, before, i, i%5*500, nil)
	}
	put(t, before, n, 3<<20, func(e *cache.Entry) {
		e.Body = cache.NewBody(-1)
		for range 3 << 20 {
			e.Body.Room()[0] = byte(n % 256)
			e.Body.Commit(1)
		}
		e.Body.End([]byte("Sum: 1\r\n"), nil)
	})
	before.Purge(cache.Purge{Tags: []string{"tag-3"}})
	before.Purge(cache.Purge{Soft: true, Tags: []string{"tag-4"}})
	save(t, before, o)
	if info, err := os.Stat(o.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("got %v, %v; want a file of mode 0600", info.Mode(), err)
	}

	after := newCache(t)
	l := load(t, after, o)
	if l.Position() != o.Position {
		t.Errorf("position: got %v; want %v", l.Position(), o.Position)
	}
	for i := range n + 1 {
		found := get(t, after, i)
		if gone := found.Entry == nil; gone != (i%10 == 3) {
			t.Fatalf("%d: gone is %t", i, gone)
		}
		if found.Entry != nil && found.Validate != (i%10 == 4) {
			t.Fatalf("%d: validate is %t", i, found.Validate)
		}
	}
	var c cache.Cursor
	c.Begin(get(t, after, n).Entry.Body, 0, -1)
	for len(c.Take()) > 0 {
	}
	if string(c.Trailers()) != "Sum: 1\r\n" {
		t.Errorf("trailers: got %q", c.Trailers())
	}
	if log.warnings() > 0 {
		t.Errorf("got warnings: %s", log)
	}
	if _, err := os.Stat(o.Path); !os.IsNotExist(err) {
		t.Errorf("the file is still there, and would bring back what is purged now: %v", err)
	}
}

// What is purged while it loads, and before, holds for what is loaded later.
func TestPurgesWhileLoading(t *testing.T) {
	o, _ := options(t, t.TempDir())
	before := newCache(t)
	for i := range 2000 {
		put(t, before, i, 10, nil)
	}
	save(t, before, o)
	after := newCache(t)
	l := Load(after, o)
	defer l.Stop()
	after.Purge(cache.Purge{Tags: []string{"tag-7"}})
	put(t, after, 5, 11, nil)
	if !l.Wait(20 * time.Second) {
		t.Fatal("it does not end")
	}
	for i := range 2000 {
		if gone := get(t, after, i).Entry == nil; gone != (i%10 == 7) {
			t.Fatalf("%d: gone is %t", i, gone)
		}
	}
	if got := get(t, after, 5).Entry.Body.Size(); got != 11 {
		t.Errorf("what came later was replaced: got %d bytes; want 11", got)
	}
}

func TestAgesGoOn(t *testing.T) {
	o, _ := options(t, t.TempDir())
	before := newCache(t)
	put(t, before, 1, 10, func(e *cache.Entry) { e.At -= int64(10 * time.Second) })
	put(t, before, 2, 10, func(e *cache.Entry) { e.At -= int64(59 * time.Minute) })
	put(t, before, 3, 10, func(e *cache.Entry) { e.At -= int64(61 * time.Minute) })
	save(t, before, o)
	content, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name string, saved func(moment) moment, least, most time.Duration) {
		t.Helper()
		h, err := readHeader(bytes.NewReader(content))
		if err != nil {
			t.Fatal(err)
		}
		length := len(h.append(nil))
		wall := h.saved.wall
		h.saved = saved(h.saved)
		// The records say when they were received by the same clock.
		in, err := newReader(bytes.NewReader(content), int64(len(content)))
		if err != nil {
			t.Fatal(err)
		}
		_ = length
		var b bytes.Buffer
		w, err := newWriter(&b, h.saved, h.position)
		if err != nil {
			t.Fatal(err)
		}
		for r := in.next(); r != nil; r = in.next() {
			r.Received += h.saved.wall - wall
			if _, err := w.add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.end(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(o.Path, b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
		c := newCache(t)
		load(t, c, o)
		e := get(t, c, 1).Entry
		if e == nil {
			if least >= 0 {
				t.Errorf("%s: there is no entry", name)
			}
			return
		}
		if age := time.Duration(c.Now() - e.At); age < least || age > most || least < 0 {
			t.Errorf("%s: got an age of %s; want %s to %s", name, age, least, most)
		}
		if get(t, c, 3).Entry != nil {
			t.Errorf("%s: what is of no use is restored", name)
		}
	}
	const slack = 20 * time.Second
	f("at once", func(m moment) moment { return m }, 10*time.Second, 10*time.Second+slack)
	f("after 20 minutes", func(m moment) moment {
		m.wall -= int64(20 * time.Minute)
		return m
	}, 20*time.Minute, 20*time.Minute+10*time.Second+slack)
	f("the clock has stepped back by a day", func(m moment) moment {
		m.wall += int64(24 * time.Hour)
		return m
	}, 10*time.Second, 10*time.Second+slack)
	f("the clock has stepped back, and the system was started anew", func(m moment) moment {
		m.wall += int64(24 * time.Hour)
		m.boot = "another"
		return m
	}, -1, 0)
}

func TestFilesThatAreNone(t *testing.T) {
	f := func(name string, make func(path string) error, want string) {
		t.Helper()
		o, log := options(t, t.TempDir())
		if err := make(o.Path); err != nil {
			t.Fatal(err)
		}
		c := newCache(t)
		l := load(t, c, o)
		if l.Restored() != 0 || l.Position() != (record.Position{}) || log.warnings() != 1 || !strings.Contains(log.String(), want) {
			t.Errorf("%s: got %d entries and the log %s; want one warning: %s", name, l.Restored(), log, want)
		}
	}
	write := func(content string, mode os.FileMode) func(string) error {
		return func(path string) error {
			if err := os.WriteFile(path, []byte(content), mode); err != nil {
				return err
			}
			return os.Chmod(path, mode)
		}
	}
	f("an empty file", write("", 0o600), errHeader.Error())
	f("another file", write("<html>", 0o600), errHeader.Error())
	f("another version", write(signature+"\xff"+strings.Repeat("x", 100), 0o600), errVersion.Error())
	f("a file of everybody", write(signature, 0o666), "everybody may write it")
	f("a directory", func(path string) error { return os.Mkdir(path, 0o700) }, "no regular file")
	f("a link", func(path string) error { return os.Symlink("/etc/passwd", path) }, "symbolic links")

	o, log := options(t, t.TempDir())
	if l := load(t, newCache(t), o); l.Restored() != 0 || log.String() != "" {
		t.Errorf("no file: got %s", log)
	}
}

func TestDamagedFile(t *testing.T) {
	o, log := options(t, t.TempDir())
	before := newCache(t)
	for i := range 1000 {
		put(t, before, i, 1000, nil)
	}
	save(t, before, o)
	content, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	clear(content[len(content)/3 : len(content)/3+4096])
	if err := os.WriteFile(o.Path, content[:len(content)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	c := newCache(t)
	l := load(t, c, o)
	if l.Restored() < 600 || l.Restored() > 670 || log.warnings() != 1 || !strings.Contains(log.String(), `"truncated":true,"damaged":`) ||
		strings.Contains(log.String(), `"damaged":0`) {
		t.Errorf("got %d entries and the log %s; want about 660 and one warning", l.Restored(), log)
	}
	for i := range 1000 {
		get(t, c, i)
	}
}

func TestTimeIsOver(t *testing.T) {
	o, log := options(t, t.TempDir())
	o.Within = time.Nanosecond
	c := newCache(t)
	for i := range 100 {
		put(t, c, i, 1000, nil)
	}
	save(t, c, o)
	if !strings.Contains(log.String(), "its time is over") {
		t.Errorf("got the log %s", log)
	}
	if l := load(t, newCache(t), o); l.Restored() > 99 {
		t.Errorf("got %d entries without any time", l.Restored())
	}
}

func TestStopLoading(t *testing.T) {
	o, _ := options(t, t.TempDir())
	before := newCache(t)
	for i := range 5000 {
		put(t, before, i, 100, nil)
	}
	save(t, before, o)
	l := Load(newCache(t), o)
	l.Stop()
	if !l.Wait(0) && !l.Wait(time.Second) {
		t.Error("it has not ended after Stop")
	}
}

func BenchmarkSnapshot(b *testing.B) {
	c, err := cache.New(cache.Config{Size: 512 << 20})
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	for i := range 100_000 {
		r := record.Record{Key: keyOf(i).Full(), Status: 200, Terms: policy.Terms{Lifetime: time.Hour}, Body: [][]byte{make([]byte, 2000)}}
		c.Restore(r.Entry(c.Now()), c.Number())
	}
	o := Options{Path: filepath.Join(b.TempDir(), "s"), Log: zerolog.Nop()}
	b.Run("Save", func(b *testing.B) {
		for b.Loop() {
			if err := Save(context.Background(), c, o); err != nil {
				b.Fatal(err)
			}
		}
		info, _ := os.Stat(o.Path)
		b.SetBytes(info.Size())
		b.ReportMetric(float64(c.Stats().Entries), "entries")
	})
	b.Run("Load", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			if err := Save(context.Background(), c, o); err != nil {
				b.Fatal(err)
			}
			info, _ := os.Stat(o.Path)
			b.SetBytes(info.Size())
			d, err := cache.New(cache.Config{Size: 512 << 20})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			l := Load(d, o)
			l.Wait(time.Minute)
			b.StopTimer()
			b.ReportMetric(float64(d.Stats().Entries), "entries")
			d.Close()
			b.StartTimer()
		}
	})
}
