package cache

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
)

// fields are the request's fields that Vary may name.
type fields map[string]string

func (f fields) AppendSelected(dst []byte, name string) []byte { return append(dst, f[name]...) }

// openCache makes a cache that ends with the test, and has no fill left then.
func openCache(t testing.TB, size int64) *Cache {
	t.Helper()
	c, err := New(Config{Size: size})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if n := c.fills.count(); n != 0 {
			t.Errorf("%d fills are left", n)
		}
		for i := range c.fills.shards {
			if n := len(c.fills.shards[i].first); n != 0 {
				t.Errorf("the table of fills has %d keys at the end", n)
			}
		}
		c.Close()
	})
	return c
}

// keyAt returns the key of a path on example.org, in stage site/prod.
func keyAt(path string) *Key {
	k := new(Key)
	k.Reset()
	k.AddString("GET")
	k.AddString("example.org")
	k.AddString(path)
	k.Place = Place{Stage: "site/prod", Host: []byte("example.org"), Path: []byte(path)}
	return k
}

// answerOf returns an answer whose body is yet to be filled.
func answerOf(c *Cache, length int, vary ...string) *Entry {
	return &Entry{Status: 200, Lines: []byte("Date: now\r\n"), Vary: vary, At: c.Now(), Body: NewBody(int64(length))}
}

// finish fills the body of e and ends f.
func finish(f *Fill, e *Entry, content []byte) {
	fillBody(e.Body, content, 1<<20)
	e.Body.End(nil, nil)
	f.Done(nil)
}

// await waits until the state of f is known.
func await(f *Fill) (FillState, *Entry, any) {
	w := make(signal, 1)
	f.Watch(w)
	defer f.Unwatch(w)
	for {
		if state, e, reason := f.State(); state != Fetching {
			return state, e, reason
		}
		<-w
	}
}

// leads begins a fill that nobody has begun yet.
func leads(t testing.TB, c *Cache, k *Key, s Selector, stale *Entry) *Fill {
	t.Helper()
	f, leads := c.Begin(k, s, stale)
	if !leads {
		t.Fatalf("%q: joined; want to lead", k.Full())
	}
	return f
}

// joins begins to follow f.
func joins(t testing.TB, c *Cache, k *Key, s Selector, f *Fill) {
	t.Helper()
	if got, leads := c.Begin(k, s, nil); leads || got != f {
		t.Fatalf("%q: got a fill %p (leads: %t); want to join %p", k.Full(), got, leads, f)
	}
}

func readAll(t testing.TB, e *Entry) []byte {
	t.Helper()
	var c Cursor
	c.Begin(e.Body, 0, -1)
	defer c.Close()
	got, err := io.ReadAll(&c)
	if err != nil {
		t.Errorf("reading: %v", err)
	}
	return got
}

func TestColdBurstFetchesOnce(t *testing.T) {
	c := openCache(t, 64<<20)
	for round := range 6 {
		path, want := fmt.Sprint("/", round), content(1+round*5000)
		var fetches atomic.Int32
		var all sync.WaitGroup
		start := make(chan struct{})
		for range 1000 {
			all.Go(func() {
				k := keyAt(path)
				<-start
				if e := c.Lookup(k, fields{}).Entry; e != nil {
					if !bytes.Equal(readAll(t, e), want) {
						t.Error("a hit has other content")
					}
					return
				}
				f, leads := c.Begin(k, fields{}, nil)
				defer f.Leave()
				if leads {
					fetches.Add(1)
					all.Go(func() {
						defer f.Close()
						e := answerOf(c, len(want))
						f.Answer(e, fields{})
						finish(f, e, want)
						if c.Lookup(keyAt(path), fields{}).Entry != e {
							t.Error("what is done is not found")
						}
					})
				}
				state, e, _ := await(f)
				if state != Answered || !c.Selects(e, k, fields{}) || !bytes.Equal(readAll(t, e), want) {
					t.Errorf("state %d, or other content", state)
				}
			})
		}
		close(start)
		all.Wait()
		if n := fetches.Load(); n != 1 {
			t.Fatalf("1000 at once made %d fetches; want 1", n)
		}
	}
}

