package plans

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"weir/ratelimit"
)

func TestRestart(t *testing.T) {
	clock := &hand{at: time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)}
	o := Options{Directory: t.TempDir(), Now: clock.now}
	s := openAt(t, o)
	plan, k := gold(t, s, 10, ratelimit.Month)
	second := must[Issued](t)(s.Rotate(k.Key.ID, time.Hour, ""))
	must[Key](t)(s.UpdateKey(k.Key.ID, func(k *Key) error { k.Description, k.Tags = "mine", map[string]string{"a": "b"}; return nil }))
	off := must[Issued](t)(s.CreateKey(NewKey{Name: "off"}))
	static := Static{
		Plans: []Plan{{ID: "fixed", Stages: stages("site/prod"), Quota: &Quota{Limit: 5, Period: ratelimit.Day}}},
		Keys:  []StaticKey{{Name: "fix", Value: valueOf(1), Plans: []string{"fixed"}}},
	}
	if err := s.Publish(static); err != nil {
		t.Fatal(err)
	}
	must[Key](t)(s.AddPlanKey("fixed", k.Key.ID))
	fixed := must[Key](t)(s.FindKey(valueOf(1))).ID
	takes(member(t, s, k.Value, "pets/prod"), clock.now(), 4)
	takes(member(t, s, valueOf(1), "site/prod"), clock.now(), 3)
	before := must[Key](t)(s.Key(k.Key.ID))

	s = reopen(t, s, o)
	if after := must[Key](t)(s.Key(k.Key.ID)); after.Description != "mine" || after.Tags["a"] != "b" || !after.Created.Equal(before.Created) || !after.FormerUntil.Equal(before.FormerUntil) {
		t.Fatalf("got %+v; want %+v", after, before)
	}
	for _, value := range []string{k.Value, second.Value} {
		if got := member(t, s, value, "pets/prod").Used(clock.now()); got != 4 {
			t.Fatalf("used: got %d; want 4", got)
		}
	}
	if secrets, _ := s.SigningSecrets(k.Key.ID); len(secrets) != 2 || showSecret(secrets[0]) != second.SigningSecret {
		t.Fatal("the signing secrets are others after a restart")
	}
	if _, reason := s.Identify([]byte(off.Value)); reason != Disabled {
		t.Fatalf("got %s; want disabled", reason)
	}
	if i, _ := s.Identify([]byte(k.Value)); i != nil {
		if _, ok := i.Member("site/prod"); ok {
			t.Fatal("got a plan of the document before there is a document")
		}
	}
	if err := s.Publish(static); err != nil {
		t.Fatal(err)
	}
	if got := must[Key](t)(s.FindKey(valueOf(1))).ID; got != fixed {
		t.Fatalf("the id of a key of the document is %q after a restart; want %q", got, fixed)
	}
	if got := takes(member(t, s, valueOf(1), "site/prod"), clock.now(), 5); got != 2 {
		t.Fatalf("got %d more of a quota of 5 of which 3 were used", got)
	}
	member(t, s, k.Value, "site/prod")
	if err := s.RemovePlanKey("fixed", k.Key.ID); err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteKey(off.Key.ID); err != nil {
		t.Fatal(err)
	}
	must[Plan](t)(s.UpdatePlan(plan.ID, func(p *Plan) error { p.Stages = nil; return nil }))
	if err := s.DeletePlan(plan.ID); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, s, o)
	if stats := s.Stats(); stats.Keys != 1 || stats.Plans != 0 || !stats.Writable || stats.Failures != 0 {
		t.Fatalf("got %+v; want one key and no plan", stats)
	}
}

