package plans

import (
	"errors"
	"maps"
	"slices"
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

	credentials registry // by the digests of values
	recent      recent
	names       registry // by ids, in place of digests
	ledger      ledger
	file        *file

	change sync.Mutex   // one change at a time, until it is kept
	state  sync.RWMutex // what follows; it is written under change too
	keys   map[string]*Identity
	plans  map[string]*livePlan
	joined roll                       // keys that were added to plans at run time, though the plan be away
	stands roll                       // keys that the document puts into plans
	uses   map[string]map[string]*use // by plan, then by key
	stages func(api, stage string) bool

	once           sync.Once
	closing, ended chan struct{}
}

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
		file: &file{directory: o.Directory, log: o.Log},
		keys: make(map[string]*Identity), plans: make(map[string]*livePlan),
		joined: make(roll), stands: make(roll), uses: make(map[string]map[string]*use),
		closing: make(chan struct{}), ended: make(chan struct{}),
	}
	s.recent.init()
	s.ledger.wake = make(chan struct{}, 1)
	if err := s.load(); err != nil {
		return nil, err
	}
	s.index(nil, slices.Collect(maps.Values(s.keys)))
	s.enrolAll()
	if o.Directory == "" {
		close(s.ended)
	} else {
		go s.run()
	}
	return s, nil
}

// Close writes what is not yet written, and ends. Requests may go on; nothing
// is kept any more.
func (s *Store) Close() error {
	var err error
	s.once.Do(func() {
		close(s.closing)
		<-s.ended
		if s.file.directory != "" {
			err = errors.Join(s.writeUses(), s.file.close())
		}
	})
	return err
}

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
	f := s.file
	stats := Stats{
		Keys: len(s.keys), Plans: len(s.plans), Persistent: f.directory != "",
		Writable: !f.alarm.Load(), Failures: f.failures.Load(), Unwritten: s.ledger.waiting(),
	}
	if last := f.last.Load(); last != nil {
		stats.LastError = *last
	}
	return stats
}

// index has requests find the keys that came, and no more those that are gone.
func (s *Store) index(gone, came []*Identity) {
	of := func(keys []*Identity) (values, names []*credential) {
		for _, i := range keys {
			values, names = append(values, i.credentials()...), append(names, i.name())
		}
		return values, names
	}
	oldValues, oldNames := of(gone)
	values, names := of(came)
	s.credentials.replace(oldValues, values)
	s.names.replace(oldNames, names)
}

// use returns what the key has used of the plan, and begins it if there is
// nothing. The caller holds state.
func (s *Store) use(plan, key string) *use {
	u := s.uses[plan][key]
	if u == nil {
		if s.uses[plan] == nil {
			s.uses[plan] = make(map[string]*use)
		}
		u = &use{plan: plan, key: key, ledger: &s.ledger}
		u.first.Store(uint32(dayOf(s.now())))
		s.uses[plan][key] = u
	}
	return u
}
