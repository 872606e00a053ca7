package shared

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"weir/cache"
	"weir/cache/policy"
	connection "weir/ratelimit/shared"
	"weir/ratelimit/shared/redistest"
)

// node is one process among those that share.
type node struct {
	*Tier
	first *cache.Cache
}

// patient waits long for answers, so that a busy machine changes nothing.
func patient(addresses ...string) Config {
	return Config{Redis: connection.Config{Addresses: addresses}, Timeout: 5 * time.Second}
}

func start(t testing.TB, config Config) *node {
	t.Helper()
	c, err := cache.New(cache.Config{Size: 64 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	config.Cache = c
	tier, err := New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(tier.Close)
	n := &node{tier, c}
	n.back(t)
	return n
}

// back waits until Redis answers.
func (n *node) back(t testing.TB) {
	t.Helper()
	redistest.Await(t, 20*time.Second, "Redis answers", func() bool { return !n.isAway() })
}

func (n *node) isAway() bool {
	away, _, _ := n.State()
	return away
}

// language selects by one field.
type language string

func (l language) AppendSelected(dst []byte, name string) []byte {
	if name == "Accept-Language" {
		dst = append(dst, l...)
	}
	return dst
}

func keyOf(path string) *cache.Key {
	k := new(cache.Key)
	k.Reset()
	k.AddString("GET " + path)
	k.Place = cache.Place{Stage: "site/prod", Host: []byte("example.org"), Path: []byte(path)}
	return k
}

// store stores an answer in the first tier of n, unless there is one, and has it
// shared.
func (n *node) store(t testing.TB, path, content string, s language, change func(*cache.Entry)) {
	t.Helper()
	if found := n.first.Lookup(keyOf(path), s); found.Entry != nil {
		n.Put(found.Entry)
		return
	}
	f, leads := n.first.Begin(keyOf(path), s, nil)
	if !leads {
		t.Fatal("somebody else fetches")
	}
	e := &cache.Entry{
		Status: 200, Lines: []byte("Date: now\r\n"), At: n.first.Now(), Tags: [][]byte{[]byte("pages")},
		Terms: policy.Terms{Lifetime: time.Hour, Source: policy.FromMaxAge}, Body: cache.WholeBody([]byte(content)),
	}
	if change != nil {
		change(e)
	}
	f.Answer(e, s)
	f.Done(nil)
	n.Put(e)
}

// share is store that waits until the answer is in Redis.
func (n *node) share(t testing.TB, path, content string, s language, change func(*cache.Entry)) {
	t.Helper()
	stored := n.Stats().Stored
	n.store(t, path, content, s, change)
	redistest.Await(t, 10*time.Second, "the answer is written", func() bool { return n.Stats().Stored > stored })
}

// get returns the content that Redis has, "" for none.
func (n *node) get(path string, s language) string {
	found := n.Get(keyOf(path), s)
	if found.Entry == nil {
		return ""
	}
	return string(found.Entry.Body.Whole())
}

func want(t testing.TB, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("got %.40q; want %.40q", got, want)
	}
}

func TestNodesShareAnswers(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := start(t, patient(server.Address)), start(t, patient(server.Address))
	a.share(t, "/1", "one", "", func(e *cache.Entry) {
		e.At -= int64(20 * time.Minute)
		e.Lines = []byte("Date: then\r\nServer: x\r\n")
	})
	want(t, b.get("/1", ""), "one")
	want(t, b.get("/2", ""), "")
	e := b.Get(keyOf("/1"), language("")).Entry
	if age := time.Duration(b.first.Now() - e.At); age < 20*time.Minute || age > 21*time.Minute {
		t.Errorf("age: got %s; want 20m", age)
	}
	if string(e.Lines) != "Date: then\r\nServer: x\r\n" || e.Status != 200 || e.Terms.Lifetime != time.Hour || string(e.Tags[0]) != "pages" {
		t.Errorf("got %+v", e)
	}

	vary := func(e *cache.Entry) { e.Vary = []string{"Accept-Language"} }
	a.share(t, "/3", "hello", "en", vary)
	b.share(t, "/3", "hallo", "de", vary)
	want(t, b.get("/3", "en"), "hello")
	want(t, a.get("/3", "de"), "hallo")
	want(t, a.get("/3", "fr"), "")

	large := strings.Repeat("0123456789abcdef", 5<<16)
	a.share(t, "/4", large, "", nil)
	a.share(t, "/5", large, "en", vary)
	want(t, b.get("/4", ""), large)
	want(t, b.get("/5", "en"), large)

	if ttl := server.Must("PTTL", a.key(keyOf("/1").Full())); len(ttl) != 7 || ttl < "2390000" || ttl > "2400000" {
		t.Errorf("TTL: got %s ms; want 40 minutes, which are left", ttl)
	}
	for _, key := range strings.Fields(server.Must("KEYS", "*")) {
		if strings.Contains(key, "GET") || !strings.HasPrefix(key, "weir:") {
			t.Errorf("a name tells something: %q", key)
		}
	}
}

func TestWhatIsNotShared(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.MostBytes = 10_000
	a := start(t, config)
	a.store(t, "/large", strings.Repeat("x", 10_000), "", nil)
	a.store(t, "/spent", "x", "", func(e *cache.Entry) { e.At -= int64(time.Hour) })
	a.store(t, "/validated", "x", "", func(e *cache.Entry) { e.Terms.NoCache, e.Terms.ETag = true, []byte(`"a"`) })
	a.share(t, "/last", "x", "", nil)
	for _, path := range []string{"/large", "/spent", "/validated"} {
		want(t, a.get(path, ""), "")
	}
	if s := a.Stats(); s.TooLarge != 1 || s.Stored != 1 {
		t.Errorf("got %+v", s)
	}
}

// A purge of one node holds there at once, and everywhere soon.
func TestPurgesReachAllNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	nodes := []*node{start(t, patient(server.Address)), start(t, patient(server.Address)), start(t, patient(server.Address))}
	var took []time.Duration
	for i := range 60 {
		by := nodes[i%3]
		path := fmt.Sprint("/", i)
		tag := fmt.Sprint("tag-", i)
		by.share(t, path, "old", "", func(e *cache.Entry) { e.Tags = [][]byte{[]byte(tag)} })
		for _, n := range nodes {
			if n != by {
				n.store(t, path, "old", "", func(e *cache.Entry) { e.Tags = [][]byte{[]byte(tag)} })
			}
			redistest.Await(t, 5*time.Second, "the node has it", func() bool { return n.get(path, "") == "old" })
		}
		p := []cache.Purge{
			{Tags: []string{tag}}, {Host: "example.org", Path: path}, {Host: "example.org", Path: path, Prefix: true},
			{Stage: "site/prod"}, {Host: "example.org"}, {},
		}[i%6]
		began := time.Now()
		if err := by.Purge(p); err != nil {
			t.Fatal(err)
		}
		if by.first.Lookup(keyOf(path), language("")).Entry != nil || by.get(path, "") != "" {
			t.Fatalf("%d: it is still there where it was purged", i)
		}
		for _, n := range nodes {
			redistest.Await(t, 5*time.Second, "the purge", func() bool {
				return n.first.Lookup(keyOf(path), language("")).Entry == nil && n.get(path, "") == ""
			})
		}
		took = append(took, time.Since(began))
		by.share(t, path, "new", "", nil)
		for _, n := range nodes {
			redistest.Await(t, 5*time.Second, "what came later", func() bool { return n.get(path, "") == "new" })
		}
	}
	slices.Sort(took)
	t.Logf("a purge holds on three nodes after %s (median), %s at most", took[len(took)/2], took[len(took)-1])
	late := start(t, patient(server.Address)) // it has to know of purges before its time
	want(t, late.get("/59", ""), "new")
}

