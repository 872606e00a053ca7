package snapshot

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// small mounts a file system of 1 MiB.
func small(t *testing.T) string {
	t.Helper()
	directory := t.TempDir()
	if err := syscall.Mount("none", directory, "tmpfs", 0, "size=1048576"); err != nil {
		t.Skipf("cannot mount a small file system: %s", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(directory, syscall.MNT_DETACH) })
	return directory
}

// What cannot be saved leaves what was there, with one warning, and nothing else.
func TestFullDisk(t *testing.T) {
	o, log := options(t, small(t))
	c := newCache(t)
	put(t, c, 1, 1000, nil)
	save(t, c, o)
	old, err := os.ReadFile(o.Path)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		put(t, c, 2+i, 20_000, nil)
	}
	err = Save(context.Background(), c, o)
	if !errors.Is(err, syscall.ENOSPC) || log.warnings() != 1 {
		t.Errorf("got %v and the log %s; want %v and one warning", err, log, syscall.ENOSPC)
	}
	if kept, err := os.ReadFile(o.Path); err != nil || !bytes.Equal(kept, old) {
		t.Errorf("the old snapshot has changed: %v", err)
	}
	if all, _ := filepath.Glob(filepath.Join(filepath.Dir(o.Path), "*")); len(all) != 1 {
		t.Errorf("got the files %q; want the old one", all)
	}
}

func TestReadOnlyFileSystem(t *testing.T) {
	directory := small(t)
	o, log := options(t, directory)
	c := newCache(t)
	put(t, c, 1, 1000, nil)
	save(t, c, o)
	if err := syscall.Mount("none", directory, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Skipf("cannot make the file system read-only: %s", err)
	}
	if err := Save(context.Background(), c, o); !errors.Is(err, syscall.EROFS) || log.warnings() != 1 {
		t.Errorf("got %v and the log %s; want %v and one warning", err, log, syscall.EROFS)
	}
	// It cannot be taken away: whoever loads it again would not know the purges since.
	if l := load(t, newCache(t), o); l.Restored() != 0 || log.warnings() != 2 || !strings.Contains(log.String(), "would be loaded again") {
		t.Errorf("got %d entries and the log %s", l.Restored(), log)
	}
	if _, err := os.Stat(o.Path); err != nil {
		t.Errorf("the old snapshot is not there: %v", err)
	}
}
