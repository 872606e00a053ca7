package plans

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	bolt "go.etcd.io/bbolt"
	failures "go.etcd.io/bbolt/errors"
)

// load reads what the directory has. What is damaged, locked or newer is left
// as it is.
func (s *Store) load() error {
	f := s.file
	if err := f.loadSecret(&s.secret); err != nil || f.directory == "" {
		return err
	}
	path := f.path()
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return nil
	case err != nil && unwritable(err):
		f.fail(err)
		return nil
	case err != nil:
		return fmt.Errorf("cannot find the keys and plans: %w", err)
	case !f.saved:
		return refuse(ErrCorrupt, "cannot use %q without %q, the secret it was written with: put that back, or begin with nothing: mv %s %s.old", path, f.secretPath(), path, path)
	}
	f.made = true
	if err := s.read(path, info.Size()); err != nil {
		return f.explain(err)
	}
	// It was good to read; now it is opened to be written, or else it stays open
	// to be read and that is an alarm.
	if f.db, err = openDatabase(path, false); err == nil {
		return nil
	} else if !unwritable(err) {
		return f.explain(err)
	}
	f.fail(err)
	f.readOnly = true
	if f.db, err = openDatabase(path, true); err != nil {
		return f.explain(err)
	}
	return nil
}

// explain makes an error of opening one that says what to do.
func (f *file) explain(err error) error {
	path := f.path()
	switch {
	case errors.Is(err, failures.ErrTimeout):
		return refuse(ErrLocked, "cannot open %q: another process uses it; each weir needs a directory (-data) of its own", path)
	case errors.Is(err, ErrVersion):
		return err
	case errors.Is(err, ErrCorrupt), errors.Is(err, failures.ErrInvalid), errors.Is(err, failures.ErrChecksum), errors.Is(err, failures.ErrVersionMismatch):
	default:
		return fmt.Errorf("cannot open %q: %w", path, err)
	}
	way := fmt.Sprintf("to begin with nothing: mv %s %s.damaged", path, path)
	backup := f.path() + ".backup"
	if info, stat := os.Stat(backup); stat == nil {
		way = fmt.Sprintf("to go on with the copy of %s: mv %s %s.damaged && cp -p %s %s", info.ModTime().UTC().Format(time.RFC3339), path, path, backup, path)
	}
	return refuse(ErrCorrupt, "cannot use %q: %s; it is left as it is; %s", path, err, way)
}

// fullCheckBytes is up to which size the free pages and the tree of a file are
// checked when it is opened, which takes some 100 ms then. Its records always
// are, but for the past days of larger ones.
const fullCheckBytes = 64 << 20

// read checks the file and takes what it has into memory.
func (s *Store) read(path string, size int64) error {
	if size == 0 {
		return refuse(ErrCorrupt, "it is empty")
	}
	db, err := openDatabase(path, true)
	if err != nil {
		return err
	}
	defer db.Close()
	return guarded(func() error {
		return db.View(func(tx *bolt.Tx) error {
			if tx.Size() > size {
				return refuse(ErrCorrupt, "%d of its %d bytes are missing", tx.Size()-size, tx.Size())
			}
			if size <= fullCheckBytes {
				if err := checkPages(path, tx); err != nil {
					return err
				}
			}
			if err := s.checkMeta(tx); err != nil {
				return err
			}
			for _, name := range []string{inKeys, inPlans, inMembers, inUses, inDays} {
				if name == inDays && size > fullCheckBytes {
					continue
				}
				if err := s.readBucket(tx, name); err != nil {
					return err
				}
			}
			if size > fullCheckBytes {
				return nil
			}
			var wrong error
			for err := range tx.Check() {
				wrong = refuse(ErrCorrupt, "%s", err)
			}
			return wrong
		})
	})
}

func checkPages(path string, tx *bolt.Tx) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	p := &pages{content, uint64(tx.DB().Info().PageSize), make(map[uint64]bool)}
	if err := p.check(uint64(tx.Cursor().Bucket().Root())); err != nil {
		return refuse(ErrCorrupt, "%s", err)
	}
	return nil
}

func (s *Store) checkMeta(tx *bolt.Tx) error {
	meta := tx.Bucket([]byte(inMeta))
	if meta == nil {
		return refuse(ErrCorrupt, "it is no database of weir")
	}
	get := func(key string) string {
		value, _ := unseal(inMeta, key, meta.Get([]byte(key)))
		return string(value)
	}
	switch found := get(versionKey); {
	case found == "":
		return refuse(ErrCorrupt, "its version is damaged")
	case found != version:
		return refuse(ErrVersion, "cannot use %q: its format is %s, and this weir knows only %s: run the newer weir that wrote it", s.file.path(), found, version)
	}
	if get(installationKey) != string(s.secret.installation()) {
		return refuse(ErrCorrupt, "the secret in %q is not the one it was written with", s.file.secretPath())
	}
	return nil
}

func (s *Store) readBucket(tx *bolt.Tx, name string) error {
	b := tx.Bucket([]byte(name))
	if b == nil {
		return refuse(ErrCorrupt, "its bucket %q is missing", name)
	}
	last := ""
	return b.ForEach(func(k, sealed []byte) error {
		key := string(k)
		value, ok := unseal(name, key, sealed)
		if !ok || key <= last {
			return refuse(ErrCorrupt, "the record %q in %q is damaged", key, name)
		}
		last = key
		if err := s.readRecord(name, key, value); err != nil {
			return refuse(ErrCorrupt, "the record %q in %q: %s", key, name, err)
		}
		return nil
	})
}

func (s *Store) readRecord(bucket, key string, value []byte) error {
	switch bucket {
	case inKeys:
		return s.readKey(value)
	case inPlans:
		live := newLivePlan()
		if err := json.Unmarshal(value, &live.plan); err != nil {
			return err
		}
		t, err := live.plan.compile(live.slots)
		if err != nil {
			return err
		}
		live.terms.Store(t)
		s.plans[key] = live
	case inMembers, inUses:
		plan, id, ok := strings.Cut(key, "\x00")
		if !ok {
			return errors.New("it names no plan and key")
		}
		if bucket == inMembers {
			s.joined.add(plan, id)
		} else if !s.use(plan, id).decode(value) {
			return errors.New("it has another length")
		}
	}
	return nil
}

func (s *Store) readKey(value []byte) error {
	var r keyRecord
	if err := json.Unmarshal(value, &r); err != nil {
		return err
	}
	i := &Identity{id: r.Key.ID, key: r.Key}
	i.enabled.Store(r.Key.Enabled)
	var values []*credential
	for _, v := range r.Values {
		c := &credential{identity: i, version: v.Version}
		if copy(c.digest[:], v.Digest) != len(c.digest) {
			return errors.New("a digest has another length")
		}
		c.until = v.Until
		values = append(values, c)
	}
	if len(values) == 0 {
		return errors.New("it has no value")
	}
	i.setCredentials(values...)
	s.keys[i.id] = i
	return nil
}
