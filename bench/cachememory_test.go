package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"weir/cache"
	"weir/proxy"
)

// cacheMemory is what the other process is told of by its environment: the size
// of the cache in MiB, the number of fills, the largest body, and how many times
// the size the memory may grow by.
const cacheMemory = "WEIR_CACHE_MEMORY"

// TestCacheMemory holds the memory of a process, as the system sees it, to the
// size of its cache. With "512 10000000 1048576 1.15" in WEIR_CACHE_MEMORY it does
// what the documents tell of; that takes a quarter of an hour.
func TestCacheMemory(t *testing.T) {
	if os.Getenv(cacheMemory+"_CHILD") != "" {
		fillCacheMemory(t, os.Getenv(cacheMemory))
		return
	}
	// On a machine that is busy with other tests the collector comes late.
	what := os.Getenv(cacheMemory)
	if what == "" && testing.Short() {
		t.Skip("the race detector takes several times the memory")
	}
	if what == "" {
		what = "256 15000 1048576 1.5"
	}
	c := exec.Command(os.Args[0], "-test.run=^TestCacheMemory$", "-test.v", "-test.timeout=1h")
	c.Env = append(os.Environ(), cacheMemory+"="+what, cacheMemory+"_CHILD=1")
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Fatal(err)
	}
}

func fillCacheMemory(t *testing.T, what string) {
	var size, fills, largest int64
	var most float64
	if _, err := fmt.Sscan(what, &size, &fills, &largest, &most); err != nil {
		t.Fatalf("cannot read %s %q: %v", cacheMemory, what, err)
	}
	size <<= 20
	runtime.GC()
	before := residentMemory(t, "VmRSS")
	c, err := cache.New(cache.Config{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	defer proxy.TuneCollector(64<<20, proxy.CacheMemory{Size: size, Used: func() int64 { return c.Stats().Bytes }})()

	var next, highest atomic.Int64
	var all sync.WaitGroup
	began := time.Now()
	for worker := range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			var key cache.Key
			random := rand.New(rand.NewPCG(uint64(worker), 1))
			for {
				n := next.Add(1)
				if n > fills {
					return
				}
				// Between 64 bytes and the largest, as many of each power of two.
				length := int64(64 * math.Exp(random.Float64()*math.Log(float64(largest)/64)))
				fillOne(c, &key, n, length, n%8 == 0)
				if n%(fills/50) == 0 {
					now := residentMemory(t, "VmRSS") - before
					for old := highest.Load(); old < now && !highest.CompareAndSwap(old, now); old = highest.Load() {
					}
				}
			}
		})
	}
	all.Wait()
	took := time.Since(began)
	end := residentMemory(t, "VmRSS") - before
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage)
	s := c.Stats()
	t.Logf("cache of %d MiB, %d fills in %s: RSS grew by %.3f of its size at the end, %.3f at the highest seen, %.3f at the peak; "+
		"%d entries of %.3f of its size; %d collections, %.1f %% of the processors' time; %+v",
		size>>20, fills, took.Round(time.Millisecond), ratio(end, size), ratio(highest.Load(), size),
		ratio(residentMemory(t, "VmHWM")-before, size), s.Entries, ratio(s.Bytes, size), memory.NumGC, 100*memory.GCCPUFraction, s)
	if grown := ratio(highest.Load(), size); grown > most {
		t.Errorf("RSS grew by %.3f times the cache's size; want at most %.2f", grown, most)
	}
	if ratio(s.Bytes, size) < 0.8 {
		t.Errorf("entries take %.3f of the cache's size; want at least 0.8", ratio(s.Bytes, size))
	}
}

func ratio(n, of int64) float64 { return float64(n) / float64(of) }

// fillOne puts one answer in the cache as the gateway does.
func fillOne(c *cache.Cache, k *cache.Key, n, length int64, chunked bool) {
	path := strconv.AppendInt([]byte("/some/path/"), n, 10)
	k.Reset()
	k.AddString("GET")
	k.AddString("https")
	k.AddString("www.example.org")
	k.Add(path)
	k.Place = cache.Place{Stage: "site/prod", Host: []byte("www.example.org"), Path: path}
	if c.Lookup(k, nil).Entry != nil {
		return
	}
	f, leads := c.Begin(k, nil, nil)
	defer f.Leave()
	if !leads {
		return
	}
	told := length
	if chunked {
		told = -1
	}
	e := &cache.Entry{Status: 200, Lines: make([]byte, 300), At: c.Now(), Body: cache.NewBody(told)}
	e.Terms.Lifetime, e.Terms.ETag = time.Hour, []byte(`"0123456789abcdef"`)
	f.Answer(e, nil)
	for length > 0 {
		room := e.Body.Room()
		part := min(length, int64(len(room)), 16<<10) // as it comes from the network
		clear(room[:part])
		e.Body.Commit(int(part))
		length -= part
	}
	e.Body.End(nil, nil)
	f.Done(nil)
}

// residentMemory returns a number of /proc/self/status in bytes.
func residentMemory(t *testing.T, name string) int64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skip("this system does not tell how much memory a process has")
	}
	_, rest, _ := strings.Cut(string(text), name+":")
	n, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
	if err != nil {
		t.Fatalf("cannot read %s: %v", name, err)
	}
	return n << 10
}
