package observe

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
)

func openLog(t *testing.T, cfg LogConfig, shards int) *AccessLog {
	t.Helper()
	l, err := NewAccessLog(cfg, shards)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func closeLog(t *testing.T, l *AccessLog) {
	t.Helper()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
}

func linesOf(t *testing.T, path string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

func wantCounts(t *testing.T, l *AccessLog, lines, dropped, failed uint64) {
	t.Helper()
	if l.Lines() != lines || l.Dropped() != dropped || l.Failed() != failed {
		t.Errorf("got %d lines, %d dropped, %d failed writes; want %d, %d, %d", l.Lines(), l.Dropped(), l.Failed(), lines, dropped, failed)
	}
}

func TestCloseFlushes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := openLog(t, LogConfig{Output: path}, 2)
	r := sampleRecord()
	for i := range 100 {
		r.Shard = i % 3 // the third does not exist
		l.Write(r)
	}
	closeLog(t, l)
	if got := len(linesOf(t, path)); got != 100 {
		t.Errorf("got %d lines; want 100", got)
	}
	wantCounts(t, l, 100, 0, 0)

	l.Write(r)
	closeLog(t, l)
	wantCounts(t, l, 100, 1, 0)
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
}

func TestFilesAreAppendedTo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	for range 2 {
		l := openLog(t, LogConfig{Output: path, Format: "$context.status"}, 1)
		l.Write(sampleRecord())
		closeLog(t, l)
	}
	if got := linesOf(t, path); len(got) != 2 || got[0] != "200" || got[1] != "200" {
		t.Errorf("got %q; want two lines", got)
	}
}

func TestLinesAreWrittenWithoutClose(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, LogConfig{Output: path}, 1)
		defer closeLog(t, l)
		for want := uint64(1); want <= 3; want++ {
			l.Write(sampleRecord())
			time.Sleep(flushInterval - time.Millisecond)
			synctest.Wait()
			if got := l.Lines(); got != want-1 {
				t.Fatalf("got %d lines before the interval; want %d", got, want-1)
			}
			time.Sleep(2 * time.Millisecond)
			synctest.Wait()
			if got := l.Lines(); got != want {
				t.Fatalf("got %d lines after the interval; want %d", got, want)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestHalfABufferIsWrittenAtOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, LogConfig{Output: path, BufferBytes: minBufferBytes}, 1)
		defer closeLog(t, l)
		start := time.Now()
		for l.Lines() == 0 && l.Dropped() == 0 {
			l.Write(sampleRecord())
			synctest.Wait()
		}
		if got := time.Since(start); got != 0 || l.Dropped() > 0 {
			t.Errorf("got the first line after %s with %d dropped; want it at once", got, l.Dropped())
		}
	})
}

func TestBlockedOutputDropsAndCounts(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l, err := newAccessLog(LogConfig{BufferBytes: minBufferBytes}, &logFormat{isJSON: true}, 1, func() (*os.File, error) { return writer, nil })
	if err != nil {
		t.Fatal(err)
	}
	r := sampleRecord()
	wrote := uint64(0)
	for l.Dropped() == 0 {
		l.Write(r)
		wrote++
	}
	if longest := uint64(1 << 20); wrote*300 > longest {
		t.Errorf("got %d lines into a pipe that nobody reads; want the buffers to be bounded", wrote)
	}
	read := make(chan uint64)
	go func() {
		lines := uint64(0)
		for s := bufio.NewScanner(reader); s.Scan(); lines++ {
			if !json.Valid(s.Bytes()) {
				t.Errorf("got a broken line %q", s.Text())
			}
		}
		read <- lines
	}()
	closeLog(t, l)
	if got := <-read; got != l.Lines() || got+l.Dropped() != wrote {
		t.Errorf("got %d lines read, %d counted and %d dropped; want %d in all", got, l.Lines(), l.Dropped(), wrote)
	}
}

func TestCloseGivesUpOnABlockedOutput(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	l, err := newAccessLog(LogConfig{}, &logFormat{isJSON: true}, 1, func() (*os.File, error) { return writer, nil })
	if err != nil {
		t.Fatal(err)
	}
	l.writer.timeout = 10 * time.Millisecond
	wrote := uint64(0)
	for l.Dropped() == 0 {
		l.Write(sampleRecord())
		wrote++
	}
	if err := l.Close(); !errors.Is(err, errLogBlocked) {
		t.Errorf("Close: got %v; want %v", err, errLogBlocked)
	}
	<-l.writer.done
	if got := l.Lines() + l.Dropped(); got != wrote {
		t.Errorf("got %d lines and %d dropped; want %d in all", l.Lines(), l.Dropped(), wrote)
	}
}

func TestSamplingKeepsFailures(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := openLog(t, LogConfig{Output: path, KeepOneIn: 10, Format: "$context.status"}, 2)
	write := func(n int, change func(*Record)) {
		for i := range n {
			r := sampleRecord()
			r.Shard = i % 2
			change(r)
			l.Write(r)
		}
	}
	write(200, func(*Record) {})
	write(7, func(r *Record) { r.Status = 404 })
	write(5, func(r *Record) { r.Status = 500 })
	write(3, func(r *Record) { r.Status, r.Aborted = 201, true })
	write(2, func(r *Record) { r.Status, r.Cause = 202, "upstream_reset" })
	write(4, func(r *Record) { r.Status = 0 })
	write(2, func(r *Record) { r.Status, r.GRPC = 203, GRPCStatusOf(5) })
	write(20, func(r *Record) { r.Status, r.GRPC = 204, GRPCStatusOf(0) })
	closeLog(t, l)
	got := make(map[string]int)
	for _, line := range linesOf(t, path) {
		got[line]++
	}
	for status, want := range map[string]int{"200": 20, "404": 7, "500": 5, "201": 3, "202": 2, "203": 2, "204": 2, "-": 4} {
		if got[status] != want {
			t.Errorf("status %s: got %d lines; want %d", status, got[status], want)
		}
	}
	wantCounts(t, l, 45, 0, 0)
}