func TestFilesAreTheOwners(t *testing.T) {
	o := Options{Directory: filepath.Join(t.TempDir(), "data")}
	s := openAt(t, o)
	k := must[Issued](t)(s.CreateKey(NewKey{Name: "one"}))
	s = reopen(t, s, o)
	s.housekeep()
	for _, name := range []string{fileName, secretName, fileName + ".backup"} {
		info, err := os.Stat(filepath.Join(o.Directory, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: got %v, %v; want mode 0600", name, info, err)
		}
		content := must[[]byte](t)(os.ReadFile(filepath.Join(o.Directory, name)))
		if bytes.Contains(content, []byte(k.Value)) {
			t.Fatalf("%s has the value of a key", name)
		}
	}
	if entries := must[[]os.DirEntry](t)(os.ReadDir(o.Directory)); len(entries) != 3 {
		t.Fatalf("got %v; want three files", entries)
	}
}

func TestLocked(t *testing.T) {
	o := Options{Directory: t.TempDir()}
	s := openAt(t, o)
	must[Issued](t)(s.CreateKey(NewKey{Name: "one"}))
	if _, err := Open(o); !errors.Is(err, ErrLocked) {
		t.Fatalf("got %v; want %v", err, ErrLocked)
	}
}

func TestOtherFiles(t *testing.T) {
	f := func(want error, text string, change func(t *testing.T, directory string)) {
		t.Helper()
		o := Options{Directory: t.TempDir()}
		s := openAt(t, o)
		must[Issued](t)(s.CreateKey(NewKey{Name: "one"}))
		s.Close()
		change(t, o.Directory)
		if _, err := Open(o); !errors.Is(err, want) || !strings.Contains(err.Error(), text) {
			t.Fatalf("got %v; want one that is %q and says %q", err, want, text)
		}
	}
	edit := func(t *testing.T, directory string, p put) {
		db := must[*bolt.DB](t)(bolt.Open(filepath.Join(directory, fileName), 0o600, nil))
		defer db.Close()
		if err := db.Update(p.apply); err != nil {
			t.Fatal(err)
		}
	}
	f(ErrVersion, "run the newer weir", func(t *testing.T, d string) { edit(t, d, put{inMeta, versionKey, []byte("2")}) })
	f(ErrCorrupt, "no value", func(t *testing.T, d string) { edit(t, d, put{inKeys, "a", []byte("{}")}) })
	f(ErrCorrupt, secretName, func(t *testing.T, d string) { os.Remove(filepath.Join(d, secretName)) })
	f(ErrCorrupt, "hexadecimal", func(t *testing.T, d string) { os.WriteFile(filepath.Join(d, secretName), []byte("x"), 0o600) })
	f(ErrCorrupt, "not the one", func(t *testing.T, d string) {
		os.WriteFile(filepath.Join(d, secretName), []byte(strings.Repeat("00", 32)), 0o600)
	})
}

// TestDamage opens a file that was damaged in many ways: it is refused and left
// as it is, or what it has is what was put in.
func TestDamage(t *testing.T) {
	o := Options{Directory: t.TempDir()}
	s := openAt(t, o)
	plan, k := gold(t, s, 100, ratelimit.Month)
	var text strings.Builder
	text.WriteString("name,key,usageplanids\n")
	for n := range 300 {
		text.WriteString("n," + valueOf(n) + "," + plan.ID + "\n")
	}
	must[Imported](t)(s.ImportCSV(strings.NewReader(text.String()), true))
	takes(member(t, s, k.Value, "pets/prod"), time.Now(), 7)
	s.Close()
	path := filepath.Join(o.Directory, fileName)
	good := must[[]byte](t)(os.ReadFile(path))
	if err := os.WriteFile(path+".backup", good, 0o600); err != nil {
		t.Fatal(err)
	}

	refused := 0
	f := func(damaged []byte, mustRefuse bool) {
		t.Helper()
		os.Remove(path) // what bbolt leaves open of the one before is another file
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := Open(o)
		if err == nil {
			m := member(t, s, k.Value, "pets/prod")
			if stats, used := s.Stats(), m.Used(time.Now()); stats.Keys != 301 || used != 7 && used != 0 || mustRefuse {
				t.Fatalf("a damaged file of %d bytes was taken, %d were good: got %d keys, %d used", len(damaged), len(good), stats.Keys, used)
			}
			s.Close()
			return
		}
		refused++
		if left := must[[]byte](t)(os.ReadFile(path)); !errors.Is(err, ErrCorrupt) || !bytes.Equal(left, damaged) {
			t.Fatalf("got %v; want an error that is %q and the file as it was", err, ErrCorrupt)
		}
		if !strings.Contains(err.Error(), "to go on with the copy of") {
			t.Fatalf("got %v; want the way back", err)
		}
	}
	f(nil, true)
	f([]byte("no database"), true)
	f(good[:len(good)/8], true) // the upper half may be room for later
	f(good[:8192], true)
	f(good[:100], true)
	f(bytes.Repeat([]byte{0xa5}, len(good)), true)
	f(append(bytes.Clone(good[:8192]), bytes.Repeat([]byte{0xa5}, len(good)-8192)...), true)
	f(append(bytes.Clone(good[:16384]), make([]byte, len(good)-16384)...), true)
	dice := rand.New(rand.NewPCG(1, 2))
	for range 150 {
		damaged := bytes.Clone(good)
		for range 1 + dice.IntN(3) {
			damaged[dice.IntN(len(damaged))] ^= byte(1 + dice.IntN(255))
		}
		f(damaged, false)
	}
	t.Logf("%d damaged files were refused, the others were as good as before", refused)

	f(nil, true)
	_, err := Open(o)
	_, commands, _ := strings.Cut(err.Error(), "Z: ")
	if out, err := exec.Command("sh", "-c", commands).CombinedOutput(); err != nil {
		t.Fatalf("the commands %q of the error: %s %s", commands, err, out)
	}
	s = openAt(t, o)
	if got := member(t, s, k.Value, "pets/prod").Used(time.Now()); got != 7 {
		t.Fatalf("used after the copy was put back: got %d; want 7", got)
	}
}

// TestDamageUnderWay cuts the file off below a running store: changes are
// refused, and requests go on.
func TestDamageUnderWay(t *testing.T) {
	log := newLines()
	o := Options{Directory: t.TempDir(), Log: logTo(log), Flush: time.Millisecond}
	s := openAt(t, o)
	plan, k := gold(t, s, 100, ratelimit.Day)
	var text strings.Builder
	text.WriteString("name,key,usageplanids\n")
	for n := range 300 {
		text.WriteString("n," + valueOf(n) + "," + plan.ID + "\n")
	}
	must[Imported](t)(s.ImportCSV(strings.NewReader(text.String()), true))
	if err := os.Truncate(filepath.Join(o.Directory, fileName), 4096); err != nil {
		t.Fatal(err)
	}
	if got := takes(member(t, s, k.Value, "pets/prod"), time.Now(), 9); got != 9 {
		t.Fatalf("got %d of 9 requests through", got)
	}
	log.wait(t, alarmBegins)
	if _, err := s.CreateKey(NewKey{Name: "two"}); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v; want %v", err, ErrUnavailable)
	}
	s.Usage(plan.ID, "", time.Now(), time.Now(), Page{})
	s.housekeep()
	if stats := s.Stats(); stats.Writable || stats.LastError == "" {
		t.Fatalf("got %+v; want an alarm", stats)
	}
	if err := s.Close(); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v; want %v", err, ErrUnavailable)
	}
}
