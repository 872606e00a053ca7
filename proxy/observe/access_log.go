package observe

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
)

// LogConfig says what the access log looks like and where it goes. The zero value
// writes every request as JSON to standard output.
type LogConfig struct {
	Format      string // json, clf, combined, or a format string of $context names; "" is json
	Output      string // stdout, stderr, off, or the path of a file; "" is stdout
	KeepOneIn   int    // of the requests that went well; 0 and 1 keep all
	BufferBytes int    // for each shard, twice; 0 is 256 KiB, the least is 128 KiB

	Logger zerolog.Logger // is told of lost lines, at most once a minute
}

const (
	defaultBufferBytes = 256 << 10
	// The longest line that a client can bring about fits (TestNoClientHidesItsLine).
	minBufferBytes = 128 << 10
	// A line waits this long for company, at most.
	flushInterval = 100 * time.Millisecond
	// closeTimeout is how long Close waits for an output that takes nothing.
	closeTimeout = 5 * time.Second
	// Larger line buffers are left to the garbage collector.
	maxPooledLineBytes = 64 << 10
)

// RegisterFlags adds the flags of the access log to fs.
func (c *LogConfig) RegisterFlags(fs *flag.FlagSet) {
	fs.StringVar(&c.Format, "log.format", "json", "Format of the access log: json, clf, combined, or a format string such as '$context.requestId $context.status'.")
	fs.StringVar(&c.Output, "log.output", "stdout", "Where the access log goes: stdout, stderr, off, or the path of a file, which SIGHUP reopens.")
	fs.IntVar(&c.KeepOneIn, "log.keepOneIn", 1, "Logs one in so many of the requests that went well; failed ones are always logged. 0 and 1 log all.")
	fs.IntVar(&c.BufferBytes, "log.buffer", defaultBufferBytes, "Memory in bytes for lines that wait to be written, twice for each shard. Lines that find it full are dropped and counted. 0 means the default; less than 131072 is raised to that.")
}

// AccessLog writes one line for each request. Write may be called at once by all
// requests; one goroutine of its own does the writing until Close.
type AccessLog struct {
	format  *logFormat // nil when the log is off
	oneIn   uint64
	shards  []logShard
	lines   sync.Pool // of *logLine
	json    sync.Pool // of *jsonLine
	writer  *logWriter
	dropped atomic.Uint64 // beside what each shard dropped
}

type logLine struct{ bytes []byte }

// logShard collects the lines of one shard's connections. The requests fill one
// buffer while the writer empties the other.
type logShard struct {
	logger  zerolog.Logger // of JSON lines, into the shard itself
	writer  *logWriter
	mu      sync.Mutex
	filling []byte
	closed  bool
	seen    atomic.Uint64 // requests that went well, for the sampling
	dropped atomic.Uint64
	_       [64]byte // no two shards in one cache line
}

// NewAccessLog opens the output and starts the writer.
func NewAccessLog(cfg LogConfig, shards int) (*AccessLog, error) {
	format, err := compileFormat(cfg.Format)
	if err != nil {
		return nil, err
	}
	if cfg.KeepOneIn < 0 || cfg.BufferBytes < 0 {
		return nil, fmt.Errorf("cannot keep one in %d requests with %d bytes of buffer: neither may be negative", cfg.KeepOneIn, cfg.BufferBytes)
	}
	if cfg.Output == "off" {
		return &AccessLog{}, nil
	}
	open := func() (*os.File, error) { return openOutput(cfg.Output) }
	return newAccessLog(cfg, format, shards, open)
}

func newAccessLog(cfg LogConfig, format *logFormat, shards int, open func() (*os.File, error)) (*AccessLog, error) {
	file, err := open()
	if err != nil {
		return nil, fmt.Errorf("cannot open access log %q: %w", cfg.Output, err)
	}
	bufferBytes := cfg.BufferBytes
	if bufferBytes == 0 {
		bufferBytes = defaultBufferBytes
	}
	l := &AccessLog{
		format: format,
		oneIn:  uint64(max(cfg.KeepOneIn, 1)),
		shards: make([]logShard, max(shards, 1)),
	}
	l.writer = newLogWriter(l, cfg, file, open, max(bufferBytes, minBufferBytes))
	l.prepare(max(bufferBytes, minBufferBytes))
	go l.writer.run()
	return l, nil
}