func TestReopen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := openLog(t, LogConfig{Output: path, Format: "$context.requestId"}, 1)
	r := sampleRecord()
	for i := range 3 {
		if err := os.Rename(path, fmt.Sprint(path, i)); err != nil {
			t.Fatal(err)
		}
		if err := l.Reopen(); err != nil {
			t.Fatal(err)
		}
		r.RequestID = fmt.Append(nil, i)
		l.Write(r)
	}
	// A directory in the way: the last file stays in use.
	if err := os.Rename(path, path+"3"); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := l.Reopen(); err == nil || !strings.Contains(err.Error(), "cannot reopen access log") {
		t.Errorf("Reopen: got %v; want an error", err)
	}
	closeLog(t, l)
	var all []string
	for i := range 4 {
		for _, line := range linesOf(t, fmt.Sprint(path, i)) {
			if line != "" {
				all = append(all, line)
			}
		}
	}
	if got := strings.Join(all, " "); got != "0 1 2" {
		t.Errorf("got lines %q; want each once and in order", got)
	}
	if got := linesOf(t, path+"3"); got[len(got)-1] != "2" {
		t.Errorf("got last line %q in the newest file; want 2", got)
	}
}

func TestOpeningMistakes(t *testing.T) {
	f := func(cfg LogConfig, want string) {
		t.Helper()
		l, err := NewAccessLog(cfg, 1)
		if err == nil {
			closeLog(t, l)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v; want an error with %q", err, want)
		}
	}
	f(LogConfig{Output: t.TempDir()}, "cannot open access log")
	f(LogConfig{Output: "/does/not/exist/x.log"}, "no such file")
	f(LogConfig{Output: "off", Format: "$context.nothing"}, "unknown name")
	f(LogConfig{Output: "off", KeepOneIn: -1}, "negative")
}

func TestFlags(t *testing.T) {
	var cfg LogConfig
	fs := flag.NewFlagSet("weir", flag.ContinueOnError)
	cfg.RegisterFlags(fs)
	if err := fs.Parse([]string{"-log.output", "off", "-log.format", "clf", "-log.keepOneIn", "100", "-log.buffer", "1048576"}); err != nil {
		t.Fatal(err)
	}
	if cfg.Output != "off" || cfg.Format != "clf" || cfg.KeepOneIn != 100 || cfg.BufferBytes != 1<<20 {
		t.Errorf("got %+v; want what the flags say", cfg)
	}
}

func TestOff(t *testing.T) {
	l := openLog(t, LogConfig{Output: "off"}, 4)
	l.Write(sampleRecord())
	if err := l.Reopen(); err != nil {
		t.Error(err)
	}
	closeLog(t, l)
	wantCounts(t, l, 0, 0, 0)
}

func TestWritingReopeningAndClosingAtOnce(t *testing.T) {
	const goroutines, each = 8, 300
	path := filepath.Join(t.TempDir(), "access.log")
	l := openLog(t, LogConfig{Output: path}, 2)
	var wg sync.WaitGroup
	for i := range goroutines {
		wg.Go(func() {
			r := sampleRecord()
			r.Shard = i % 2
			for range each {
				l.Write(r)
				l.Lines()
			}
		})
	}
	wg.Go(func() {
		for range 20 {
			if err := l.Reopen(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	closeLog(t, l)
	lines := linesOf(t, path)
	for _, line := range lines {
		if !json.Valid([]byte(line)) {
			t.Fatalf("got a broken line %q", line)
		}
	}
	if got := uint64(len(lines)); got != l.Lines() || got+l.Dropped() != goroutines*each {
		t.Errorf("got %d lines, %d counted and %d dropped; want %d in all", got, l.Lines(), l.Dropped(), goroutines*each)
	}
}

// TestClosedStandardOutput runs itself as a program whose reader goes away.
func TestClosedStandardOutput(t *testing.T) {
	if os.Getenv("WEIR_TEST_CHILD") != "" {
		var report bytes.Buffer
		l := openLog(t, LogConfig{Output: "stdout", Logger: zerolog.New(&report)}, 1)
		l.Write(sampleRecord())
		err := l.Close()
		fmt.Fprintf(os.Stderr, "alive: %v, %d failed, %d dropped, %s", err, l.Failed(), l.Dropped(), report.String())
		os.Exit(0)
	}
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	reader.Close()
	defer writer.Close()
	child := exec.Command(os.Args[0], "-test.run=^TestClosedStandardOutput$")
	child.Env = append(os.Environ(), "WEIR_TEST_CHILD=1")
	child.Stdout = writer
	stderr, err := child.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(stderr)
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err != nil {
		t.Errorf("got %s and %q; want the program to live", err, said)
	}
	if !strings.Contains(string(said), "alive: <nil>, 1 failed, 1 dropped") || !strings.Contains(string(said), "broken pipe") {
		t.Errorf("got %q; want one line dropped because of a broken pipe", said)
	}
}
