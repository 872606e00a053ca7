package shared

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
	"weir/ratelimit/shared/redistest"
)

// take takes one token, which has to be decided with Redis.
func take(t *testing.T, c *Client, l *Limit, identity string, delay time.Duration) ratelimit.Decision {
	t.Helper()
	d, outcome := l.Take([]byte(identity), c.Now(), delay)
	if outcome != Decided {
		_, _, err := c.State()
		t.Fatalf("outcome: got %s; want %s; Redis: %v", outcome, Decided, err)
	}
	return d
}

// spent tells how many of so many attempts are allowed.
func spent(t *testing.T, c *Client, l *Limit, identity string, attempts int) (allowed int) {
	t.Helper()
	for range attempts {
		if take(t, c, l, identity, 0).Allowed {
			allowed++
		}
	}
	return allowed
}

// awaitSpent takes until so many are allowed, and fails if they never are or
// if one more is.
func awaitSpent(t *testing.T, c *Client, l *Limit, identity string, want int) {
	t.Helper()
	got := 0
	redistest.Await(t, 5*time.Second, "tokens", func() bool {
		got += spent(t, c, l, identity, 1)
		return got >= want
	})
	time.Sleep(4 * c.config.Interval) // for what must not happen there is no event
	if more := spent(t, c, l, identity, 10); more > 0 {
		t.Errorf("%q: %d more than %d are allowed", identity, more, want)
	}
}

func TestExactDecisions(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, patient(server.Address))
	const every = 100 * time.Second
	l := c.Limit("slow", rate(t, 1/every.Seconds(), 3), Exact, Closed)

	for left := int64(2); left >= 0; left-- {
		d := take(t, c, l, "one", 0)
		full := time.Duration(3-left) * every
		if !d.Allowed || d.Wait != 0 || d.Remaining != left || d.Reset > full || d.Reset < full-10*time.Second {
			t.Errorf("got %+v; want %d remaining and a reset of nearly %s", d, left, full)
		}
	}
	for range 5 { // what is refused takes nothing
		d := take(t, c, l, "one", 0)
		if d.Allowed || d.Wait > every || d.Wait < every-10*time.Second || d.Remaining != 0 {
			t.Errorf("got %+v; want a wait of nearly %s", d, every)
		}
	}
	if d := take(t, c, l, "one", every+time.Second); !d.Allowed || d.Wait > every || d.Wait < every-10*time.Second {
		t.Errorf("with delay: got %+v; want a wait of nearly %s", d, every)
	}
	if d := take(t, c, l, "one", every); d.Allowed || d.Wait < every {
		t.Errorf("with delay, when it is used up: got %+v", d)
	}
	if d := take(t, c, l, "two", 0); !d.Allowed {
		t.Errorf("another identity: got %+v", d)
	}
	server.Must("SCRIPT", "FLUSH")
	if n := spent(t, c, l, "two", 5); n != 2 {
		t.Errorf("after SCRIPT FLUSH: %d are allowed; want 2", n)
	}

	if again := c.Limit("slow", rate(t, 1/every.Seconds(), 5), Exact, Closed); again != l {
		t.Error("the same name gives another limit")
	}
	if n := spent(t, c, l, "two", 5); n != 2 {
		t.Errorf("after the burst has grown by 2: %d are allowed; want 2", n)
	}

	l.Return([]byte("two"), Decided)
	redistest.Await(t, 5*time.Second, "the token comes back", func() bool { return take(t, c, l, "two", 0).Allowed })
	if take(t, c, l, "two", 0).Allowed {
		t.Error("one token came back twice")
	}
}

// What was stored by a clock that was an hour ahead, and what is no bucket at all.
func TestBucketsOfAnotherTime(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, patient(server.Address))
	l := c.Limit("quick", rate(t, 50, 5), Exact, Closed)
	key, _ := c.key("l", []byte("one"), "quick")
	ahead := strconv.FormatInt(time.Now().Add(time.Hour).UnixNano(), 10)
	server.Must("SET", key, ahead)
	if d := take(t, c, l, "one", 0); d.Allowed || d.Wait > time.Second {
		t.Errorf("got %+v; want a refusal for a moment", d)
	}
	redistest.Await(t, 5*time.Second, "a token", func() bool { return take(t, c, l, "one", 0).Allowed })
	for _, text := range []string{"nonsense of some length", "1", ""} {
		server.Must("SET", key, text)
		if d := take(t, c, l, "one", 0); !d.Allowed || d.Remaining != 4 {
			t.Errorf("after %q: got %+v; want a full bucket", text, d)
		}
	}
}

// Lua's numbers cannot hold what is stored; what is added must be exact all the same.
func TestBucketsAreExactToTheNanosecond(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, patient(server.Address))
	f := func(name string, perSecond float64) {
		t.Helper()
		r := rate(t, perSecond, 1000)
		l := c.Limit(name, r, Exact, Closed)
		key, _ := c.key("l", []byte("one"), name)
		var last int64
		for i := range 20 {
			take(t, c, l, "one", 0)
			at, err := strconv.ParseInt(server.Must("GET", key), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			if step := at - last; i > 0 && step != int64(r.Every()) {
				t.Errorf("%s: a token moves the bucket by %d; want %d", name, step, r.Every())
			}
			last = at
		}
	}
	f("seven a second", 7)
	f("one in an hour", 1.0/3601)
	f("a third", 1.0/3)
}

