package proxy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/exchange"
	"weir/proxy/front"
	"weir/proxy/wire"
)

// explanation gathers why the steps did what they did with one request. It is
// nil for all requests but those that an operator asks about; a step looks at
// that before it puts its reasons together, and changes nothing that lasts.
type explanation struct{ reasons []reason }

// reason is what one step did, and why.
type reason struct {
	Step string `json:"step"`
	Why  string `json:"why"`
}

func (e *explanation) add(step, format string, a ...any) {
	e.reasons = append(e.reasons, reason{step, fmt.Sprintf(format, a...)})
}

// question is a request that an operator asks about.
type question struct {
	Method   string            `json:"method"`
	URL      string            `json:"url"`
	Headers  map[string]string `json:"headers"`
	Client   string            `json:"client"`
	Listener string            `json:"listener"`
}

// explained is what would become of it.
type explained struct {
	API      string              `json:"api,omitempty"`
	Stage    string              `json:"stage,omitempty"`
	Route    string              `json:"route,omitempty"`
	Upstream string              `json:"upstream,omitempty"`
	Status   int                 `json:"status,omitempty"`
	Cause    string              `json:"cause,omitempty"`
	Headers  map[string][]string `json:"headers,omitempty"`
	Body     string              `json:"body,omitempty"`
	Reasons  []reason            `json:"reasons"`
}

// Explain takes a described request ({"method", "url", "headers", "client",
// "listener"}) its whole way, up to where it would be sent to an upstream, and
// returns what each step did and why. Nothing is sent, counted, logged or
// taken from a limit. The error is about the description.
func (g *Gateway) Explain(description []byte) (any, error) {
	var q question
	decoder := json.NewDecoder(bytes.NewReader(description))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&q); err != nil {
		return nil, fmt.Errorf("cannot read the description: %w", err)
	}
	if decoder.More() {
		return nil, errors.New("cannot read the description: there is more than one")
	}
	x := new(exchange.Exchange)
	if err := q.fill(x, wire.Limits{Head: g.options.Listen.MaxHead, Target: g.options.Listen.MaxTarget, Fields: g.options.Listen.MaxFields}); err != nil {
		return nil, err
	}
	var out explained
	x.Front = &witness{out: &out}
	g.serve(x, &explanation{})
	return out, nil
}

// fill makes an exchange of the question, by the rules of the front ends.
func (q *question) fill(x *exchange.Exchange, limits wire.Limits) error {
	u, err := url.Parse(q.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("cannot use the url %q: write it whole, as in https://api.example.org/pets?x=1", q.URL)
	}
	_, rest, _ := strings.Cut(q.URL, "://")
	target := strings.TrimPrefix(rest, u.Host)
	target, _, _ = strings.Cut(target, "#")
	if !strings.HasPrefix(target, "/") {
		target = "/" + target
	}
	client := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if q.Client != "" {
		if client, err = netip.ParseAddr(q.Client); err != nil {
			return fmt.Errorf("cannot use the client %q: it is no address", q.Client)
		}
	}
	if q.Method == "" {
		q.Method = "GET"
	}
	var section front.Section
	section.Begin(wire.NewReaders(limits.Head), &limits)
	for _, field := range [][2]string{{":method", q.Method}, {":scheme", u.Scheme}, {":authority", u.Host}, {":path", target}} {
		section.Add([]byte(field[0]), []byte(field[1]))
	}
	for name, value := range q.Headers {
		section.Add([]byte(strings.ToLower(name)), []byte(value))
	}
	if fault := section.Finish(x, true, nil); fault != nil {
		x.Malformed = &exchange.Malformed{Status: fault.Status, Reason: fault.Reason}
	}
	x.Start, x.Protocol, x.Listener = time.Now(), "HTTP/1.1", q.Listener
	x.Secure, x.Peer = u.Scheme == "https", netip.AddrPortFrom(client, 0)
	return nil
}

// witness is the front end of a request that only is explained.
type witness struct{ out *explained }

func (w *witness) Interim(*fasthttp.ResponseHeader) error { return nil }
func (w *witness) Gone() bool                             { return false }
func (w *witness) Notify(exchange.Waker)                  {}
func (w *witness) StopBody()                              {}

// shownBody is up to where an answer's content is shown.
const shownBody = 4 << 10

// Send notes the answer. A stream is not begun.
func (w *witness) Send(x *exchange.Exchange) error {
	w.out.Status, w.out.Upstream = x.Response.StatusCode(), x.Upstream
	w.out.Body = string(x.Bytes[:min(len(x.Bytes), shownBody)])
	w.out.Headers = make(map[string][]string)
	for name, value := range x.Response.All() {
		w.out.Headers[string(name)] = append(w.out.Headers[string(name)], string(value))
	}
	for line := range bytes.SplitSeq(x.Lines, []byte("\r\n")) {
		if name, value, ok := bytes.Cut(line, []byte(": ")); ok {
			w.out.Headers[string(name)] = append(w.out.Headers[string(name)], string(value))
		}
	}
	if x.Stream != nil {
		_ = x.Stream.Close()
	}
	return nil
}

// explain notes what became of a request that somebody asks about.
func (r *request) explain() {
	out := r.x.Front.(*witness).out
	if r.mapping != nil {
		out.API, out.Stage = r.mapping.stage.api, r.mapping.stage.name
	}
	if r.route != nil {
		out.Route = r.route.key
	}
	if refusal := r.x.Refusal; refusal != nil {
		out.Cause = refusal.Cause
		if r.x.Cause != nil {
			r.explained.add("answer", "refused with %s: %s", refusal.Cause, r.x.Cause)
		}
	}
	out.Reasons = r.explained.reasons
}

// explainRoute notes which domain, stage and route were found.
func (r *request) explainRoute() {
	m := r.mapping
	r.explained.add("route", "the host %q and the path %s belong to the domain %q with the base path %q: API %q, stage %q",
		r.x.Authority, r.x.Path, m.domain, m.basePath, m.stage.api, m.stage.name)
	if r.route != nil {
		r.explained.add("route", "%s is taken by the route %s", r.rest, r.route.key)
		return
	}
	r.explained.add("route", "no route takes %s %s", r.x.Request.Method(), r.rest)
}

// wouldForward ends the way of a request that is only explained where it would
// be sent to an upstream.
func (r *request) wouldForward() bool {
	up := r.route.upstream
	names := make([]string, len(up.targets))
	for i, t := range up.targets {
		names[i] = t.Name()
	}
	r.x.Upstream = up.name
	r.aim(up.targets[0])
	r.explained.add("forward", "would be sent to the upstream %q, one of %s, as %s %s", up.name, strings.Join(names, ", "),
		r.x.Request.Method(), r.target)
	return false
}
