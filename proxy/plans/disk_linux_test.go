package plans

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"weir/ratelimit"
)

// tiny mounts a file system of size bytes.
func tiny(t *testing.T, size int) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("cannot mount a small file system: %s", err)
	}
	t.Cleanup(func() { syscall.Unmount(directory, syscall.MNT_DETACH) })
	return directory
}

func TestFullDisk(t *testing.T) {
	log := newLines()
	o := Options{Directory: tiny(t, 1<<20), Log: logTo(log), Flush: time.Millisecond}
	s := openAt(t, o)
	plan, k := gold(t, s, 1000, ratelimit.Month)
	m := member(t, s, k.Value, "pets/prod")
	takes(m, time.Now(), 10)
	many := []string{"name,key,usageplanids"}
	for n := range 500 {
		many = append(many, "n,"+valueOf(n)+","+plan.ID)
	}
	must[Imported](t)(s.ImportCSV(strings.NewReader(strings.Join(many, "\n")), true))
	filler := filepath.Join(o.Directory, "filler")
	fill(t, filler)

	// A few counts are written even now: bbolt has free pages for as much as it
	// frees. Those of many keys are not.
	for n := range 500 {
		takes(member(t, s, valueOf(n), "pets/prod"), time.Now(), 3)
	}
	log.wait(t, alarmBegins)
	if got := takes(m, time.Now(), 20); got != 20 {
		t.Fatalf("got %d of 20 requests through with a full disk", got)
	}
	for failures := s.Stats().Failures; s.Stats().Failures < failures+3; {
		time.Sleep(time.Millisecond) // until it was tried again some times
	}
	if stats := s.Stats(); stats.Writable || !strings.Contains(stats.LastError, "no space left") || log.count(alarmBegins) != 1 || log.count(alarmEnds) != 0 {
		t.Fatalf("got %+v and %q; want one alarm", stats, log.all)
	}
	var err error
	var kept []string
	for n := 500; err == nil; n++ {
		if n == 10_000 {
			t.Fatal("got 10000 keys onto a full disk")
		}
		var k Issued
		if k, err = s.CreateKey(NewKey{Name: strings.Repeat("n", 1000), Value: valueOf(n), Enabled: true}); err == nil {
			kept = append(kept, k.Value)
		}
	}
	if !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), "no space left") {
		t.Fatalf("got %v; want one that is %q and says why", err, ErrUnavailable)
	}
	if _, reason := s.Identify([]byte(valueOf(500 + len(kept)))); reason != Unknown {
		t.Fatalf("a key that was not kept is %s", reason)
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	log.wait(t, alarmEnds)
	kept = append(kept, must[Issued](t)(s.CreateKey(NewKey{Name: "again", Enabled: true})).Value)
	takes(m, time.Now(), 1)

	s = reopen(t, s, o)
	if got := member(t, s, k.Value, "pets/prod").Used(time.Now()); got != 31 {
		t.Fatalf("used: got %d; want all 31", got)
	}
	for n := range 500 {
		if got := member(t, s, valueOf(n), "pets/prod").Used(time.Now()); got != 3 {
			t.Fatalf("used by key %d: got %d; want 3", n, got)
		}
	}
	for _, value := range kept {
		if i, reason := s.Identify([]byte(value)); i == nil {
			t.Fatalf("a key that was kept is %s", reason)
		}
	}
}

// fill takes all room that there is.
func fill(t *testing.T, path string) {
	t.Helper()
	f := must[*os.File](t)(os.Create(path))
	defer f.Close()
	for {
		if _, err := f.Write(make([]byte, 4096)); errors.Is(err, syscall.ENOSPC) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestReadOnlyDirectory(t *testing.T) {
	log := newLines()
	o := Options{Directory: tiny(t, 1<<20), Log: logTo(log), Flush: time.Millisecond}
	s := openAt(t, o)
	plan, k := gold(t, s, 1000, ratelimit.Month)
	takes(member(t, s, k.Value, "pets/prod"), time.Now(), 10)
	s.Close()
	remount := func(flags uintptr) {
		t.Helper()
		if err := syscall.Mount("none", o.Directory, "tmpfs", syscall.MS_REMOUNT|flags, ""); err != nil {
			t.Skipf("cannot make the file system read-only: %s", err)
		}
	}
	remount(syscall.MS_RDONLY)

	s = openAt(t, o)
	log.wait(t, alarmBegins)
	m := member(t, s, k.Value, "pets/prod")
	if got := takes(m, time.Now(), 5); got != 5 || m.Used(time.Now()) != 15 {
		t.Fatalf("got %d of 5 through, %d used; want 15", got, m.Used(time.Now()))
	}
	if _, err := s.CreateKey(NewKey{Name: "two"}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v; want %v", err, ErrUnavailable)
	}
	if u, err := s.Usage(plan.ID, "", time.Now(), time.Now(), Page{}); err != nil || u.Keys[0].Days[0] != [2]int64{15, 985} {
		t.Fatalf("usage: got %v, %v", u, err)
	}
	remount(0)
	log.wait(t, alarmEnds)
	s = reopen(t, s, o)
	if got := member(t, s, k.Value, "pets/prod").Used(time.Now()); got != 15 {
		t.Fatalf("used: got %d; want 15", got)
	}
}

func TestDirectoryThatCannotBe(t *testing.T) {
	log := newLines()
	blocked := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := Options{Directory: filepath.Join(blocked, "data"), Log: logTo(log), Flush: time.Millisecond}
	s := openAt(t, o)
	static := Static{
		Plans: []Plan{{ID: "fixed", Stages: stages("site/prod"), Quota: &Quota{Limit: 5, Period: ratelimit.Day}}},
		Keys:  []StaticKey{{Name: "fix", Value: valueOf(1), Plans: []string{"fixed"}}},
	}
	if err := s.Publish(static); err != nil {
		t.Fatal(err)
	}
	if got := takes(member(t, s, valueOf(1), "site/prod"), time.Now(), 3); got != 3 {
		t.Fatalf("got %d of 3 through", got)
	}
	if _, err := s.CreateKey(NewKey{Name: "two"}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v; want %v", err, ErrUnavailable)
	}
	log.wait(t, alarmBegins)
	if err := os.Remove(blocked); err != nil {
		t.Fatal(err)
	}
	log.wait(t, alarmEnds)
	s = reopen(t, s, o)
	if err := s.Publish(static); err != nil {
		t.Fatal(err)
	}
	if got := member(t, s, valueOf(1), "site/prod").Used(time.Now()); got != 3 {
		t.Fatalf("used: got %d; want 3", got)
	}
}
