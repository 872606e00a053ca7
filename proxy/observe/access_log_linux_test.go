package observe

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sys/unix"
)

func TestFullDiskIsReportedOnceAMinute(t *testing.T) {
	var report bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		l := openLog(t, LogConfig{Output: "/dev/full", Logger: zerolog.New(&report)}, 1)
		for range 600 {
			l.Write(sampleRecord())
			time.Sleep(500 * time.Millisecond)
		}
		synctest.Wait()
		closeLog(t, l)
		wantCounts(t, l, 0, 600, 600)
	})
	if got := strings.Count(report.String(), "\n"); got != 5 {
		t.Errorf("got %d reports in five minutes; want 5:\n%s", got, report.String())
	}
	for _, want := range []string{`"error":"write /dev/full: no space left on device"`, `"lost_lines":1,`, `"lost_lines":120,`, `"output":"/dev/full"`} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("got no %s in\n%s", want, report.String())
		}
	}
}

func TestNamedPipeWithoutReaderIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if l, err := NewAccessLog(LogConfig{Output: path}, 1); err == nil {
		closeLog(t, l)
		t.Error("got no error; want one")
	}
}

// TestTornLineDoesNotSpoilTheNext lets the file reach its size limit within a line.
func TestTornLineDoesNotSpoilTheNext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := &logWriter{log: &AccessLog{}, file: file}
	w.write([]byte("one\n"))
	// The state that a write of "two\n" leaves when the disk was full after "tw".
	if _, err := file.WriteString("tw"); err != nil {
		t.Fatal(err)
	}
	w.isTorn = true
	w.write([]byte("three\nfour\n"))
	if got := strings.Join(linesOf(t, path), "|"); got != "one|tw|three|four" {
		t.Errorf("got lines %q; want the torn one alone", got)
	}
	if got := w.written.Load(); got != 3 {
		t.Errorf("got %d lines counted; want 3", got)
	}
}
