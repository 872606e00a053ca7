package proxy

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"weir/proxy/admin"
	"weir/proxy/observe"
	weirtls "weir/tls"
)

// control is the running control listener.
type control struct {
	server *fasthttp.Server
	ln     net.Listener
	done   chan struct{}
}

// startControl opens the control listener.
func (g *Gateway) startControl() (*control, error) {
	if g.options.ControlAddress == "off" {
		return &control{}, nil
	}
	token, err := readToken(g.options.ControlToken)
	if err != nil {
		return nil, err
	}
	ln, err := net.Listen("tcp", g.options.ControlAddress)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %q for control: %w", g.options.ControlAddress, plainListenError(err))
	}
	c := &control{
		ln: ln,
		server: &fasthttp.Server{
			Handler:               admin.Handler(g, token, observe.TextContentType),
			NoDefaultServerHeader: true,
			ReadTimeout:           10 * time.Second,
			IdleTimeout:           75 * time.Second,
			MaxRequestBodySize:    admin.MaxBody,
			StreamRequestBody:     true, // admin.Handler bounds bodies
			CloseOnShutdown:       true,

			DisablePreParseMultipartForm: true,

			Logger: silent{},
		},
		done: make(chan struct{}),
	}
	g.controlAddress.Store(ln.Addr().String())
	go func() {
		defer close(c.done)
		if err := c.server.Serve(ln); err != nil && !errors.Is(err, net.ErrClosed) {
			g.log.Error().Err(err).Msg("cannot serve the control listener any more")
		}
	}()
	return c, nil
}

// stop ends the control listener.
func (c *control) stop() {
	if c.server == nil {
		return
	}
	_ = c.server.Shutdown()
	_ = c.ln.Close() // Shutdown knows no listener whose Serve has not begun
	<-c.done
}

// readToken returns the token itself or what stands in its file.
func readToken(token string) (string, error) {
	path, ok := strings.CutPrefix(token, "file:")
	if !ok {
		return token, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("cannot read -control.token: %w", err)
	}
	token = strings.TrimSpace(string(content))
	if token == "" {
		return "", fmt.Errorf("cannot use -control.token: %q is empty", path)
	}
	return token, nil
}

// ControlAddress returns where the control listener is, "" before it is open.
func (g *Gateway) ControlAddress() string {
	address, _ := g.controlAddress.Load().(string)
	return address
}

// Ready tells whether requests are served, and if not, why.
func (g *Gateway) Ready() (bool, string) {
	switch g.state.Load() {
	case serving:
		return true, "ready"
	case draining:
		return false, "draining"
	}
	return false, "starting"
}

// AppendMetrics appends all metrics in Prometheus' text format.
func (g *Gateway) AppendMetrics(dst []byte) ([]byte, error) { return g.metrics.AppendText(dst) }

// Document returns what is served, as compiled and without secrets.
func (g *Gateway) Document() any {
	live := g.live.Load()
	return map[string]any{
		"loadedAt":  live.loadedAt.UTC().Format(time.RFC3339Nano),
		"version":   g.version,
		"shards":    g.options.Shards,
		"routes":    live.routes,
		"listeners": g.Addresses(),
		"domains":   live.document.EffectiveDomains(),
		"document":  live.document.Redacted(),
	}
}

// targetState is what /upstreams tells of one target.
type targetState struct {
	Target   string `json:"target"`
	InFlight int64  `json:"inFlight"`
	Idle     int    `json:"idle"`
	Busy     int    `json:"busy"`
	Streams  int    `json:"streams"`
	Waiting  int    `json:"waiting"`
	Dialed   uint64 `json:"dialed"`
	Failed   uint64 `json:"failed"`
	Reused   uint64 `json:"reused"`
}

// UpstreamStates returns the state of each target by upstream.
func (g *Gateway) UpstreamStates() any {
	out := make(map[string][]targetState)
	for name, live := range g.live.Load().upstreams {
		out[name] = make([]targetState, 0, len(live.targets))
		for _, t := range live.targets {
			s := t.Stats()
			out[name] = append(out[name], targetState{
				Target: t.Name(), InFlight: t.InFlight(),
				Idle: s.Idle, Busy: s.Busy, Streams: s.Streams, Waiting: s.Waiting, Dialed: s.Dialed, Failed: s.Failed, Reused: s.Reused,
			})
		}
	}
	return out
}

// CertificateStates returns the certificates that are served.
func (g *Gateway) CertificateStates() any {
	list := g.secure.Certificates()
	if list == nil {
		list = []weirtls.CertificateInfo{}
	}
	return map[string]any{"certificates": list}
}

// Changed logs a change that was asked for of keys, plans or stored answers.
func (g *Gateway) Changed(c admin.Change) {
	line := g.log.Info().Str("action", c.Action).Str("outcome", c.Outcome).Str("peer", c.Peer).Str("request_id", c.RequestID)
	if c.Key != "" {
		line.Str("key", c.Key)
	}
	if c.Plan != "" {
		line.Str("plan", c.Plan)
	}
	if p := c.Purge; p != nil {
		line.Str("url", p.URL).Str("prefix", p.Prefix).Str("host", p.Host).Str("stage", p.Stage).Strs("tags", p.Tags).
			Bool("all", p.All).Bool("soft", p.Soft).Msg("a purge of the cache was asked for")
		return
	}
	line.Msg("a change of API keys or usage plans was asked for")
}