func TestSoftPurgesAndInvalidations(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a, b := start(t, patient(server.Address)), start(t, patient(server.Address))
	for _, path := range []string{"/soft", "/changed", "/other"} {
		a.share(t, path, "x", "", nil)
		b.store(t, path, "x", "", nil)
	}
	if err := a.Purge(cache.Purge{Soft: true, Host: "example.org", Path: "/soft"}); err != nil {
		t.Fatal(err)
	}
	a.Invalidate([]byte("example.org"), []byte("/changed"), nil)
	for _, n := range []*node{a, b} {
		for _, path := range []string{"/soft", "/changed"} {
			redistest.Await(t, 5*time.Second, path+" is to be validated", func() bool {
				first := n.first.Lookup(keyOf(path), language(""))
				return first.Entry != nil && first.Validate && n.Get(keyOf(path), language("")).Validate
			})
		}
		if n.first.Lookup(keyOf("/other"), language("")).Validate {
			t.Error("another answer is to be validated")
		}
	}
}

// Who changes things all the time cannot push purges out of the stream.
func TestInvalidationsAreBounded(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := start(t, patient(server.Address))
	began := time.Now()
	for i := range 5000 {
		a.Invalidate([]byte("example.org"), fmt.Append(nil, "/", i), nil)
		a.Invalidate([]byte("example.org"), []byte("/same"), nil)
	}
	s := a.Stats()
	sent := s.Sent
	if most := uint64(2+time.Since(began)/flushing) * mostFlushed; sent > most || s.Pending > mostInvalidations || s.Uninvalidated == 0 {
		t.Errorf("got %+v after %s; want at most %d sent and %d pending", s, time.Since(began), most, mostInvalidations)
	}
}

