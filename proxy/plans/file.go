package plans

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/rs/zerolog"
	bolt "go.etcd.io/bbolt"
)

// Names of the files in the directory.
const (
	fileName   = "weir.db"
	secretName = "weir.secret"
)

// file is the database that outlives the process. It is made when there is
// first something to keep. What cannot be written is an alarm, and tried again.
type file struct {
	directory string // "" for nothing that outlives the process
	log       zerolog.Logger

	writing sync.Mutex // one writer at a time; held over what follows
	secret  *secret
	saved   bool // the secret is in its file
	made    bool // there is a database

	handle   sync.RWMutex // of db, for readers
	db       *bolt.DB     // nil while there is none
	readOnly bool

	broken   atomic.Pointer[error] // damage under way, after which bbolt may hold its locks for ever: it is left alone
	warned   atomic.Bool           // of keeping nothing
	alarm    atomic.Bool
	failures atomic.Uint64
	last     atomic.Pointer[string]
}

// put is a record to be kept, or with a nil value to be taken out.
type put struct {
	bucket, key string
	value       []byte
}

func (f *file) path() string { return filepath.Join(f.directory, fileName) }

// commit keeps the records, all or none, and durably; an error is an
// ErrUnavailable.
func (f *file) commit(puts []put) error {
	if f.directory == "" {
		if !f.warned.Swap(true) {
			f.log.Warn().Msg("API keys, usage plans and usage are kept in memory only, and end with the process: set -data")
		}
		return nil
	}
	f.writing.Lock()
	defer f.writing.Unlock()
	if err := f.write(puts); err != nil {
		f.fail(err)
		return refuse(ErrUnavailable, "cannot keep the change in %q: %s", f.path(), err)
	}
	return nil
}

// begin makes the database, if there is none.
func (f *file) begin() {
	f.writing.Lock()
	begun := f.db != nil
	f.writing.Unlock()
	if !begun {
		f.commit(nil)
	}
}

func (f *file) write(puts []put) error {
	if err := f.broken.Load(); err != nil {
		return *err
	}
	if err := f.ready(); err != nil {
		return err
	}
	// In any other order bbolt takes the square of the time.
	slices.SortFunc(puts, func(a, b put) int { return cmp.Or(strings.Compare(a.bucket, b.bucket), strings.Compare(a.key, b.key)) })
	return f.use(func() error {
		return f.db.Update(func(tx *bolt.Tx) error {
			for _, p := range puts {
				if err := p.apply(tx); err != nil {
					return err
				}
			}
			return nil
		})
	})
}

// use does something with the database, unless that was damaged under way.
func (f *file) use(do func() error) error {
	if err := f.broken.Load(); err != nil {
		return *err
	}
	panicked := true
	err := guarded(func() error {
		err := do()
		panicked = false
		return err
	})
	if panicked {
		f.broken.Store(&err)
	}
	return err
}

func (p put) apply(tx *bolt.Tx) error {
	b := tx.Bucket([]byte(p.bucket))
	switch {
	case b == nil:
		return fmt.Errorf("it has no bucket %q", p.bucket)
	case p.value == nil:
		return b.Delete([]byte(p.key))
	}
	return b.Put([]byte(p.key), seal(p.bucket, p.key, p.value))
}

// ready sees to it that there is a database that can be written.
func (f *file) ready() error {
	if f.db != nil && !f.readOnly {
		return nil
	}
	if !f.saved {
		if err := f.saveSecret(); err != nil {
			return err
		}
	}
	if !f.made {
		if err := f.make(); err != nil {
			return err
		}
	}
	f.handle.Lock()
	defer f.handle.Unlock()
	if f.db != nil { // it could only be read until now
		f.db.Close()
		f.db = nil
	}
	db, err := openDatabase(f.path(), false)
	if err != nil {
		// Reading goes on where it did.
		if f.readOnly {
			f.db, _ = openDatabase(f.path(), true)
		}
		return err
	}
	f.db, f.readOnly = db, false
	return nil
}

// openDatabase opens what is there, and makes nothing. Of damage that bbolt
// stumbles over, a mapping and its lock are left until the process ends.
func openDatabase(path string, readOnly bool) (db *bolt.DB, err error) {
	err = guarded(func() (err error) {
		db, err = bolt.Open(path, 0o600, &bolt.Options{
			Timeout: lockTimeout, ReadOnly: readOnly, PreLoadFreelist: true, NoStatistics: true,
			OpenFile: func(name string, flag int, mode os.FileMode) (*os.File, error) {
				return os.OpenFile(name, flag&^os.O_CREATE, mode)
			},
		})
		return err
	})
	return db, err
}

// lockTimeout is how long another process may take to end.
const lockTimeout = time.Second

// make makes an empty database: aside first, so that a half one never has its
// name.
func (f *file) make() error {
	aside := f.path() + ".new"
	os.Remove(aside)
	defer os.Remove(aside)
	db, err := bolt.Open(aside, 0o600, &bolt.Options{Timeout: lockTimeout})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range []string{inMeta, inKeys, inPlans, inMembers, inUses, inDays} {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		for _, p := range []put{{inMeta, versionKey, []byte(version)}, {inMeta, installationKey, f.secret.installation()}} {
			if err := p.apply(tx); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(err, db.Close()); err != nil {
		return err
	}
	if err := place(aside, f.path()); err != nil {
		return err
	}
	f.made = true
	return syncDirectory(f.directory)
}

// place gives a file its name, unless there is one with it: a link replaces
// nothing. Where there are no links it has to be looked for.
func place(aside, path string) error {
	err := os.Link(aside, path)
	if errors.Is(err, os.ErrPermission) || errors.Is(err, errors.ErrUnsupported) {
		if exists(path) {
			return fmt.Errorf("cannot make %q: it exists", path)
		}
		return os.Rename(aside, path)
	}
	return err
}

func syncDirectory(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// view reads the database, if there is one.
func (f *file) view(read func(*bolt.Tx) error) error {
	f.handle.RLock()
	defer f.handle.RUnlock()
	if f.db == nil {
		return nil
	}
	return f.use(func() error { return f.db.View(read) })
}

// guarded makes damage that bbolt stumbles over an ErrCorrupt: its panics, and
// faults of the memory that the file is mapped to.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if cause := recover(); cause != nil {
			err = refuse(ErrCorrupt, "a page is damaged: %v", cause)
		}
	}()
	return do()
}

// fail begins the alarm, and says so once.
func (f *file) fail(err error) {
	f.failures.Add(1)
	text := err.Error()
	f.last.Store(&text)
	if !f.alarm.Swap(true) {
		f.log.Error().Err(err).Str("file", f.path()).Msg("cannot keep keys, plans and usage; requests are served and counted, changes are refused, and it is tried again")
	}
}

// settle ends the alarm, when a batch was written: a small change may find
// room where the batches do not.
func (f *file) settle() {
	if f.alarm.Swap(false) {
		f.log.Info().Str("file", f.path()).Msg("keys, plans and usage are kept again")
	}
}

// close ends the use of the database.
func (f *file) close() error {
	f.writing.Lock()
	defer f.writing.Unlock()
	f.handle.Lock()
	defer f.handle.Unlock()
	closed := errors.New("the store is closed")
	if !f.broken.CompareAndSwap(nil, &closed) || f.db == nil {
		return nil
	}
	db := f.db
	f.db = nil
	return db.Close()
}

// unwritable tells whether err is one of a place where nothing can be written.
func unwritable(err error) bool {
	return errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EROFS) || errors.Is(err, syscall.ENOTDIR)
}
