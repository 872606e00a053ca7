package cache

import (
	"fmt"
	"testing"
	"time"
)

// state of an entry as Lookup gives it.
func stateOf(c *Cache, k *Key) string {
	switch f := c.Lookup(k, nil); {
	case f.Entry == nil:
		return "gone"
	case f.Validate:
		return "validate"
	}
	return "good"
}

func TestPurgeConcerns(t *testing.T) {
	f := func(p Purge, want map[string]string) {
		t.Helper()
		for _, soft := range []bool{false, true} {
			for _, swept := range []bool{false, true} {
				c := newStore(t, 8<<20)
				keys := map[string]*Key{
					"a":      keyOf("a.example", "/one", ""),
					"a?q":    keyOf("a.example", "/one", "q"),
					"a/deep": keyOf("a.example", "/one/deep", ""),
					"b":      keyOf("b.example", "/one", ""),
					"other":  keyOf("b.example", "/two", ""),
				}
				keys["other"].Place.Stage = "site/test"
				tags := map[string][]string{"a": {"red", "blue"}, "b": {"red"}, "other": {"green"}}
				for name, k := range keys {
					fill(c, k, nil, name, taggedAs(tags[name]...))
				}
				p.Soft = soft
				c.Purge(p)
				if swept {
					c.sweepOnce()
					if n := len(*c.purges.log.Load()); n != 0 {
						t.Fatalf("%+v: %d rules are left in the log", p, n)
					}
				}
				for name, k := range keys {
					state := "good"
					if _, concerned := want[name]; concerned {
						if state = "gone"; soft {
							state = "validate"
						}
					}
					if got := stateOf(c, k); got != state {
						t.Fatalf("%+v swept=%t: %s is %s; want %s", p, swept, name, got, state)
					}
					fill(c, k, nil, "anew", taggedAs(tags[name]...))
					if got := stateOf(c, k); got != "good" {
						t.Fatalf("%+v: %s, fetched after it, is %s", p, name, got)
					}
				}
			}
		}
	}
	names := func(names ...string) map[string]string {
		set := make(map[string]string)
		for _, name := range names {
			set[name] = ""
		}
		return set
	}
	f(Purge{}, names("a", "a?q", "a/deep", "b", "other"))
	f(Purge{Prefix: true}, names("a", "a?q", "a/deep", "b", "other"))
	f(Purge{Host: "a.example", Path: "/one"}, names("a"))
	f(Purge{Host: "a.example", Path: "/one", Query: "q"}, names("a?q"))
	f(Purge{Path: "/one"}, names("a", "b"))
	f(Purge{Host: "a.example"}, names("a", "a?q", "a/deep"))
	f(Purge{Host: "a.example", Path: "/one", Prefix: true}, names("a", "a?q", "a/deep"))
	f(Purge{Host: "a.example", Path: "/one/", Prefix: true}, names("a/deep"))
	f(Purge{Path: "/one", Prefix: true}, names("a", "a?q", "a/deep", "b"))
	f(Purge{Stage: "site/prod"}, names("a", "a?q", "a/deep", "b"))
	f(Purge{Stage: "site/test"}, names("other"))
	f(Purge{Tags: []string{"red"}}, names("a", "b"))
	f(Purge{Tags: []string{"blue", "green"}}, names("a", "other"))
	f(Purge{Tags: []string{"red"}, Host: "b.example"}, names("b"))
	f(Purge{Tags: []string{"red"}, Stage: "site/test"}, names())
	f(Purge{Stage: "site/prod", Host: "b.example"}, names("b"))
	f(Purge{Stage: "site/prod", Host: "b.example", Path: "/two"}, names())
	f(Purge{Host: "example"}, names())
	f(Purge{Tags: []string{"a.example"}}, names())
}

func TestPurgesDoNotWeakenOneAnother(t *testing.T) {
	f := func(first, second Purge, want string) {
		t.Helper()
		for _, swept := range []bool{false, true} {
			c := newStore(t, 8<<20)
			k := keyOf("a.example", "/one", "")
			fill(c, k, nil, "x", taggedAs("red"))
			c.Purge(first)
			if swept {
				c.sweepOnce()
			}
			c.Purge(second)
			if got := stateOf(c, k); got != want {
				t.Fatalf("%+v, %+v: got %s; want %s", first, second, got, want)
			}
			if second.Soft == first.Soft {
				continue
			}
			c.Purge(Purge{Host: "elsewhere.example"})
			if got := stateOf(c, k); got != want {
				t.Fatalf("%+v, %+v and another: got %s; want %s", first, second, got, want)
			}
		}
	}
	uri, prefix := Purge{Host: "a.example", Path: "/one"}, Purge{Host: "a.example", Path: "/o", Prefix: true}
	soft := func(p Purge) Purge { p.Soft = true; return p }
	for _, one := range []Purge{uri, prefix, {}, {Tags: []string{"red"}}} {
		for _, other := range []Purge{uri, prefix, {}, {Tags: []string{"red"}}} {
			f(soft(one), other, "gone")
			f(one, soft(other), "gone")
			f(soft(one), soft(other), "validate")
		}
	}
}

