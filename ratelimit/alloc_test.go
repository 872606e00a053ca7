//go:build !race

package ratelimit

import (
	"bytes"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"testing"
	"time"
)

func TestAlloc(t *testing.T) {
	table, gate := NewTable(100), NewGate(100)
	identity := []byte("plan\x00203.0.113.7")
	var bucket Bucket
	var usage Usage
	var top Top
	r := rate(t, 1e6, 10)
	q := Quota{Limit: 1000, Offset: 1, Period: Month, First: time.Now()}
	wall, now, key := time.Now(), int64(0), uint64(0)
	f := func(name string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(1000, run); n != 0 {
			t.Errorf("%s: got %v allocations; want 0", name, n)
		}
	}
	f("take", func() { now++; table.Take(table.Key(identity), now, r, time.Second) })
	f("take with new keys", func() { now += 10; key++; table.Take(key, now, r, 0) })
	f("take without room", func() { key++; table.Take(key, now, rate(t, 1, 10), 0) })
	f("peek and return", func() { table.Peek(key, now, r, 0); table.Return(key, r) })
	f("bucket", func() { now++; bucket.Take(now, r, 0); bucket.Return(r) })
	f("gate", func() { p, _ := gate.Enter(1, 3); gate.Leave(p) })
	f("gate with new keys", func() { key++; p, _ := gate.Enter(key, 3); gate.Leave(p) })
	f("usage", func() { usage.Take(wall, q); usage.Peek(wall, q); usage.Return(wall, q) })
	f("top", func() { key++; top.Observe(key) })
}

// TestAllocOfMillion fills a table with a million keys that are all in use.
func TestAllocOfMillion(t *testing.T) {
	before, r := heap(), rate(t, 1, 10)
	table := NewTable(million)
	for range million {
		table.Take(rand.Uint64(), 1, r, 0)
	}
	took := heap() - before
	stats := table.Stats(1)
	if took > 40_000_000 || stats.Overflowed > 20 || stats.Live != million-int(stats.Overflowed) {
		t.Errorf("got %+v in %d bytes; want a million live in 40 MB", stats, took)
	}
	t.Logf("%+v in %d bytes", stats, took)
}

// TestAllocLazy makes a table far larger than what its few keys need, in a
// process of its own: memory that the runtime has used before would be cleared.
func TestAllocLazy(t *testing.T) {
	const fresh = "WEIR_TEST_FRESH"
	if os.Getenv(fresh) == "" {
		child := exec.Command(os.Args[0], "-test.run=^TestAllocLazy$")
		child.Env = append(os.Environ(), fresh+"=1")
		if out, err := child.CombinedOutput(); err != nil {
			t.Errorf("in a process of its own: %v\n%s", err, out)
		}
		return
	}
	before, r := resident(t), rate(t, 1, 10)
	table := NewTable(10 * million)
	for key := range uint64(10) {
		table.Take(key, 1, r, 0)
	}
	// With large pages each key costs up to 2 MiB.
	if took := resident(t) - before; took > 64<<20 {
		t.Errorf("got %d bytes resident for ten keys; want far less than the 256 MB of the table", took)
	}
	runtime.KeepAlive(table)
}

// resident returns the bytes of the process that are in memory.
func resident(t *testing.T) int {
	t.Helper()
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Skip("the system does not tell what is resident")
	}
	pages, err := strconv.Atoi(string(bytes.Fields(statm)[1]))
	if err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}
