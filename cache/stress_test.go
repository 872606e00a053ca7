package cache

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// origin has resources that change. Its contents tell of what and of which
// version they are, so that no answer can be taken for another.
type origin struct {
	resources []resource
}

// resource is one path. No answer may be given that is older than what was there
// when a purge of it had returned, nor unvalidated one from before a soft purge.
type resource struct {
	version, hard, soft atomic.Int64
}

const (
	stressGroups = 4 // prefixes, each with a tag
	stressPaths  = 120
	stressRounds = 500 // of each user
)

func stressPath(i int) string { return fmt.Sprintf("/%d/%d", i%stressGroups, i) }

// stressLength is the length of a content, of which some are unknown ahead.
func stressLength(i int) int { return []int{40, 900, 9_000, 30_000, 90_000}[i%5] }

func stressContent(i int, accept string, version int64) []byte {
	head := fmt.Sprintf("%d %s %d.", i, accept, version)
	return append([]byte(head), bytes.Repeat([]byte{byte(version)}, stressLength(i))...)
}

func raise(word *atomic.Int64, to int64) {
	for now := word.Load(); now < to && !word.CompareAndSwap(now, to); now = word.Load() {
	}
}

// stress is one of those who use the cache.
type stress struct {
	testing.TB
	*origin
	cache   *Cache
	random  *rand.Rand
	fetches *sync.WaitGroup
}

// check reads e and compares it with what is to be there, of that version at
// least.
func (s *stress) check(how string, e *Entry, i int, accept string, least int64) {
	var cursor Cursor
	cursor.Begin(e.Body, 0, -1)
	defer cursor.Close()
	w := make(signal, 1)
	cursor.Watch(w)
	var got []byte
	for !cursor.Done() {
		if part := cursor.Take(); part != nil {
			got = append(got, part...)
			continue
		}
		if cursor.Err() != nil {
			return // the fetch broke off, and it does not look whole
		}
		if !cursor.Ready() {
			<-w
		}
	}
	var path int
	var version int64
	var accepted string
	if _, err := fmt.Sscanf(string(got[:min(len(got), 40)]), "%d %s %d.", &path, &accepted, &version); err != nil {
		s.Errorf("%s: %q: %v", how, got[:min(len(got), 40)], err)
		return
	}
	if !bytes.Equal(got, stressContent(i, accept, version)) {
		s.Errorf("%s: content of %d %s in the place of %d %s", how, path, accepted, i, accept)
	}
	if version < least {
		s.Errorf("%s: version %d of %d; want at least %d", how, version, i, least)
	}
	if e.Status != int(version) {
		s.Errorf("%s: the head of version %d with the body of %d", how, e.Status, version)
	}
}

// request does what a proxy does.
func (s *stress) request(i int) {
	accept := []string{"a", "b"}[s.random.IntN(2)]
	fields := fields{"Accept": accept}
	r := &s.resources[i]
	k := keyAt(stressPath(i))
	hard, soft := r.hard.Load(), r.soft.Load()
	found := s.cache.Lookup(k, fields)
	if e := found.Entry; e != nil {
		if !found.Validate {
			hard = max(hard, soft)
		}
		s.check("lookup", e, i, accept, hard)
		if !found.Validate {
			if s.random.IntN(20) == 0 {
				next := *e
				next.Lines = []byte("X: replaced\r\n")
				s.cache.Replace(e, &next)
			}
			if s.random.IntN(30) != 0 {
				return
			}
		}
	}
	for {
		least := max(r.hard.Load(), r.soft.Load())
		f, leads := s.cache.Begin(k, fields, found.Entry)
		if leads {
			seed := s.random.Uint64()
			s.fetches.Go(func() { s.fetch(f, i, fields, rand.New(rand.NewPCG(seed, 0))) })
		}
		if s.random.IntN(10) == 0 {
			f.Leave()
			return
		}
		state, e, _ := await(f)
		if state == Answered && !s.cache.Selects(e, k, fields) {
			f.Leave()
			continue
		}
		if state == Answered {
			s.check(fmt.Sprintf("follow (leads: %t)", leads), e, i, accept, least)
		}
		f.Leave()
		return
	}
}