func TestFillIsFollowed(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/")
	f := leads(t, c, k, nil, nil)
	joins(t, c, k, nil, f)
	if f.Interested() != 2 || f.Waiting() != 1 {
		t.Errorf("interested: %d, waiting: %d; want 2 and 1", f.Interested(), f.Waiting())
	}
	if state, e, reason := f.State(); state != Fetching || e != nil || reason != nil {
		t.Errorf("got %d, %v, %v of what is not known yet", state, e, reason)
	}
	var early, gone locking
	f.Watch(&early)
	f.Watch(&gone)
	f.Unwatch(&gone)
	e := answerOf(c, 6)
	f.Answer(e, nil)
	if early.woken != 1 || gone.woken != 0 {
		t.Errorf("woken: %d and %d; want 1 and 0", early.woken, gone.woken)
	}
	fillBody(e.Body, []byte("abc"), 9)
	if c.Lookup(k, nil).Entry != nil {
		t.Error("an answer is found that is not whole")
	}
	joins(t, c, k, nil, f)
	_, got, _ := await(f)
	var cursor Cursor
	cursor.Begin(got.Body, 0, -1)
	if string(cursor.Take()) != "abc" || cursor.Done() {
		t.Error("the begin of the body does not come")
	}
	finish(f, e, []byte("def"))
	if string(cursor.Take()) != "def" || !cursor.Done() {
		t.Error("the rest of the body does not come")
	}
	if c.Lookup(k, nil).Entry != e {
		t.Error("what is done is not found")
	}
	f.Close()
	if state, _, _ := f.State(); state != Answered {
		t.Errorf("Close behind the end changed the state to %d", state)
	}
}

func TestFillsOfOtherKeysAndVariants(t *testing.T) {
	c := openCache(t, 64<<20)
	gzip, br := fields{"Accept-Encoding": "gzip"}, fields{"Accept-Encoding": "br"}
	k := keyAt("/")
	other := leads(t, c, keyAt("/other"), gzip, nil)
	f := leads(t, c, k, gzip, nil)
	joins(t, c, k, br, f) // nobody knows yet that it varies
	e := answerOf(c, 1, "Accept-Encoding")
	f.Answer(e, gzip)
	if !c.Selects(e, k, gzip) || c.Selects(e, k, br) || c.Selects(e, keyAt("/other"), gzip) {
		t.Error("Selects does not tell whom the answer is for")
	}
	g := leads(t, c, k, br, nil)
	joins(t, c, k, br, g)
	joins(t, c, k, gzip, f)
	zstd := leads(t, c, k, fields{"Accept-Encoding": "zstd"}, nil) // g is known to be for br
	finish(f, e, []byte("g"))
	b := answerOf(c, 1, "Accept-Encoding")
	g.Answer(b, br)
	finish(g, b, []byte("b"))
	zstd.Fail(nil)
	other.Fail(nil)
	if c.Lookup(k, gzip).Entry != e || c.Lookup(k, br).Entry != b {
		t.Error("the variants are not found")
	}
	// Now the store knows what it varies by.
	one := leads(t, c, k, fields{"Accept-Encoding": "x"}, nil)
	two := leads(t, c, k, fields{"Accept-Encoding": "y"}, nil)
	joins(t, c, k, fields{"Accept-Encoding": "x"}, one)
	one.Fail(nil)
	two.Fail(nil)
}

