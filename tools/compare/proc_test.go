package main

import (
	"os"
	"runtime"
	"testing"
	"testing/fstest"
	"time"
)

func TestParseStat(t *testing.T) {
	f := func(line string, want stat, wantError bool) {
		t.Helper()
		got, err := parseStat(line)
		if (err != nil) != wantError || got != want {
			t.Fatalf("parseStat(%q): got %+v, %v; want %+v, error %t", line, got, err, want, wantError)
		}
	}
	f("42 (nginx) S 7 42 42 0 -1 4194560 1 0 0 0 30 12 0 0 20 0", stat{pid: 42, parent: 7, cpu: 420 * time.Millisecond}, false)
	f("42 (a) b (c) R 7 42 42 0 -1 4194560 1 0 0 0 1 0 0 0 20 0", stat{pid: 42, parent: 7, cpu: 10 * time.Millisecond}, false)
	f("", stat{}, true)
	f("42 (nginx) S 7", stat{}, true)
	f("42 (nginx) S x 42 42 0 -1 4194560 1 0 0 0 30 12 0 0 20 0", stat{}, true)
}

func fakeProc() procfs {
	line := func(pid, parent, ticks string) *fstest.MapFile {
		return &fstest.MapFile{Data: []byte(pid + " (x) S " + parent + " 1 1 0 -1 0 0 0 0 0 " + ticks + " 1 0 0 20 0\n")}
	}
	return procfs{root: fstest.MapFS{
		"10/stat":         line("10", "1", "4"),
		"11/stat":         line("11", "10", "5"),
		"12/stat":         line("12", "11", "6"),
		"13/stat":         line("13", "1", "70"),
		"10/smaps_rollup": {Data: []byte("a-b ---p [rollup]\nRss: 999 kB\nPss:   100 kB\nPss_Dirty: 5 kB\n")},
		"11/smaps_rollup": {Data: []byte("Pss: 20 kB\n")},
		"12/smaps_rollup": {Data: []byte("Pss: 3 kB\n")},
		"13/smaps_rollup": {Data: []byte("Rss: 3 kB\n")},
		"stat":            {Data: []byte("cpu  9 9 9 9 9 9 9 9\ncpu0 1 2 3 400 500 4 5 6 0 0\ncpu1 0 0 0 0 0 0 0 0 0 0\n")},
		"self/stat":       {Data: []byte("not a number")},
	}}
}

func TestTreeCountsDescendants(t *testing.T) {
	cpu, err := fakeProc().cpu(10)
	if want := 180 * time.Millisecond; err != nil || cpu != want {
		t.Fatalf("got %s, %v; want %s", cpu, err, want)
	}
	if _, err := fakeProc().cpu(99); err == nil {
		t.Fatal("got no error for a process that is not there; want one")
	}
}

func TestPSS(t *testing.T) {
	got, err := fakeProc().pssKiB(10)
	if err != nil || got != 123 {
		t.Fatalf("got %d, %v; want 123", got, err)
	}
	if _, err := fakeProc().pssKiB(13); err == nil {
		t.Fatal("got no error without Pss; want one")
	}
}

func TestBusyLeavesIdlenessOut(t *testing.T) {
	got, err := fakeProc().busy(0)
	if want := 210 * time.Millisecond; err != nil || got != want {
		t.Fatalf("got %s, %v; want %s", got, err, want)
	}
	if _, err := fakeProc().busy(7); err == nil {
		t.Fatal("got no error for a processor that is not there; want one")
	}
}

func TestRealProc(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has /proc")
	}
	p := newProcfs()
	before, err := p.cpu(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for began := time.Now(); time.Since(began) < 60*time.Millisecond; {
	}
	after, err := p.cpu(os.Getpid())
	if err != nil || after <= before {
		t.Fatalf("got %s after %s, %v; want more after work", after, before, err)
	}
	if pss, err := p.pssKiB(os.Getpid()); err != nil || pss < 500 {
		t.Fatalf("got %d KiB, %v; want what a Go program has", pss, err)
	}
}