// fetch does what a fetch in the background does.
func (s *stress) fetch(f *Fill, i int, fields fields, random *rand.Rand) {
	defer f.Close()
	version := s.resources[i].version.Load()
	if stale := f.Stale(); stale != nil && stale.Status == int(version) {
		next := *stale
		f.Refreshed(&next, fields)
		return
	}
	switch random.IntN(30) {
	case 0:
		f.Fail("down")
		return
	case 1:
		f.Pass(0)
		return
	case 2:
		if f.Abandon() {
			return
		}
	}
	content := stressContent(i, fields["Accept"], version)
	length := len(content)
	if i%3 == 0 {
		length = -1
	}
	e := answerOf(s.cache, length, "Accept")
	e.Status = int(version)
	e.Tags = [][]byte{fmt.Appendf(nil, "group-%d", i%stressGroups)}
	f.Answer(e, fields)
	if random.IntN(20) == 0 {
		fillBody(e.Body, content[:len(content)/2], 4000)
		return
	}
	fillBody(e.Body, content, 20_000)
	e.Body.End(nil, nil)
	f.Done(nil)
}

// change changes resources and purges them.
func (s *stress) change(i int) {
	group := i % stressGroups
	purge := Purge{Soft: s.random.IntN(2) == 0}
	hit := func(j int) bool { return j%stressGroups == group }
	invalidates := false
	switch s.random.IntN(30) {
	case 0:
		hit = func(int) bool { return true }
	case 1:
		hit, purge.Host = func(int) bool { return true }, "example.org"
	case 2:
		purge.Path, purge.Prefix = fmt.Sprintf("/%d/", group), true
	case 3:
		purge.Host, purge.Path, purge.Prefix = "example.org", fmt.Sprintf("/%d/", group), true
	case 4, 5:
		purge.Tags = []string{fmt.Sprint("group-", group), "another"}
	case 6:
		purge.Tags, purge.Stage = []string{fmt.Sprint("group-", group)}, "site/prod"
	case 7, 8, 9, 10, 11, 12, 13, 14, 15:
		invalidates, purge.Soft = true, true
		hit = func(j int) bool { return j == i }
	default:
		purge.Host, purge.Path = "example.org", stressPath(i)
		hit = func(j int) bool { return j == i }
	}
	versions := make(map[int]int64)
	for j := range s.resources {
		if hit(j) {
			versions[j] = s.resources[j].version.Add(1)
		}
	}
	if invalidates {
		s.cache.Invalidate([]byte("example.org"), []byte(stressPath(i)), nil)
	} else {
		s.cache.Purge(purge)
	}
	for j, version := range versions {
		if purge.Soft {
			raise(&s.resources[j].soft, version)
		} else {
			raise(&s.resources[j].hard, version)
		}
	}
}

// Nobody gets what is not his, or what was purged, whatever is done at once.
func TestStress(t *testing.T) {
	c := openCache(t, 3<<20)
	o := &origin{resources: make([]resource, stressPaths)}
	for i := range o.resources {
		o.resources[i].version.Store(200)
	}
	var users, fetches sync.WaitGroup
	for range 8 {
		s := &stress{TB: t, origin: o, cache: c, random: rand.New(rand.NewPCG(rand.Uint64(), 0)), fetches: &fetches}
		users.Go(func() {
			for range stressRounds {
				// Some are asked for more often than others.
				i := min(s.random.IntN(stressPaths), s.random.IntN(stressPaths))
				switch s.random.IntN(40) {
				case 0:
					s.change(i)
				case 1:
					if s.random.IntN(20) == 0 {
						c.sweepOnce()
					}
				default:
					s.request(i)
				}
			}
		})
	}
	users.Wait()
	fetches.Wait()
}
