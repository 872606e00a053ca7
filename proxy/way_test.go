package proxy

import (
	"bufio"
	"flag"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestWay runs every script of testdata/way against a gateway of its own.
func TestWay(t *testing.T) {
	files, err := filepath.Glob("testdata/way/*.txt")
	if err != nil || len(files) < 90 {
		t.Fatalf("got %d scripts (%v); want 90 or more", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			runScript(t, file)
		})
	}
}

// scriptRun is a script under way.
type scriptRun struct {
	t      *testing.T
	file   string
	values map[string]string
	actors map[string]*actor

	gateway *testGateway
	client  net.Conn
	br      *bufio.Reader
	methods []string // of requests that were not yet answered
}

func runScript(t *testing.T, file string) {
	s := readScript(t, file)
	r := &scriptRun{t: t, file: file, values: map[string]string{}, actors: map[string]*actor{}}
	for name, turns := range s.turns {
		var list []*written
		for _, turn := range turns {
			list = append(list, r.written(turn))
		}
		a := startActor(t, name, list)
		r.actors[name], r.values[name] = a, a.address
	}
	r.gateway = startGateway(t, expand(s.document, r.values), func(o *Options) { r.tune(o, s.flags) })
	r.values["gateway"] = r.gateway.address()
	t.Cleanup(r.hangUp)
	for _, step := range s.steps {
		r.step(step)
		if t.Failed() {
			return
		}
	}
}

// tune sets the flags of a script on top of those that suit a test.
func (r *scriptRun) tune(o *Options, flags []string) {
	fs := flag.NewFlagSet("", flag.ContinueOnError)
	o.RegisterFlags(fs)
	args := append([]string{
		"-listen=127.0.0.1:0", "-control=off", "-log.output=off", "-watch=false", "-shards=1",
		"-drain.timeout=1s", "-drain.tunnels=0",
	}, flags...)
	if err := fs.Parse(args); err != nil {
		r.t.Fatalf("%s: %v", r.file, err)
	}
	if err := o.Validate(); err != nil {
		r.t.Fatalf("%s: %v", r.file, err)
	}
}

func (r *scriptRun) written(s section) *written {
	w, err := parseWritten(expand(s.text, r.values))
	if err != nil {
		r.t.Fatalf("%s:%d: %v", r.file, s.line, err)
	}
	return w
}

func (r *scriptRun) step(s section) {
	w := r.written(s)
	switch s.kind {
	case "request":
		r.request(s, w)
	case "interim", "answer":
		r.answer(s, w)
	case "upstream sees":
		r.upstreamSees(s, w)
	case "send":
		_, _ = io.WriteString(r.client, w.text(s, r))
	case "receive":
		r.receive(s)
	case "upstream receives":
		r.upstreamReceives(s)
	}
}

// text returns the text of a section for a tunnel: as it is, or its @raw part.
func (w *written) text(s section, r *scriptRun) string {
	if strings.HasPrefix(s.text, "@raw ") {
		return w.wire
	}
	return expand(s.text, r.values)
}

func (r *scriptRun) fail(s section, format string, a ...any) {
	r.t.Helper()
	r.t.Errorf("%s:%d: "+format, append([]any{r.file, s.line}, a...)...)
}

func (r *scriptRun) hangUp() {
	if r.client != nil {
		_ = r.client.Close()
		r.client = nil
	}
}

// request sends a request on the connection that is open, or on a new one.
func (r *scriptRun) request(s section, w *written) {
	if s.name == "new" {
		r.hangUp()
	}
	if r.client == nil {
		c, err := net.Dial("tcp", r.values["gateway"])
		if err != nil {
			r.fail(s, "%v", err)
			return
		}
		r.client, r.br, r.methods = c, bufio.NewReader(c), nil
	}
	_ = r.client.SetDeadline(time.Now().Add(patient))
	method, _, _ := strings.Cut(w.start, " ")
	r.methods = append(r.methods, method)
	if _, err := io.WriteString(r.client, w.wire); err != nil {
		r.fail(s, "%v", err)
	}
	if has(w, "leave") {
		r.hangUp()
	}
}

// answer reads the next answer, interim ones included, and compares it.
func (r *scriptRun) answer(s section, want *written) {
	if r.client == nil || len(r.methods) == 0 {
		r.fail(s, "there is no request that is not answered")
		return
	}
	_ = r.client.SetDeadline(time.Now().Add(patient))
	got, err := readWireHead(r.br)
	if err != nil {
		r.fail(s, "cannot read an answer: %v", err)
		return
	}
	status := got.status()
	interim := status < 200 && status != 101
	if interim != (s.kind == "interim") {
		r.fail(s, "got %q; want an %s", got.start, s.kind)
		return
	}
	if !interim {
		head := r.methods[0] == "HEAD"
		r.methods = r.methods[1:]
		if !head && status != 204 && status != 304 && status != 101 {
			if err := got.readContent(r.br, true); err != nil {
				r.fail(s, "%v", err)
			}
		} else {
			got.whole = true
		}
	} else {
		got.whole = true
	}
	for _, d := range got.differences(want) {
		r.fail(s, "%s", d)
	}
	if r.t.Failed() {
		r.t.Logf("%s:%d: the answer was\n%s", r.file, s.line, got)
	}
	if has(want, "closed") {
		if rest, err := io.ReadAll(r.br); len(rest) > 0 || isTimeoutError(err) {
			r.fail(s, "after the answer: got %q, %v; want the end of the connection", rest, err)
		}
		r.hangUp()
	}
}

// upstreamSees compares the next request that an upstream has received.
func (r *scriptRun) upstreamSees(s section, want *written) {
	a := r.actors[s.name]
	if a == nil {
		r.fail(s, "there is no upstream %q", s.name)
		return
	}
	if has(want, "nothing") {
		select {
		case m := <-a.seen:
			r.fail(s, "the upstream got a request; want none:\n%s", m)
		default:
		}
		return
	}
	select {
	case m := <-a.seen:
		for _, d := range m.differences(want) {
			r.fail(s, "%s", d)
		}
		if r.t.Failed() {
			r.t.Logf("%s:%d: the request was\n%s", r.file, s.line, m)
		}
	case <-time.After(patient):
		r.fail(s, "the upstream got no request")
	}
}

// receive reads from a tunnel as many bytes as the section has.
func (r *scriptRun) receive(s section) {
	if strings.TrimSpace(s.text) == "@end" {
		if rest, err := io.ReadAll(r.br); len(rest) > 0 || isTimeoutError(err) {
			r.fail(s, "got %q, %v; want the end of the connection", rest, err)
		}
		r.hangUp()
		return
	}
	want := expand(s.text, r.values)
	got := make([]byte, len(want))
	n, err := io.ReadFull(r.br, got)
	if err != nil || string(got) != want {
		r.fail(s, "got %q, %v; want %q", got[:n], err, want)
	}
}

// upstreamReceives compares what has come through a tunnel.
func (r *scriptRun) upstreamReceives(s section) {
	a := r.actors[s.name]
	ended := strings.TrimSpace(s.text) == "@end"
	want := expand(s.text, r.values)
	for got := ""; ended || len(got) < len(want); {
		select {
		case piece, open := <-a.received:
			if got += piece; !open || (!ended && !strings.HasPrefix(want, got)) {
				if !open && ended && got == "" {
					return
				}
				r.fail(s, "got %q (open: %t); want %q", got, open, want)
				return
			}
		case <-time.After(patient):
			r.fail(s, "got %q; want %q", got, want)
			return
		}
	}
}
