package snapshot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"weir/cache"
	"weir/cache/record"
)

// Loading is a snapshot that is put back into a cache in the background.
type Loading struct {
	o     Options
	cache *cache.Cache

	restored atomic.Int64
	position record.Position
	stop     atomic.Bool
	group    sync.WaitGroup
	begun    chan struct{} // position is known
	done     chan struct{}
}

// Load begins to put back what Save has written, and takes the file away: what is
// purged from now on must not come back with it. Ages go on, never slower than
// time does. It is to be called before anything is purged. Stop ends it.
func Load(c *cache.Cache, o Options) *Loading {
	l := &Loading{o: o, cache: c, begun: make(chan struct{}), done: make(chan struct{})}
	number := c.Number() // whatever is purged while it loads holds for what is loaded
	l.group.Go(func() {
		defer close(l.done)
		began := time.Now()
		in, err := l.load(number)
		l.tell(in, err, time.Since(began))
	})
	return l
}

// Wait returns when all is back, or d is over; it tells whether all is.
func (l *Loading) Wait(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-l.done:
		return true
	case <-timer.C:
		return false
	}
}

// Stop ends the loading, if it has not ended, and returns when it has.
func (l *Loading) Stop() {
	l.stop.Store(true)
	l.group.Wait()
}

// Restored returns how many entries are back by now.
func (l *Loading) Restored() int64 { return l.restored.Load() }

// Position returns what Options.Position was when the snapshot was saved, zero
// without a snapshot.
func (l *Loading) Position() record.Position {
	<-l.begun
	return l.position
}

var errUnknown = errors.New("the clock stands before the time at which it was saved, so that the ages are not known")

// load returns what was read, nil if nothing could be.
func (l *Loading) load(number uint64) (in *reader, err error) {
	begun := sync.OnceFunc(func() { close(l.begun) })
	defer begun()
	f, size, err := take(l.o.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if in, err = newReader(f, size); err != nil {
		return nil, err
	}
	at, clock := now(), l.cache.Now()
	passed, known := at.since(in.saved)
	if !known {
		return nil, errUnknown
	}
	l.position = in.position
	begun()
	for !l.stop.Load() {
		r := in.next()
		if r == nil {
			break
		}
		// What is ahead of the clock by which it was saved counts as new then.
		resident := max(0, in.saved.wall-r.Received) + int64(passed)
		if record.IsSpent(&r.Terms, time.Duration(resident)) {
			continue
		}
		l.cache.Restore(r.Entry(clock-resident), number)
		l.restored.Add(1)
	}
	return in, in.failure
}

// take opens a snapshot and takes its name away, so that it is loaded only once.
func take(path string) (f *os.File, size int64, err error) {
	f, err = os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, 0, err
	}
	defer func() {
		if err != nil {
			_ = f.Close()
		}
	}()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, 0, err
	case !info.Mode().IsRegular():
		return nil, 0, errors.New("it is no regular file")
	case info.Mode().Perm()&0o002 != 0:
		return nil, 0, fmt.Errorf("everybody may write it: its mode is %s", info.Mode().Perm())
	}
	if err := os.Remove(path); err != nil {
		return nil, 0, fmt.Errorf("it would be loaded again, with what is purged until then: %w", err)
	}
	return f, info.Size(), nil
}

// tell says once how it went.
func (l *Loading) tell(in *reader, err error, took time.Duration) {
	restored := l.restored.Load()
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case in == nil:
		err = fmt.Errorf("cannot load the cache's snapshot %q: %w", l.o.Path, err)
		l.o.Log.Warn().Err(err).Msg("the cache begins empty")
	case err != nil || in.cut || in.damaged > 0 || in.foreign > 0:
		l.o.Log.Warn().Err(err).Str("path", l.o.Path).Int64("entries", restored).Dur("took", took).
			Bool("truncated", in.cut).Int("damaged", in.damaged).Int("foreign", in.foreign).
			Msg("the cache's snapshot is loaded but for what is damaged or of another version")
	case l.stop.Load():
		l.o.Log.Warn().Str("path", l.o.Path).Int64("entries", restored).Msg("the loading of the cache's snapshot was stopped")
	default:
		l.o.Log.Info().Str("path", l.o.Path).Int64("entries", restored).Dur("took", took).Msg("the cache's snapshot is loaded")
	}
}