func TestPurgeReachesFetchesUnderWay(t *testing.T) {
	c := newStore(t, 8<<20)
	for _, p := range []Purge{
		{}, {Host: "a.example"}, {Host: "a.example", Path: "/one"}, {Path: "/o", Prefix: true}, {Stage: "site/prod"}, {Tags: []string{"red"}},
	} {
		k := keyOf("a.example", "/one", "")
		e := storedEntry(c, k, nil, "fetched before", taggedAs("red"))
		soft := p
		soft.Soft = true
		c.Purge(soft)
		c.publish(e)
		if got := stateOf(c, k); got != "validate" {
			t.Fatalf("%+v: the answer fetched before is %s", soft, got)
		}
		e = storedEntry(c, k, nil, "fetched before", taggedAs("red"))
		c.Purge(p)
		c.publish(e)
		if got := stateOf(c, k); got != "gone" {
			t.Fatalf("%+v: the answer fetched before is %s", p, got)
		}
	}
}

func TestInvalidate(t *testing.T) {
	c := newStore(t, 8<<20)
	k := keyOf("a.example", "/one", "q=1")
	c.Invalidate([]byte("a.example"), []byte("/one"), []byte("q=1"))
	if n := c.Number(); n != 0 {
		t.Fatalf("what was never fetched has been invalidated: number is %d", n)
	}
	c.note(c.addressOf(k))
	fill(c, k, nil, "x")
	c.Invalidate([]byte("a.example"), []byte("/one"), nil)
	if got := stateOf(c, k); got != "good" {
		t.Fatalf("after another URI was invalidated it is %s", got)
	}
	c.sweepOnce()
	c.Invalidate([]byte("a.example"), []byte("/one"), []byte("q=1"))
	if got := stateOf(c, k); got != "validate" {
		t.Fatalf("after it was invalidated it is %s", got)
	}
	c.Purge(Purge{})
	c.sweepOnce()
	number := c.Number()
	c.Invalidate([]byte("a.example"), []byte("/one"), []byte("q=1"))
	if c.Number() != number {
		t.Fatal("what is no longer there has been invalidated")
	}
}

func TestLongLog(t *testing.T) {
	c := newStore(t, 8<<20)
	k := keyOf("a.example", "/one", "")
	fill(c, k, nil, "x")
	for i := range 2 * longestLog {
		c.Purge(Purge{Host: "b.example", Path: fmt.Sprintf("/%d", i), Prefix: true})
	}
	if n := len(*c.purges.log.Load()); n != longestLog {
		t.Fatalf("rules in the log: got %d; want %d", n, longestLog)
	}
	if got := stateOf(c, k); got != "good" {
		t.Fatalf("an entry of another host is %s", got)
	}
	c.Purge(Purge{Host: "a.example", Path: "/o", Prefix: true})
	if got := stateOf(c, k); got != "gone" {
		t.Fatalf("with a full log, a purged entry is %s", got)
	}
}

func TestSweep(t *testing.T) {
	c := newStore(t, 64<<20)
	const n = 5000
	for i := range n {
		fill(c, keyOf("a.example", fmt.Sprintf("/%d", i), ""), nil, "x", func(e *Entry) {
			switch i % 5 {
			case 0:
				e.Tags = [][]byte{[]byte("red")}
			case 1:
				e.At -= int64(3 * time.Hour)
			case 2:
				e.At, e.Terms.ETag = e.At-int64(90*time.Minute), []byte(`"1"`)
			}
		})
	}
	c.waitSettled(t)
	bytes := c.Stats().Bytes
	c.Purge(Purge{Tags: []string{"red"}})
	c.sweepOnce()
	c.waitSettled(t)
	s := c.Stats()
	if s.Purged != n/5 || s.Expired != n/5 || s.Entries != n-2*n/5 {
		t.Fatalf("stats: %+v", s)
	}
	if left := float64(s.Bytes) / float64(bytes); left < 0.55 || left > 0.65 {
		t.Fatalf("bytes: %d of %d are left", s.Bytes, bytes)
	}
}

func TestSweepIsWokenByPurge(t *testing.T) {
	c := newStore(t, 8<<20)
	fill(c, keyOf("a.example", "/", ""), nil, "x")
	c.Purge(Purge{Path: "/", Prefix: true, Host: "a.example"})
	for deadline := time.Now().Add(10 * time.Second); len(*c.purges.log.Load()) > 0; {
		if time.Now().After(deadline) {
			t.Fatal("no sweep has come")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s := c.Stats(); s.Purged != 1 {
		t.Fatalf("stats: %+v", s)
	}
}