func TestPurgeDuringAFill(t *testing.T) {
	tag := [][]byte{[]byte("red")}
	f := func(name string, tagged bool, purge func(*Cache, bool)) {
		for _, soft := range []bool{false, true} {
			for _, answered := range []bool{false, true} {
				if tagged && !answered {
					continue // the tags are not known yet; below
				}
				t.Run(fmt.Sprintf("%s/soft=%t/answered=%t", name, soft, answered), func(t *testing.T) {
					c := openCache(t, 64<<20)
					k := keyAt("/a/b")
					old := leads(t, c, k, nil, nil)
					joins(t, c, k, nil, old)
					e := answerOf(c, 3)
					e.Tags = tag
					if answered {
						old.Answer(e, nil)
					}
					purge(c, soft)
					next := leads(t, c, k, nil, nil)
					joins(t, c, k, nil, next)
					if !answered {
						old.Answer(e, nil)
					}
					if state, got, _ := old.State(); state != Answered || got != e {
						t.Errorf("who joined before the purge has no answer")
					}
					finish(old, e, []byte("old"))
					if found := c.Lookup(k, nil); found.Entry != nil && (!soft || !found.Validate) {
						t.Errorf("what was purged while it came is found: %+v", found)
					}
					joins(t, c, k, nil, next)
					e = answerOf(c, 3)
					e.Tags = tag
					next.Answer(e, nil)
					finish(next, e, []byte("new"))
					if found := c.Lookup(k, nil); found.Entry != e || found.Validate {
						t.Errorf("what came after the purge is not found: %+v", found)
					}
				})
			}
		}
	}
	f("uri", false, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft, Host: "example.org", Path: "/a/b"}) })
	f("prefix", false, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft, Host: "example.org", Path: "/a", Prefix: true}) })
	f("host", false, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft, Host: "example.org"}) })
	f("stage", false, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft, Stage: "site/prod"}) })
	f("all", false, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft}) })
	f("tag", true, func(c *Cache, soft bool) { c.Purge(Purge{Soft: soft, Tags: []string{"red"}}) })
}

func TestPurgeOfATagThatAFillIsYetToHave(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/")
	f := leads(t, c, k, nil, nil)
	c.Purge(Purge{Tags: []string{"red"}})
	e := answerOf(c, 3)
	e.Tags = [][]byte{[]byte("red")}
	f.Answer(e, nil)
	next := leads(t, c, k, nil, nil)
	finish(f, e, []byte("old"))
	if c.Lookup(k, nil).Entry != nil {
		t.Error("what was purged by its tag before the tag was known is found")
	}
	next.Fail(nil)
}

func TestPurgeOfOthersLeavesAFill(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/a")
	f := leads(t, c, k, nil, nil)
	c.Purge(Purge{Host: "example.org", Path: "/b"})
	c.Purge(Purge{Host: "example.net"})
	c.Purge(Purge{Host: "example.org", Path: "/b", Prefix: true})
	c.Purge(Purge{Tags: []string{"red"}})
	c.Invalidate([]byte("example.org"), []byte("/b"), nil)
	joins(t, c, k, nil, f)
	e := answerOf(c, 1)
	f.Answer(e, nil)
	finish(f, e, []byte("a"))
	if found := c.Lookup(k, nil); found.Entry != e || found.Validate {
		t.Errorf("purges of others took it: %+v", found)
	}
}

func TestInvalidateDuringAFill(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/a")
	f := leads(t, c, k, nil, nil)
	c.Invalidate([]byte("example.org"), []byte("/a"), nil)
	next := leads(t, c, k, nil, nil)
	e := answerOf(c, 1)
	f.Answer(e, nil)
	finish(f, e, []byte("a"))
	if found := c.Lookup(k, nil); found.Entry != e || !found.Validate {
		t.Errorf("what was invalidated while it came may be used: %+v", found)
	}
	next.Fail(nil)
}

func TestSlowFillDoesNotReplaceALaterOne(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/a")
	slow := leads(t, c, k, nil, nil)
	c.Purge(Purge{Soft: true, Host: "example.org", Path: "/a"})
	later := leads(t, c, k, nil, nil)
	for _, f := range []*Fill{later, slow} {
		e := answerOf(c, 1)
		f.Answer(e, nil)
		finish(f, e, []byte("a"))
	}
	_, e, _ := later.State()
	if found := c.Lookup(k, nil); found.Entry != e || found.Validate {
		t.Errorf("found %+v; want what was fetched behind the purge", found)
	}
}

