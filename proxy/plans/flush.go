package plans

import (
	"os"
	"slices"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
)

// run writes what was counted, in batches, until the store closes. What cannot
// be written stays counted and is tried again.
func (s *Store) run() {
	defer close(s.ended)
	day := time.NewTicker(24 * time.Hour)
	defer day.Stop()
	s.housekeep()
	for {
		if !s.file.alarm.Load() { // else it is tried again, needed or not, so that the alarm ends
			select {
			case <-s.ledger.wake:
			case <-day.C:
				s.housekeep()
				continue
			case <-s.closing:
				return
			}
		}
		wait := time.NewTimer(s.flush)
		select {
		case <-wait.C:
		case <-s.closing:
			wait.Stop()
			return // Close writes the rest
		}
		s.writeUses()
	}
}

// writeUses writes what has changed since it was written.
func (s *Store) writeUses() error {
	dirty := s.ledger.drain()
	if len(dirty) == 0 && !s.file.alarm.Load() {
		return nil
	}
	records := make([]useRecord, len(dirty))
	puts := make([]put, 0, len(dirty))
	for n, u := range dirty {
		records[n] = u.snapshot()
		puts = u.puts(puts, records[n])
	}
	if err := s.file.commit(puts); err != nil {
		for _, u := range dirty {
			u.mark()
		}
		return err
	}
	s.file.settle()
	for n, u := range dirty {
		u.forget(records[n].ended)
	}
	return nil
}

// forget drops ended days that are written.
func (u *use) forget(written []dayUse) {
	if len(written) == 0 {
		return
	}
	u.mutex.Lock()
	defer u.mutex.Unlock()
	last := written[len(written)-1].day
	u.ended = slices.DeleteFunc(u.ended, func(d dayUse) bool { return d.day <= last })
}

// housekeep copies the database and drops what is too old.
func (s *Store) housekeep() {
	if err := s.file.backup(); err != nil {
		s.log.Error().Err(err).Msg("cannot copy the keys, plans and usage; the copy before stays")
	}
	if today := dayOf(s.now()); today > DaysKept {
		s.file.dropDays(today - DaysKept)
		s.dropUses(today - DaysKept)
	}
}

// dropUses takes out what keys used that have left their plan, if that was
// before first.
func (s *Store) dropUses(first uint16) {
	s.change.Lock()
	defer s.change.Unlock()
	var old []put
	for plan, uses := range s.uses {
		for key, u := range uses {
			if day, _ := u.today.load(); day < first && !s.joined.has(plan, key) && !s.stands.has(plan, key) {
				old = append(old, put{inUses, memberKey(plan, key), nil})
			}
		}
	}
	if len(old) == 0 || s.file.commit(old) != nil {
		return
	}
	s.state.Lock()
	defer s.state.Unlock()
	for _, p := range old {
		plan, key, _ := strings.Cut(p.key, "\x00")
		delete(s.uses[plan], key)
	}
}

// backup copies the database beside it, aside first.
func (f *file) backup() error {
	path := f.path() + ".backup"
	aside := path + ".new"
	copied := false
	err := f.view(func(tx *bolt.Tx) error {
		if f.readOnly { // and so is the directory
			return nil
		}
		copied = true
		return writeDurably(aside, func(out *os.File) error {
			_, err := tx.WriteTo(out)
			return err
		})
	})
	if err != nil || !copied {
		os.Remove(aside)
		return err
	}
	if err := os.Rename(aside, path); err != nil {
		return err
	}
	return syncDirectory(f.directory)
}

// dropDays takes out the days before first.
func (f *file) dropDays(first uint16) {
	var old []put
	f.view(func(tx *bolt.Tx) error {
		at := tx.Bucket([]byte(inDays)).Cursor()
		for k, _ := at.First(); k != nil; {
			member, day := splitDay(k)
			if day < first {
				old = append(old, put{inDays, string(k), nil})
				k, _ = at.Next()
				continue
			}
			k, _ = at.Seek(append(append([]byte(nil), member...), 0, 0xff, 0xff, 0xff)) // the next member
		}
		return nil
	})
	for batch := range slices.Chunk(old, 10_000) {
		if f.commit(batch) != nil {
			return
		}
	}
}

// splitDay takes apart what dayKey has put together.
func splitDay(k []byte) (member []byte, day uint16) {
	n := len(k) - 3
	if n < 0 {
		return k, 0
	}
	return k[:n], uint16(k[n+1])<<8 | uint16(k[n+2])
}
