package observe

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// reportInterval keeps a full disk from filling the other log as well.
const reportInterval = time.Minute

// logWriter empties the shards of an access log into its output. It alone may wait
// for the output.
type logWriter struct {
	log    *AccessLog
	output string
	open   func() (*os.File, error)
	logger zerolog.Logger

	dirty   chan struct{} // a buffer has its first line
	urgent  chan struct{} // a buffer is half full, or there is a new file
	quit    chan struct{}
	done    chan struct{}
	once    sync.Once
	timeout time.Duration // of stop

	written atomic.Uint64
	failed  atomic.Uint64

	mu       sync.Mutex
	next     *os.File // opened by reopen, not yet in use
	file     *os.File // in use; only run changes it
	isClosed bool

	// Only run touches what follows.
	spare        []byte
	isTorn       bool // the last write ended within a line
	lastErr      error
	lastReport   time.Time
	reportedLoss uint64
}

func newLogWriter(l *AccessLog, cfg LogConfig, file *os.File, open func() (*os.File, error), bufferBytes int) *logWriter {
	return &logWriter{
		log:     l,
		output:  cfg.Output,
		open:    open,
		logger:  cfg.Logger,
		dirty:   make(chan struct{}, 1),
		urgent:  make(chan struct{}, 1),
		quit:    make(chan struct{}),
		done:    make(chan struct{}),
		timeout: closeTimeout,
		file:    file,
		spare:   make([]byte, 0, bufferBytes),
	}
}

// run writes until stop. While nobody logs it sleeps without a timer.
func (w *logWriter) run() {
	defer close(w.done)
	flush := time.NewTimer(0)
	<-flush.C
	for {
		select {
		case <-w.dirty:
			flush.Reset(flushInterval)
			select {
			case <-flush.C:
			case <-w.urgent:
			case <-w.quit:
			}
			flush.Stop()
		case <-w.urgent:
		case <-w.quit:
			w.round()
			w.close()
			return
		}
		w.round()
	}
}

// round writes what all shards hold, each shard with one call.
func (w *logWriter) round() {
	for i := range w.log.shards {
		full := w.log.shards[i].take(w.spare)
		// After taking: a line that was logged after Reopen belongs into the new file.
		w.adopt()
		w.write(full)
		w.spare = full[:0]
	}
	w.report()
}

// adopt goes over to the file that reopen has opened.
func (w *logWriter) adopt() {
	w.mu.Lock()
	old := w.file
	if w.next == nil {
		w.mu.Unlock()
		return
	}
	w.file, w.next = w.next, nil
	w.mu.Unlock()
	w.isTorn = false
	w.noteError(old.Close())
}

func (w *logWriter) write(lines []byte) {
	if len(lines) == 0 {
		return
	}
	if w.isTorn {
		// The rest of a line that was cut off must not grow onto the next one.
		if _, err := w.file.Write([]byte{'\n'}); err != nil {
			w.lose(lines, err)
			return
		}
		w.isTorn = false
	}
	n, err := w.file.Write(lines)
	w.written.Add(uint64(bytes.Count(lines[:n], []byte{'\n'})))
	if err != nil {
		w.isTorn = n > 0 && lines[n-1] != '\n'
		w.lose(lines[n:], err)
	}
}

func (w *logWriter) lose(lines []byte, err error) {
	w.failed.Add(1)
	w.log.dropped.Add(uint64(bytes.Count(lines, []byte{'\n'})))
	w.noteError(err)
}

func (w *logWriter) noteError(err error) {
	if err != nil {
		w.lastErr = err
	}
}

// report tells the logger of losses, once in a while.
func (w *logWriter) report() {
	lost := w.log.Dropped()
	if lost == w.reportedLoss && w.lastErr == nil {
		return
	}
	now := time.Now()
	if !w.lastReport.IsZero() && now.Sub(w.lastReport) < reportInterval {
		return
	}
	w.logger.Error().Err(w.lastErr).Str("output", w.output).Uint64("lost_lines", lost-w.reportedLoss).Msg("access log loses lines")
	w.lastReport, w.reportedLoss, w.lastErr = now, lost, nil
}

// reopen opens the output again and hands it to run.
func (w *logWriter) reopen() error {
	file, err := w.open()
	if err != nil {
		return fmt.Errorf("cannot reopen access log %q: %w", w.output, err)
	}
	w.mu.Lock()
	unused := w.next
	if w.isClosed {
		unused = file
	} else {
		w.next = file
	}
	w.mu.Unlock()
	wake(w.urgent)
	if unused != nil {
		return unused.Close()
	}
	return nil
}

// stop waits until all is written, but not for ever.
func (w *logWriter) stop() error {
	w.once.Do(func() { close(w.quit) })
	patience := time.NewTimer(w.timeout)
	defer patience.Stop()
	select {
	case <-w.done:
		return nil
	case <-patience.C:
	}
	// Where the kernel lets a write be interrupted, the goroutine ends too.
	w.mu.Lock()
	_ = w.file.SetWriteDeadline(time.Now())
	w.mu.Unlock()
	return fmt.Errorf("cannot flush access log %q within %s: %w", w.output, w.timeout, errLogBlocked)
}

// close is run's last act.
func (w *logWriter) close() {
	w.adopt()
	w.mu.Lock()
	w.isClosed = true
	w.mu.Unlock()
	_ = w.file.Close()
}
