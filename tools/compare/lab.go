package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// lab is what all measurements share: programs, a scratch folder, one upstream.
type lab struct {
	order    order
	folder   string
	memory   string // a scratch folder in memory, where there can be one
	programs map[string]string
	proc     procfs
	upstream *process
	// origin is the upstream's host:port.
	origin string
	// pinProxy is put before the command of a measured program; empty where there is nothing to pin with.
	pinProxy []string
	versions map[string]string
	progress io.Writer
}

func openLab(ctx context.Context, o order, progress io.Writer) (_ *lab, err error) {
	l := &lab{order: o, proc: newProcfs(), programs: map[string]string{}, versions: map[string]string{}, progress: progress}
	if l.folder, err = os.MkdirTemp("", "weir-compare-"); err != nil {
		return nil, fmt.Errorf("cannot make a scratch folder: %w", err)
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	// nginx's worker drops its privileges and must still reach its files.
	if err := os.Chmod(l.folder, 0o755); err != nil {
		return nil, err
	}
	l.findMemory()
	if err := l.findPrograms(ctx); err != nil {
		return nil, err
	}
	if err := l.writeCertificate(); err != nil {
		return nil, err
	}
	l.pin()
	return l, l.startUpstream()
}

// findMemory makes a folder on a tmpfs for what a program caches in files.
func (l *lab) findMemory() {
	memory, err := os.MkdirTemp("/dev/shm", "weir-compare-")
	if err == nil {
		err = os.Chmod(memory, 0o755)
	}
	if err != nil {
		l.say("caches in files are not in memory: %v", err)
		memory = l.folder
	}
	l.memory = memory
}

func (l *lab) close() {
	if l.upstream != nil {
		l.upstream.stop()
	}
	if l.memory != "" && l.memory != l.folder {
		if err := os.RemoveAll(l.memory); err != nil {
			l.say("cannot remove scratch folder: %v", err)
		}
	}
	if l.order.keepFolder {
		l.say("scratch folder kept: %s", l.folder)
		return
	}
	if err := os.RemoveAll(l.folder); err != nil {
		l.say("cannot remove scratch folder: %v", err)
	}
}

func (l *lab) say(format string, values ...any) { fmt.Fprintf(l.progress, format+"\n", values...) }

// findPrograms builds what belongs to this checkout and looks up the rest. Without wrk there is nothing to measure;
// a program that is compared may be missing.
func (l *lab) findPrograms(ctx context.Context) error {
	root, err := moduleRoot(ctx)
	if err != nil {
		return err
	}
	cache := filepath.Join(root, ".cache", "bin")
	for _, name := range []string{"upstream", "load"} {
		if err := l.build(ctx, root, filepath.Join(cache, name), "./tools/"+name); err != nil {
			return err
		}
		l.programs[name] = filepath.Join(cache, name)
	}
	for _, name := range []string{"wrk", "h2load", "nginx", "haproxy", "caddy", "varnishd", "varnishncsa", "taskset"} {
		if path := lookUp(cache, name); path != "" {
			l.programs[name] = path
		}
	}
	if l.programs["wrk"] == "" {
		return fmt.Errorf("cannot find wrk: tools/setup.sh wrk installs it")
	}
	if !slices.Contains(l.order.only, "weir") {
		return nil
	}
	if l.order.weir != "" {
		l.programs["weir"], err = filepath.Abs(l.order.weir)
		return err
	}
	if err := l.build(ctx, root, filepath.Join(cache, "weir"), "."); err != nil {
		l.say("weir is left out: %v", err)
		return nil
	}
	l.programs["weir"] = filepath.Join(cache, "weir")
	return nil
}

func (l *lab) build(ctx context.Context, root, binary, what string) error {
	l.say("building %s", what)
	command := exec.CommandContext(ctx, "go", "build", "-trimpath", "-pgo=auto",
		"-ldflags", "-X main.version="+commit(ctx, root), "-o", binary, what)
	command.Dir = root
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot build %q: %w: %s", what, err, strings.TrimSpace(string(said)))
	}
	return nil
}

// commit names the state of the checkout that is measured.
func commit(ctx context.Context, root string) string {
	said, err := exec.CommandContext(ctx, "git", "-C", root, "describe", "--always", "--dirty").Output()
	if err != nil {
		return "dev"
	}
	return strings.TrimSpace(string(said))
}

func moduleRoot(ctx context.Context) (string, error) {
	said, err := exec.CommandContext(ctx, "go", "list", "-m", "-f", "{{.Dir}}").Output()
	if err != nil {
		return "", fmt.Errorf("cannot find the module: %w", err)
	}
	return strings.TrimSpace(string(said)), nil
}

func lookUp(cache, name string) string {
	for _, path := range []string{filepath.Join(cache, name), name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if found, err := exec.LookPath(path); err == nil {
			return found
		}
	}
	return ""
}

// pin puts this process, and with it load and upstream, on their processor.
func (l *lab) pin() {
	o := l.order
	if l.programs["taskset"] == "" || runtime.NumCPU() < 2 || o.proxyCPU == o.loadCPU {
		l.say("nothing is pinned to a processor: that needs Linux, taskset and two processors")
		return
	}
	if err := pinSelf(o.loadCPU); err != nil {
		l.say("nothing is pinned to a processor: %v", err)
		return
	}
	l.pinProxy = []string{l.programs["taskset"], "-c", strconv.Itoa(o.proxyCPU)}
}

func (l *lab) startUpstream() error {
	read, write := io.Pipe()
	upstream, err := startProcess(l.folder, "upstream", []string{"GOMAXPROCS=1"},
		[]string{l.programs["upstream"], "-listen", "127.0.0.1:0"}, write)
	if err != nil {
		return err
	}
	l.upstream = upstream
	go func() {
		<-upstream.ended
		write.CloseWithError(fmt.Errorf("it ended: %s", upstream.lastWords()))
	}()
	l.origin, err = readAnnouncement(read)
	return err
}

// has tells whether a program that a scenario names was asked for and is here, and says so once if it is not.
func (l *lab) has(p peer) bool {
	if !slices.Contains(l.order.only, p.program) && !slices.Contains(l.order.only, p.name) {
		return false
	}
	if l.programs[p.program] == "" {
		l.say("%s is left out: it is not installed (tools/setup.sh %s)", p.name, p.name)
		return false
	}
	return true
}