func TestFillThatGivesNothing(t *testing.T) {
	broken := errors.New("broken")
	f := func(name string, end func(*Fill, *Entry), state FillState, reason any) {
		t.Helper()
		c := openCache(t, 64<<20)
		k := keyAt("/")
		f := leads(t, c, k, nil, nil)
		joins(t, c, k, nil, f)
		got := make(chan FillState)
		go func() {
			state, _, _ := await(f)
			got <- state
		}()
		end(f, answerOf(c, 3))
		if s := <-got; s != state {
			t.Errorf("%s: a follower got state %d; want %d", name, s, state)
		}
		s, e, why := f.State()
		if s != state || why != reason || (e != nil) != (state == Answered) {
			t.Errorf("%s: got %d, %v, %v; want %d, %v", name, s, e, why, state, reason)
		}
		if e != nil {
			var cursor Cursor
			cursor.Begin(e.Body, 0, -1)
			if _, err := io.ReadAll(&cursor); err == nil {
				t.Errorf("%s: a broken body looks whole", name)
			}
		}
		found := c.Lookup(k, nil)
		if found.Entry != nil || found.Pass != (state == Passed) {
			t.Errorf("%s: found %+v", name, found)
		}
		if n := c.fills.count(); n != 0 {
			t.Errorf("%s: %d fills are left", name, n)
		}
		if state != Passed {
			leads(t, c, k, nil, nil).Fail(nil)
		}
	}
	f("fail", func(f *Fill, _ *Entry) { f.Fail(broken) }, Failed, broken)
	f("close", func(f *Fill, _ *Entry) { f.Close() }, Failed, ErrAbandoned)
	f("pass", func(f *Fill, _ *Entry) { f.Pass(10) }, Passed, nil)
	f("truncated", func(f *Fill, e *Entry) {
		f.Answer(e, nil)
		fillBody(e.Body, []byte("ab"), 9)
		f.Done(broken)
	}, Answered, nil)
	f("short", func(f *Fill, e *Entry) {
		f.Answer(e, nil)
		fillBody(e.Body, []byte("ab"), 9)
		f.Done(nil)
	}, Answered, nil)
	f("closed in its body", func(f *Fill, e *Entry) {
		f.Answer(e, nil)
		fillBody(e.Body, []byte("ab"), 9)
		f.Close()
	}, Answered, nil)
	f("failed in its body", func(f *Fill, e *Entry) {
		f.Answer(e, nil)
		f.Fail(broken)
	}, Answered, nil)
}

func TestBrokenBodyIsNotJoined(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/")
	f := leads(t, c, k, nil, nil)
	e := answerOf(c, 3)
	f.Answer(e, nil)
	e.Body.End(nil, io.ErrUnexpectedEOF)
	next := leads(t, c, k, nil, nil)
	f.Done(nil)
	if c.Lookup(k, nil).Entry != nil {
		t.Error("a broken body is found")
	}
	next.Fail(nil)
}

func TestLookupThatCameTooEarly(t *testing.T) {
	c := openCache(t, 64<<20)
	k, late := keyAt("/"), keyAt("/")
	c.Lookup(k, nil)
	c.Lookup(late, nil)
	f := leads(t, c, k, nil, nil)
	e := answerOf(c, 1)
	f.Answer(e, nil)
	finish(f, e, []byte("a"))
	// late has missed what is there now.
	settled, leading := c.Begin(late, nil, nil)
	if state, got, _ := settled.State(); leading || state != Answered || got != e {
		t.Fatalf("got state %d (leads: %t); want the answer that has come since", state, leading)
	}
	settled.Close()
	settled.Leave()
	if settled.Abandon() {
		t.Error("what has ended can be abandoned")
	}
	// Who has seen it and does not want it fetches anew.
	c.Lookup(late, nil)
	again := leads(t, c, late, nil, e)
	if again.Stale() != e {
		t.Error("Stale is not what is validated")
	}
	passing := keyAt("/")
	c.Lookup(passing, nil)
	again.Pass(10)
	if f, leads := c.Begin(passing, nil, e); leads {
		f.Fail(nil)
		t.Error("leads a fill of what was passed since its Lookup")
	} else if state, _, _ := f.State(); state != Passed {
		t.Errorf("got state %d; want it passed", state)
	}
}