// A node that was away hears of what was purged meanwhile, or purges everything.
func TestValuesThatAreNone(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	a := start(t, patient(server.Address))
	a.share(t, "/1", "one", "", nil)
	a.share(t, "/2", "two", "", nil)
	key := a.key(keyOf("/1").Full())
	value := server.Must("GET", key)
	random := rand.New(rand.NewPCG(5, 6))
	f := func(name, value string, damaged uint64) {
		t.Helper()
		server.Must("SET", key, value)
		before := a.Stats()
		want(t, a.get("/1", ""), "")
		if got := a.Stats().Damaged - before.Damaged; got != damaged || a.isAway() {
			t.Errorf("%s: got %d damaged, away %t; want %d", name, got, a.isAway(), damaged)
		}
	}
	for range 50 {
		broken := []byte(value)
		broken[random.IntN(len(broken))] ^= 1 << random.IntN(8)
		server.Must("SET", key, string(broken))
		want(t, a.get("/1", ""), "")
	}
	f("cut", value[:len(value)/2], 1)
	f("another version", value[:44]+"\xff"+value[45:], 1)
	f("garbage", "<html>", 1)
	f("one byte", "R", 1)
	f("names that are none", "V\x01", 1)
	f("long without more", "L", 0)
	f("names that lead to names", "V"+string(appendNames(nil, []string{"Accept"})), 0)
	f("another key's answer", server.Must("GET", a.key(keyOf("/2").Full())), 0)
	server.Must("DEL", key)
	server.Must("LPUSH", key, "x")
	want(t, a.get("/1", ""), "")
	server.Must("SET", key, value)
	want(t, a.get("/1", ""), "one")
}

// What stands in the stream and cannot be read may purge anything.
// Answers of several MiB do not make others wait.
func TestConfig(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := patient("127.0.0.1:1")
		c.Cache = new(cache.Cache)
		change(&c)
		if _, err := New(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want %s", err, want)
		}
	}
	f("there is none", func(c *Config) { c.Cache = nil })
	f("no address", func(c *Config) { c.Redis.Addresses = nil })
	f("negative", func(c *Config) { c.Timeout = -1 })
	f("the most is", func(c *Config) { c.MostBytes = 1 << 40 })
	f("brace", func(c *Config) { c.Redis.Prefix = "a{b" })
}

func BenchmarkTier(b *testing.B) {
	server := redistest.Start(b)
	n := start(b, patient(server.Address))
	n.share(b, "/1", strings.Repeat("x", 1000), "", nil)
	k := keyOf("/1")
	b.Run("Get", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.Get(k, language(""))
		}
	})
	b.Run("GetMany", func(b *testing.B) {
		b.SetParallelism(32)
		b.RunParallel(func(pb *testing.PB) {
			for k := keyOf("/1"); pb.Next(); {
				n.Get(k, language(""))
			}
		})
	})
	b.Run("Purge", func(b *testing.B) {
		for b.Loop() {
			if err := n.Purge(cache.Purge{Host: "a", Path: "/b"}); err != nil {
				b.Fatal(err)
			}
		}
	})
	server.Freeze()
	redistest.Await(b, 10*time.Second, "away", n.isAway)
	b.Run("GetWhileAway", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			n.Get(k, language(""))
		}
	})
	server.Thaw()
}
