package proxy

import (
	"context"
	"errors"
	"hash/maphash"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// settle is how long files must have kept still before they are read: editors
// and deployments write in several steps.
const settleTime = 100 * time.Millisecond

// watchFiles reloads when a file of the source changes, until ctx ends; the channel
// is closed then. Directories are watched, not files: editors replace files,
// and Kubernetes swaps a symbolic link beside them.
func (g *Gateway) watchFiles(ctx context.Context) <-chan struct{} {
	done := make(chan struct{})
	if len(g.source.Files()) == 0 || !g.options.Watch {
		close(done)
		return done
	}
	watcher, err := fsnotify.NewWatcher()
	if err == nil {
		err = watchDirectories(watcher, g.source.Files())
	}
	if err != nil {
		g.log.Error().Err(err).Msg("cannot watch the document; reload by SIGHUP or the control listener")
		close(done)
		return done
	}
	go func() {
		defer close(done)
		defer watcher.Close()
		g.follow(ctx, watcher)
	}()
	return done
}

func watchDirectories(watcher *fsnotify.Watcher, files []string) error {
	var errs []error
	for _, dir := range directoriesOf(files) {
		errs = append(errs, watcher.Add(dir))
	}
	return errors.Join(errs...)
}

// follow waits for changes and reloads once they have settled. It begins with a
// look: the files may have changed since they were read, before they were watched.
func (g *Gateway) follow(ctx context.Context, watcher *fsnotify.Watcher) {
	settled := time.NewTimer(0)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case event, ok := <-watcher.Events:
			if !ok {
				return
			}
			if concerns(event.Name, g.source.Files()) {
				settled.Reset(settleTime)
			}
		case err := <-watcher.Errors:
			g.log.Error().Err(err).Msg("cannot watch the document")
			settled.Reset(settleTime)
		case <-settled.C:
			if g.read.same(g.source.Files()) {
				continue
			}
			_ = g.Reload() // it has logged why not
			if err := watchDirectories(watcher, g.source.Files()); err != nil {
				g.log.Error().Err(err).Msg("cannot watch a file that the document names")
			}
		}
	}
}

// filesRead remembers what the files held when they were last read.
type filesRead struct {
	seed maphash.Seed
	sum  atomic.Uint64
}

// note remembers what the files hold now. It is called before they are read: a
// change meanwhile is then a change.
func (f *filesRead) note(files []string) { f.sum.Store(digest(f.seed, files)) }

func (f *filesRead) same(files []string) bool { return f.sum.Load() == digest(f.seed, files) }

// concerns tells whether a change of name may change what the files hold: it is
// one of them, or on the way to one by symbolic links. A log that grows beside
// the document must not keep the reload waiting.
func concerns(name string, files []string) bool {
	for _, file := range files {
		if filepath.Base(name) == filepath.Base(file) {
			return true
		}
		for path := file; ; {
			real, err := os.Readlink(path)
			if err != nil {
				break
			}
			if !filepath.IsAbs(real) {
				real = filepath.Join(filepath.Dir(path), real)
			}
			for part := real; len(part) > 1 && part != filepath.Dir(file); part = filepath.Dir(part) {
				if filepath.Base(name) == filepath.Base(part) {
					return true
				}
			}
			path = real
		}
	}
	return false
}

// directoriesOf returns where changes of files show: their directories, and
// those that symbolic links lead to.
func directoriesOf(files []string) []string {
	seen := make(map[string]bool)
	var out []string
	add := func(file string) {
		if dir := filepath.Dir(file); !seen[dir] {
			seen[dir] = true
			out = append(out, dir)
		}
	}
	for _, file := range files {
		add(file)
		if real, err := filepath.EvalSymlinks(file); err == nil {
			add(real)
		}
	}
	return out
}

// digest sums up what the files hold.
func digest(seed maphash.Seed, files []string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	for _, file := range files {
		content, err := os.ReadFile(file)
		_, _ = h.Write(content)
		if err != nil {
			_, _ = h.WriteString(err.Error())
		}
		_ = h.WriteByte(0)
	}
	return h.Sum64()
}