func TestRefreshed(t *testing.T) {
	c := openCache(t, 64<<20)
	k, s := keyAt("/"), fields{"Accept": "a"}
	f := leads(t, c, k, s, nil)
	e := answerOf(c, 3, "Accept")
	f.Answer(e, s)
	finish(f, e, []byte("abc"))
	c.Purge(Purge{Soft: true})
	late := keyAt("/")
	for _, k := range []*Key{k, late} {
		if found := c.Lookup(k, s); found.Entry != e || !found.Validate {
			t.Fatalf("found %+v; want the entry, to be validated", found)
		}
	}
	f = leads(t, c, k, s, e)
	joins(t, c, keyAt("/"), s, f)
	next := &Entry{Status: 200, Lines: []byte("Date: later\r\n"), Vary: e.Vary, At: c.Now(), Body: e.Body}
	f.Refreshed(next, s)
	if state, got, _ := f.State(); state != Answered || got != next || !c.Selects(next, k, s) {
		t.Errorf("got state %d, %p; want what was refreshed", state, got)
	}
	if found := c.Lookup(k, s); found.Entry != next || found.Validate {
		t.Errorf("found %+v; want what was refreshed", found)
	}
	if f, leads := c.Begin(late, s, e); leads {
		f.Fail(nil)
		t.Error("validates what has been validated since its Lookup")
	}
}

func TestInterest(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/")
	f := leads(t, c, k, nil, nil)
	var w locking
	f.Notify(&w)
	joins(t, c, k, nil, f)
	f.Leave()
	if f.Interested() != 1 || f.Abandon() || w.woken != 0 {
		t.Errorf("interested: %d, woken %d", f.Interested(), w.woken)
	}
	f.Leave()
	if f.Interested() != 0 || w.woken != 1 {
		t.Errorf("interested: %d, woken %d; want 0, 1", f.Interested(), w.woken)
	}
	joins(t, c, k, nil, f)
	if f.Abandon() {
		t.Error("a fill is abandoned that somebody waits for")
	}
	e := answerOf(c, 3)
	f.Answer(e, nil)
	f.Leave()
	if w.woken != 2 || !f.Abandon() || f.Abandon() {
		t.Errorf("woken %d; a fill that nobody wants is not abandoned once", w.woken)
	}
	if _, err := e.Body.Ended(); err != ErrAbandoned {
		t.Errorf("its body ended with %v", err)
	}
	f = leads(t, c, k, nil, nil)
	f.Notify(&w)
	f.Notify(nil)
	f.Leave()
	if w.woken != 2 || !f.Abandon() {
		t.Error("Notify was not taken back, or it was not abandoned")
	}
}

// A follower can join until the very moment in which a fill is abandoned.
func TestAbandonOrJoin(t *testing.T) {
	c := openCache(t, 64<<20)
	for range 500 {
		f := leads(t, c, keyAt("/"), nil, nil)
		f.Leave()
		var all sync.WaitGroup
		var abandoned bool
		all.Go(func() { abandoned = f.Abandon() })
		g, leads := c.Begin(keyAt("/"), nil, nil)
		all.Wait()
		if abandoned != leads || leads == (g == f) {
			t.Fatalf("abandoned: %t, and one who came leads: %t", abandoned, leads)
		}
		g.Close()
	}
}

func TestOldestBorn(t *testing.T) {
	c := openCache(t, 64<<20)
	if got := c.fills.oldestBorn(); got != 1<<64-1 {
		t.Errorf("without a fill: got %d", got)
	}
	var all []*Fill
	var born []uint64
	for i := range 5 {
		all = append(all, leads(t, c, keyAt(fmt.Sprint("/", i)), nil, nil))
		born = append(born, c.number())
		c.Purge(Purge{Tags: []string{"red"}})
	}
	for len(all) > 0 {
		i := len(all) / 2
		if got := c.fills.oldestBorn(); got != slices.Min(born) || c.fills.count() != int64(len(all)) {
			t.Errorf("got %d of %d; want %d", got, c.fills.count(), slices.Min(born))
		}
		all[i].Fail(nil)
		all, born = slices.Delete(all, i, i+1), slices.Delete(born, i, i+1)
	}
}
