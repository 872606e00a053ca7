package cache

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"weir/cache/policy"
)

// newStore makes a cache that ends with the test.
func newStore(t testing.TB, size int64) *Cache {
	t.Helper()
	c, err := New(Config{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// headers are a request's fields.
type headers map[string]string

func (h headers) AppendSelected(dst []byte, name string) []byte { return append(dst, h[name]...) }

// keyOf returns the key of a path and query of a host.
func keyOf(host, path, query string) *Key {
	k := new(Key)
	k.Reset()
	for _, part := range []string{"GET", "https", host, path, query} {
		k.AddString(part)
	}
	k.Place = Place{Stage: "site/prod", Host: []byte(host), Path: []byte(path), Query: []byte(query)}
	return k
}

// storedEntry is what is put under a key, born now.
func storedEntry(c *Cache, k *Key, h Selector, body string, change ...func(*Entry)) *Entry {
	e := &Entry{
		Status: 200, Lines: []byte("Date: now\r\n"), At: c.Now(), Body: WholeBody([]byte(body)),
		Terms: policy.Terms{Lifetime: time.Hour},
	}
	for _, f := range change {
		f(e)
	}
	c.locate(e, c.addressOf(k), appendSelected(nil, e.Vary, h), c.number())
	return e
}

// fill puts body under a key.
func fill(c *Cache, k *Key, h Selector, body string, change ...func(*Entry)) *Entry {
	e := storedEntry(c, k, h, body, change...)
	c.publish(e)
	return e
}

func varyBy(names ...string) func(*Entry) { return func(e *Entry) { e.Vary = names } }

func taggedAs(tags ...string) func(*Entry) {
	return func(e *Entry) {
		for _, tag := range tags {
			e.Tags = append(e.Tags, []byte(tag))
		}
	}
}

// settled returns when ristretto knows of all that was put.
func (c *Cache) waitSettled(t testing.TB) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		c.moving.Lock()
		left := int64(0)
		for i := range c.recent.parts {
			left += c.recent.parts[i].count.Load()
		}
		c.moving.Unlock()
		if left == 0 {
			return
		}
	}
	t.Fatal("slots do not settle")
}

func body(f Found) string {
	if f.Entry == nil {
		return ""
	}
	return string(f.Entry.Body.Whole())
}

func TestPublishIsVisibleAtOnce(t *testing.T) {
	c := newStore(t, 64<<20)
	for i := range 2000 {
		k := keyOf("example.org", fmt.Sprintf("/%d", i), "")
		want := fmt.Sprint("body ", i)
		if got := c.Lookup(k, nil); got.Entry != nil {
			t.Fatalf("lookup of %d before it was put: got an entry", i)
		}
		fill(c, k, nil, want)
		if got := body(c.Lookup(k, nil)); got != want {
			t.Fatalf("lookup of %d: got %q; want %q", i, got, want)
		}
	}
	c.waitSettled(t)
	for i := range 2000 {
		if got := body(c.Lookup(keyOf("example.org", fmt.Sprintf("/%d", i), ""), nil)); got != fmt.Sprint("body ", i) {
			t.Fatalf("lookup of %d once settled: got %q", i, got)
		}
	}
	if s := c.Stats(); s.Entries != 2000 || s.Stored != 2000 || s.Bytes <= 0 || s.Rejected+s.Evicted != 0 {
		t.Fatalf("stats: %+v", s)
	}
}

func TestVariants(t *testing.T) {
	c := newStore(t, 8<<20)
	k := keyOf("example.org", "/", "")
	de, en := headers{"Accept-Language": "de"}, headers{"Accept-Language": "en"}
	fill(c, k, de, "deutsch", varyBy("Accept-Language"))
	if got := c.Lookup(k, en); got.Entry != nil {
		t.Fatal("another language's answer is given")
	}
	fill(c, k, en, "english", varyBy("Accept-Language"))
	f := func(h headers, want string) {
		t.Helper()
		if got := body(c.Lookup(k, h)); got != want {
			t.Fatalf("got %q; want %q", got, want)
		}
	}
	f(de, "deutsch")
	f(en, "english")
	fill(c, k, de, "neues deutsch", varyBy("Accept-Language"))
	f(de, "neues deutsch")
	fill(c, k, en, "for all", varyBy())
	f(de, "for all") // the newest of several that fit
	if n := c.Stats().Entries; n != 3 {
		t.Fatalf("entries: got %d; want 3", n)
	}
	for i := range 40 {
		fill(c, k, headers{"Accept": fmt.Sprint(i)}, fmt.Sprint("variant ", i), varyBy("Accept"))
	}
	f(headers{"Accept": "39"}, "variant 39")
	f(headers{"Accept": "24"}, "variant 24")
	f(headers{"Accept": "23"}, "")
	if n := c.Stats().Entries; n != mostVariants {
		t.Fatalf("entries: got %d; want %d", n, mostVariants)
	}
}

func TestReplace(t *testing.T) {
	c := newStore(t, 8<<20)
	k := keyOf("example.org", "/", "")
	old := fill(c, k, nil, "old")
	c.waitSettled(t)
	next := &Entry{Status: 200, At: c.Now(), Terms: old.Terms, Body: WholeBody(bytes.Repeat([]byte("x"), 100_000))}
	before := c.Stats().Bytes
	c.Replace(old, next)
	if got := c.Lookup(k, nil).Entry; got != next {
		t.Fatal("the old entry is still there")
	}
	c.waitSettled(t)
	if grown := c.Stats().Bytes - before; grown < 99_000 || grown > 110_000 {
		t.Fatalf("bytes grew by %d", grown)
	}
	c.Replace(old, &Entry{Body: WholeBody(nil)})
	if got := c.Lookup(k, nil).Entry; got != next {
		t.Fatal("what was no longer there has been replaced")
	}
	c.Purge(Purge{Soft: true})
	again := &Entry{Status: 200, At: c.Now(), Terms: old.Terms, Body: next.Body}
	c.Replace(next, again)
	if got := c.Lookup(k, nil); got.Entry != again || !got.Validate {
		t.Fatalf("a purge is forgotten by Replace: %+v", got)
	}
}

func TestPassIsRemembered(t *testing.T) {
	c := newStore(t, 8<<20)
	k := keyOf("example.org", "/private", "")
	if c.Lookup(k, nil).Pass {
		t.Fatal("a key passes that nobody has marked")
	}
	a := c.addressOf(k)
	c.markPass(a, c.Now()+int64(time.Hour))
	if !c.Lookup(k, nil).Pass || c.Lookup(keyOf("example.org", "/other", ""), nil).Pass {
		t.Fatal("the mark is not that key's")
	}
	c.markPass(a, c.Now()-int64(2*time.Second))
	if c.Lookup(k, nil).Pass {
		t.Fatal("a mark holds after its time")
	}
}

func TestTooSmall(t *testing.T) {
	if _, err := New(Config{Size: 1000}); err == nil {
		t.Fatal("a cache of 1,000 bytes is made")
	}
}
