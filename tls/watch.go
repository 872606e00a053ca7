package tls

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settleTime is how long files must have kept still before they are read: a
// certificate and its key are written one after the other.
const settleTime = 100 * time.Millisecond

// watcher reads the published files again when they change. It watches
// directories: tools replace files, and Kubernetes swaps a symbolic link.
type watcher struct {
	m       *Manager
	notify  *fsnotify.Watcher
	renewed chan struct{} // the files to follow are others

	following atomic.Pointer[Terms]
}

func newWatcher(m *Manager) (*watcher, error) {
	notify, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("cannot watch certificate files: %w", err)
	}
	return &watcher{m: m, notify: notify, renewed: make(chan struct{}, 1)}, nil
}

// follow watches the files of t, which have just been read.
func (w *watcher) follow(t *Terms) {
	w.following.Store(t)
	wanted := directoriesOf(t)
	var errs []error
	for _, dir := range wanted {
		errs = append(errs, w.notify.Add(dir))
	}
	for _, dir := range w.notify.WatchList() {
		if !slices.Contains(wanted, dir) {
			_ = w.notify.Remove(dir)
		}
	}
	if err := errors.Join(errs...); err != nil && w.m.ctx.Err() == nil {
		w.m.log.Error("cannot watch certificate files", "error", err)
	}
	select {
	case w.renewed <- struct{}{}:
	default:
	}
}

// directoriesOf returns where changes of the files show: where they are, and where
// symbolic links lead to.
func directoriesOf(t *Terms) []string {
	var out []string
	add := func(dir string) {
		if !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	for file := range t.seen {
		add(filepath.Dir(file))
		if real, err := filepath.EvalSymlinks(file); err == nil {
			add(filepath.Dir(real))
		}
	}
	for _, dir := range t.dirs {
		add(filepath.Clean(dir))
	}
	return out
}

// changed reports whether the files hold something else than when they were read.
func (w *watcher) changed() bool {
	t := w.following.Load()
	for path, was := range t.seen {
		is := uint64(0)
		if slices.Contains(t.dirs, path) {
			is = digestDirectory(w.m.seed, path)
		} else {
			text, err := readLimited(path)
			is = digest(w.m.seed, text, err)
		}
		if is != was {
			return true
		}
	}
	return false
}

// run reads the files again once changes have settled, until the Manager is
// closed. Renewed files are looked at once: they may have changed between being
// read and being watched.
func (w *watcher) run() {
	defer w.notify.Close()
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	for {
		select {
		case <-w.m.ctx.Done():
			return
		case _, ok := <-w.notify.Events:
			if !ok {
				return
			}
			settled.Reset(settleTime)
		case err := <-w.notify.Errors:
			w.m.log.Error("cannot watch certificate files", "error", err)
			settled.Reset(settleTime)
		case <-w.renewed:
			settled.Reset(settleTime)
		case <-settled.C:
			if w.following.Load() != nil && w.changed() {
				w.m.refresh()
			}
		}
	}
}
