package upstream

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"weir/proxy/wire"
)

// Registry holds the targets of a process, so that reloading a document keeps
// their connections. Safe for concurrent use; Close ends it.
type Registry struct {
	config  Config
	shards  int
	readers *wire.Readers
	flights sync.Pool
	pumps   sync.Pool
	streams sync.Pool
	clock   atomic.Int64 // of the reaper: coarse, and free to read

	mu      sync.Mutex
	targets map[string]*Target

	stop    chan struct{}
	stopped sync.WaitGroup
}

// NewRegistry returns an empty registry whose pools have one stack a shard,
// and starts the goroutine that closes connections which nobody used for long.
func NewRegistry(config Config, shards int) *Registry {
	r := &Registry{
		config:  config.ready(),
		shards:  max(shards, 1),
		targets: map[string]*Target{},
		stop:    make(chan struct{}),
	}
	r.readers = wire.NewReaders(r.config.ReadBuffer)
	r.clock.Store(wire.Now())
	r.stopped.Add(1)
	go r.reap()
	return r
}

// Acquire returns the target at a, with the connections that it has if the
// registry knows it already.
func (r *Registry) Acquire(a Address) (*Target, error) {
	t := &Target{registry: r}
	if err := t.parse(a); err != nil {
		return nil, err
	}
	t.key = t.protocol.String() + " " + t.scheme + " " + t.network + " " + t.address + " " + t.base + " " + string(t.host) + fmt.Sprint(t.limits)
	if t.scheme == "https" {
		print, err := a.TLS.Fingerprint()
		if err != nil {
			return nil, fmt.Errorf("cannot use target %q: %w", a.URL, err)
		}
		t.key += " " + print
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if known := r.targets[t.key]; known != nil {
		return known, nil
	}
	if err := t.secure(a.TLS); err != nil {
		return nil, err
	}
	t.pool.open(t, r.shards)
	t.sessions.open(t, r.shards)
	r.targets[t.key] = t
	return t, nil
}

// Retain forgets all targets but those in keep: their unused connections are
// closed now, those in use when their answers end.
func (r *Registry) Retain(keep []*Target) {
	kept := make(map[*Target]bool, len(keep))
	for _, t := range keep {
		kept[t] = true
	}
	for _, t := range r.forget(kept) {
		t.pool.close()
		t.sessions.close()
	}
}

func (r *Registry) forget(kept map[*Target]bool) (gone []*Target) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for key, t := range r.targets {
		if !kept[t] {
			delete(r.targets, key)
			gone = append(gone, t)
		}
	}
	return gone
}

// Targets returns the targets that the registry holds, in no order.
func (r *Registry) Targets() []*Target {
	r.mu.Lock()
	defer r.mu.Unlock()
	list := make([]*Target, 0, len(r.targets))
	for _, t := range r.targets {
		list = append(list, t)
	}
	return list
}

// Close forgets all targets and returns when the registry's goroutine ended.
// Requests under way come to their end.
func (r *Registry) Close() {
	r.Retain(nil)
	close(r.stop)
	r.stopped.Wait()
}

// reap closes what was unused for too long or was closed by its target.
func (r *Registry) reap() {
	defer r.stopped.Done()
	interval := 5 * time.Second
	if idle := r.config.IdleLifetime; idle > 0 {
		interval = min(max(idle/8, 10*time.Millisecond), interval)
	}
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-ticker.C:
		}
		now := wire.Now()
		r.clock.Store(now)
		for _, t := range r.Targets() {
			oldest := int64(0)
			if t.limits.IdleLifetime > 0 {
				oldest = now - int64(t.limits.IdleLifetime)
			}
			t.pool.sweep(oldest)
			t.sessions.sweep(oldest)
		}
	}
}