func TestKeysTellNothingAndEnd(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Prefix = "house"
	c := client(t, config)
	l := c.Limit("quick", rate(t, 100, 5), Exact, Closed)
	take(t, c, l, "192.0.2.1", 0)
	c.Quota("daily", Allowance{Limit: 5}, Exact, Closed).Take([]byte("192.0.2.1"), time.Now())
	for key := range strings.SplitSeq(server.Must("KEYS", "*"), "\n") {
		if !strings.HasPrefix(key, "house:") || strings.Contains(key, "192.0.2") {
			t.Errorf("key %q", key)
		}
		if server.Must("PTTL", key) == "-1" {
			t.Errorf("key %q: it lives for ever", key)
		}
	}
	key, _ := c.key("l", []byte("192.0.2.1"), "quick")
	redistest.Await(t, 5*time.Second, "the bucket is full and gone", func() bool { return server.Must("EXISTS", key) == "0" })
}

func TestForeignKeyIsNoReasonToBeAway(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	c := client(t, patient(server.Address))
	l := c.Limit("limit", rate(t, 1, 5), Exact, Open)
	key, _ := c.key("l", []byte("taken"), "limit")
	server.Must("HSET", key, "not", "ours")
	for range 10 {
		if d, outcome := l.Take([]byte("taken"), c.Now(), 0); outcome != Opened || !d.Allowed {
			t.Fatalf("got %+v, %s; want %s", d, outcome, Opened)
		}
	}
	take(t, c, l, "free", 0)
}

func TestFastTokensAreThoseOfAllNodes(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Nodes, config.Interval = 2, 10*time.Millisecond
	a, b := client(t, config), client(t, config)
	slow := rate(t, 0.001, 40)
	la, lb := a.Limit("slow", slow, Fast, Closed), b.Limit("slow", slow, Fast, Closed)

	// One node can spend the whole burst, and the other finds it spent.
	awaitSpent(t, a, la, "one", 40)
	if n := spent(t, b, lb, "one", 100); n > int(la.terms.Load().quantum) {
		t.Errorf("the other node admits %d; want at most a quantum, %d", n, la.terms.Load().quantum)
	}

	// Exact and fast share one bucket.
	exact := client(t, config).Limit("slow", slow, Exact, Closed)
	if n := spent(t, exact.client, exact, "two", 30); n != 30 {
		t.Errorf("exact: %d are allowed; want 30", n)
	}
	got := 0
	redistest.Await(t, 5*time.Second, "the last tokens", func() bool {
		got += spent(t, a, la, "two", 1)
		return got >= 10
	})
	if got > 10+int(la.terms.Load().quantum) {
		t.Errorf("fast: %d are allowed; want 10", got)
	}

	// Credit that nobody uses goes back, and a token that is given back can be used.
	if n := spent(t, a, la, "three", 4); n != 4 {
		t.Fatalf("%d are allowed; want 4", n)
	}
	for range 3 {
		la.Return([]byte("three"), Decided)
	}
	key, _ := a.key("l", []byte("three"), "slow")
	redistest.Await(t, 5*time.Second, "the account is settled", func() bool {
		d := take(t, exact.client, exact, "three", 0)
		exact.Return([]byte("three"), Decided)
		return d.Remaining == 38
	})
	if server.Must("EXISTS", key) != "1" {
		t.Error("the bucket is not there")
	}

	// At the end of a client its credit goes back.
	last := client(t, config)
	ll := last.Limit("slow", slow, Fast, Closed)
	spent(t, last, ll, "four", 3)
	last.Close()
	if d := take(t, exact.client, exact, "four", 0); d.Remaining != 36 {
		t.Errorf("after Close %d remain; want 36", d.Remaining)
	}
}

func TestRetainDropsWhatHasNoName(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Interval = 5 * time.Millisecond
	c := client(t, config)
	keep, drop := c.Limit("keep", rate(t, 0.001, 8), Fast, Closed), c.Limit("drop", rate(t, 0.001, 8), Fast, Closed)
	quota := c.Quota("drop", Allowance{Limit: 100}, Fast, Closed)
	take(t, c, keep, "one", 0)
	take(t, c, drop, "one", 0)
	quota.Take([]byte("one"), time.Now())
	c.Retain([]string{"keep"}, nil)
	redistest.Await(t, 5*time.Second, "what was dropped goes", func() bool { return c.Stats().Keys == 1 })
	if again := c.Limit("keep", rate(t, 0.001, 8), Fast, Closed); again != keep {
		t.Error("what was kept is another")
	}
	key, _ := c.key("l", []byte("one"), "drop")
	redistest.Await(t, 5*time.Second, "what it owed is paid", func() bool { return server.Must("EXISTS", key) == "1" })
	again := c.Limit("drop", rate(t, 0.001, 8), Exact, Closed)
	if again == drop {
		t.Error("what was dropped is the same")
	}
	if d := take(t, c, again, "one", 0); d.Remaining != 6 {
		t.Errorf("%d remain; want 6: what was taken stays in Redis", d.Remaining)
	}
}

func TestFullTableGivesTheLocalShare(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	config := patient(server.Address)
	config.Keys, config.Nodes, config.Interval = 64, 2, time.Second
	c := client(t, config)
	l := c.Limit("one", rate(t, 0.001, 10), Fast, Closed)
	by := make(map[Outcome]int)
	allowed := make(map[string]int)
	for range 10 {
		for i := range 200 {
			identity := string(rune('a'+i%20)) + string(rune('a'+i/20))
			d, outcome := l.Take([]byte(identity), c.Now(), 0)
			by[outcome]++
			if d.Allowed && outcome == DecidedLocally {
				allowed[identity]++
			}
		}
	}
	if stats := c.Stats(); stats.Keys > 64 || by[DecidedLocally] == 0 || stats.Overflowed != uint64(by[DecidedLocally]) {
		t.Errorf("outcomes %v, stats %+v", by, stats)
	}
	for identity, n := range allowed {
		if n > 5 {
			t.Errorf("%q without room: %d are allowed; want at most its share, 5", identity, n)
		}
	}
}
