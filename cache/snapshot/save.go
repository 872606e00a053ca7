package snapshot

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"weir/cache"
	"weir/cache/record"

	"github.com/rs/zerolog"
)

const (
	// telling is the time between two lines about how far a long snapshot is.
	telling = 5 * time.Second
	// syncing is after how many bytes what was written is sent to the disk, so that
	// the last time does not take long.
	syncing = 64 << 20
	// grace is how long beyond its time a write may hang before nobody waits for it.
	grace = time.Second
)

// Options say where a snapshot lies and who hears of it.
type Options struct {
	Path string
	// Position is how far the purges of other nodes were heard of, see package tier.
	Position record.Position
	// Within bounds the time of Save. 0 means 10 s.
	Within time.Duration
	Log    zerolog.Logger
}

// Save writes what c has to a file: aside first, and in the place of the old one
// when it is whole on the disk. When the time is over, what was written by then
// is the snapshot. When it cannot be written, what was there stays; the error
// has been logged. Nothing may be purged meanwhile.
func Save(ctx context.Context, c *cache.Cache, o Options) error {
	within := o.Within
	if within == 0 {
		within = 10 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	s := &saving{Options: o, cache: c, began: time.Now(), told: time.Now()}
	done := make(chan error, 1)
	// A disk that hangs keeps the goroutine, not the drain.
	go func() { done <- s.save(ctx) }()
	select {
	case err := <-done:
		return s.tell(ctx, err)
	case <-ctx.Done():
	}
	hanging := time.NewTimer(grace)
	defer hanging.Stop()
	select {
	case err := <-done:
		return s.tell(ctx, err)
	case <-hanging.C:
		return s.warn(errors.New("the disk does not answer in time"))
	}
}

// saving is one Save under way.
type saving struct {
	Options
	cache       *cache.Cache
	began, told time.Time

	entries int
	bytes   int64
	synced  int64
}

func (s *saving) tell(ctx context.Context, err error) error {
	if err != nil {
		return s.warn(err)
	}
	line := s.Log.Info()
	text := "the cache's snapshot is saved"
	if ctx.Err() != nil {
		line, text = s.Log.Warn(), "the cache's snapshot is saved in part: its time is over"
	}
	line.Str("path", s.Path).Int("entries", s.entries).Int64("bytes", s.bytes).Dur("took", time.Since(s.began)).Msg(text)
	return nil
}

func (s *saving) warn(err error) error {
	err = fmt.Errorf("cannot save the cache's snapshot %q: %w", s.Path, err)
	s.Log.Warn().Err(err).Msg("the cache will begin empty; an older snapshot is left as it was")
	return err
}

// save writes the file aside and moves it to its place.
func (s *saving) save(ctx context.Context) error {
	aside := s.Path + ".new"
	f, err := os.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|syscall.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	err = s.write(ctx, f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(aside, s.Path)
	}
	if err != nil {
		_ = os.Remove(aside)
		return err
	}
	return syncDirectory(filepath.Dir(s.Path))
}

func syncDirectory(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

func (s *saving) write(ctx context.Context, f *os.File) error {
	if err := f.Chmod(0o600); err != nil { // it may have been there, with another mode
		return err
	}
	saved, clock := now(), s.cache.Now()
	w, err := newWriter(f, saved, s.Position)
	if err != nil {
		return err
	}
	s.cache.Each(func(from cache.Record) bool {
		if ctx.Err() != nil {
			return false
		}
		resident := clock - from.Entry.At
		if record.IsSpent(&from.Entry.Terms, time.Duration(resident)) {
			return true
		}
		r, whole := record.Of(from, saved.wall-resident)
		if !whole {
			return true
		}
		err = s.add(w, f, r)
		return err == nil
	})
	if err != nil {
		return err
	}
	return w.end()
}

func (s *saving) add(w *writer, f *os.File, r *record.Record) error {
	n, err := w.add(r)
	if err != nil || n == 0 {
		return err
	}
	s.entries++
	s.bytes += n
	if s.bytes-s.synced >= syncing {
		s.synced = s.bytes
		if err := f.Sync(); err != nil {
			return err
		}
	}
	if time.Since(s.told) >= telling {
		s.told = time.Now()
		s.Log.Info().Int("entries", s.entries).Int64("bytes", s.bytes).Msg("saving the cache's snapshot")
	}
	return nil
}