// prepare makes what the lines are formatted in and where they wait.
func (l *AccessLog) prepare(bufferBytes int) {
	l.lines.New = func() any { return &logLine{make([]byte, 0, 1024)} }
	l.json.New = func() any { return newJSONLine() }
	for i := range l.shards {
		s := &l.shards[i]
		s.filling = make([]byte, 0, bufferBytes)
		s.writer, s.logger = l.writer, zerolog.New(s)
	}
}

// Write takes a line for r, or drops it when the shard's buffer is full. It
// allocates nothing and never waits for the output.
func (l *AccessLog) Write(r *Record) {
	if l.format == nil {
		return
	}
	shard := r.Shard
	if uint(shard) >= uint(len(l.shards)) {
		shard = 0
	}
	s := &l.shards[shard]
	if l.oneIn > 1 && !r.isFailure() && s.seen.Add(1)%l.oneIn != 1 {
		return
	}
	// The line is made outside the lock: requests of one shard run on all cores.
	if l.format.isJSON {
		line := l.json.Get().(*jsonLine)
		line.write(&s.logger, r)
		l.json.Put(line)
		return
	}
	line := l.lines.Get().(*logLine)
	line.bytes = l.format.appendLine(line.bytes[:0], r)
	s.put(line.bytes)
	if cap(line.bytes) <= maxPooledLineBytes {
		l.lines.Put(line)
	}
}

// Write takes a line from zerolog. It tells of no error: what is dropped is counted.
func (s *logShard) Write(line []byte) (int, error) {
	s.put(line)
	return len(line), nil
}

// WriteLevel is Write; with it zerolog needs no adapter.
func (s *logShard) WriteLevel(_ zerolog.Level, line []byte) (int, error) { return s.Write(line) }

func (s *logShard) put(line []byte) {
	s.mu.Lock()
	before := len(s.filling)
	if s.closed || before+len(line) > cap(s.filling) {
		s.mu.Unlock()
		s.dropped.Add(1)
		return
	}
	s.filling = append(s.filling, line...)
	after, half := len(s.filling), cap(s.filling)/2
	s.mu.Unlock()

	if before < half && after >= half {
		wake(s.writer.urgent)
	} else if before == 0 {
		wake(s.writer.dirty)
	}
}

// wake leaves a signal, unless there is one already.
func wake(signal chan struct{}) {
	select {
	case signal <- struct{}{}:
	default:
	}
}

// take exchanges the shard's lines for an empty buffer.
func (s *logShard) take(empty []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	full := s.filling
	s.filling = empty[:0]
	return full
}

// Reopen opens the output by its name again, for log rotation. On an error the old
// file stays in use. Lines that are being written may still go to the old one.
func (l *AccessLog) Reopen() error {
	if l.format == nil {
		return nil
	}
	return l.writer.reopen()
}

// Close writes what is buffered and stops the writer. Lines that come later are
// dropped. It gives up on an output that takes nothing for five seconds.
func (l *AccessLog) Close() error {
	if l.format == nil {
		return nil
	}
	for i := range l.shards {
		s := &l.shards[i]
		s.mu.Lock()
		s.closed = true
		s.mu.Unlock()
	}
	return l.writer.stop()
}

// Lines returns how many lines have been written.
func (l *AccessLog) Lines() uint64 {
	if l.writer == nil {
		return 0
	}
	return l.writer.written.Load()
}

// Dropped returns how many lines were lost, for whatever reason.
func (l *AccessLog) Dropped() uint64 {
	n := l.dropped.Load()
	for i := range l.shards {
		n += l.shards[i].dropped.Load()
	}
	return n
}

// Failed returns how many writes went wrong.
func (l *AccessLog) Failed() uint64 {
	if l.writer == nil {
		return 0
	}
	return l.writer.failed.Load()
}

var errLogBlocked = errors.New("the output takes nothing")
