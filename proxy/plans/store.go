package plans

import (
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// Options say where a Store keeps what it has.
type Options struct {
	Directory string // -data; "" keeps everything in memory only
	Log       zerolog.Logger
	Now       func() time.Time // time.Now for nil
	Flush     time.Duration    // how often counters are written; DefaultFlush for 0
}

// DefaultFlush is how often counters are written: with the time that writing
// takes, what a kill can lose stays below a second.
const DefaultFlush = 500 * time.Millisecond

// Store has the keys and the plans. Requests read it without locks that
// management or the disk could hold; all may be called at once.
type Store struct {
	log    zerolog.Logger
	now    func() time.Time
	flush  time.Duration
	secret secret

	credentials registry
	ledger      ledger
	file        *file

	change sync.Mutex   // one change at a time, until it is kept
	state  sync.RWMutex // what follows; it is written under change too
	keys   map[string]*Identity
	plans  map[string]*livePlan
	joined roll // keys that were added to plans at run time, though the plan be away
	stands roll // keys that the document puts into plans
	uses   map[useID]*use
	stages func(api, stage string) bool
}

type useID struct{ plan, key string }

// roll says which keys are in which plan.
type roll map[string]map[string]bool

func (r roll) has(plan, key string) bool { return r[plan][key] }

func (r roll) add(plan, key string) {
	if r[plan] == nil {
		r[plan] = make(map[string]bool)
	}
	r[plan][key] = true
}

func (r roll) remove(plan, key string) { delete(r[plan], key) }

// Open returns a store of what the directory keeps. It fails where that is
// damaged (ErrCorrupt), in use (ErrLocked) or of a newer weir (ErrVersion), and
// leaves the files as they are then.
func Open(o Options) (*Store, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Flush == 0 {
		o.Flush = DefaultFlush
	}
	s := &Store{
		log: o.Log, now: o.Now, flush: o.Flush,
		keys: make(map[string]*Identity), plans: make(map[string]*livePlan),
		joined: make(roll), stands: make(roll), uses: make(map[useID]*use),
	}
	s.ledger.wake = make(chan struct{}, 1)
	s.secret = newSecret()
	s.file = &file{}
	return s, nil
}

// Close writes what is not yet written, and ends. The store still answers.
func (s *Store) Close() error { return nil }

// SetStages gives the function that tells which stages of APIs exist. Plans
// may be changed to have others only before it is set.
func (s *Store) SetStages(exists func(api, stage string) bool) {
	s.state.Lock()
	defer s.state.Unlock()
	s.stages = exists
}

// Stats is the state of a store.
type Stats struct {
	Keys, Plans int
	Persistent  bool   // there is a directory
	Writable    bool   // the last write went well, or none was needed
	Failures    uint64 // writes that failed
	Unwritten   int    // keys in plans whose counts wait to be written
	LastError   string // of the last failure; it stays when writing goes well again
}

// Stats returns what the store has and whether it can keep it.
func (s *Store) Stats() Stats {
	s.state.RLock()
	defer s.state.RUnlock()
	return Stats{Keys: len(s.keys), Plans: len(s.plans), Writable: true}
}

// use returns what the key has used of the plan, and begins it if there is
// nothing. The caller holds state.
func (s *Store) use(plan, key string) *use {
	id := useID{plan, key}
	u := s.uses[id]
	if u == nil {
		u = &use{plan: plan, key: key, ledger: &s.ledger}
		u.first.Store(uint32(dayOf(s.now())))
		s.uses[id] = u
	}
	return u
}
