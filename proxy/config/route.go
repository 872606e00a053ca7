package config

// Route is a path and methods of an API, and what happens there: exactly one of
// Upstream, Redirect, Answer and Stream.
type Route struct {
	_ struct{} `doc:"A path and methods of an API, and what happens there: exactly one of upstream, redirect, answer and stream."`

	Path     string    `yaml:"path" required:"true" pattern:"^(/.*|\\$default)$" example:"/pets/{id}" doc:"Which paths: fixed segments, {name} for one segment, {name+} for all that remain, or $default for what no other route takes."`
	Methods  []string  `yaml:"methods" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" example:"GET" doc:"Which methods. None, or ANY, is every method."`
	Match    *Match    `yaml:"match" doc:"What else a request must have."`
	Upstream string    `yaml:"upstream" oneOf:"action" pattern:"^.+$" doc:"The upstream that requests are sent to. May hold ${stageVariables.name}."`
	Redirect *Redirect `yaml:"redirect" oneOf:"action" doc:"Where clients are sent instead."`
	Answer   *Answer   `yaml:"answer" oneOf:"action" doc:"A fixed answer."`
	Stream   *Stream   `yaml:"stream" oneOf:"action" doc:"A built-in event stream, for trials and tests."`

	Rewrite         *Rewrite   `yaml:"rewrite" needs:"upstream" doc:"How the path changes on its way to the upstream."`
	RequestHeaders  *Headers   `yaml:"requestHeaders" needs:"upstream" doc:"Changes to the headers that the upstream receives."`
	ResponseHeaders *Headers   `yaml:"responseHeaders" doc:"Changes to the headers that the client receives."`
	Host            string     `yaml:"host" needs:"upstream" example:"client" doc:"The Host that the upstream receives: upstream for the target's own (as when empty), client for the one received, or a literal name."`
	Timeouts        Timeouts   `yaml:"timeouts" needs:"upstream" doc:"How long to wait, for this route. What is not set comes from the upstream, then from the flags."`
	MaxBody         ByteSize   `yaml:"maxBody" doc:"The largest request body. 0 is what the flag says, none (or -1) is no limit."`
	Retry           *bool      `yaml:"retry" needs:"upstream" default:"true" doc:"Whether a request that surely had no effect may be sent again."`
	Upgrade         []string   `yaml:"upgrade" needs:"upstream" default:"websocket" pattern:"^[a-z0-9!#$%&'*+.^_\x60|~/-]+$" doc:"The protocols that a connection may be upgraded to. An empty list allows none."`
	GRPCWeb         bool       `yaml:"grpcWeb" needs:"upstream" doc:"Whether calls in gRPC-Web, as browsers make them, are translated for an upstream that speaks gRPC. Other requests pass as they are."`
	APIKeyRequired  bool       `yaml:"apiKeyRequired" doc:"Lets only requests through that carry an API key of a usage plan for the stage."`
	Signature       *Signature `yaml:"signature" doc:"Lets only signed requests through."`
	Throttle        *Throttle  `yaml:"throttle" doc:"How many requests go through to the route, in each stage."`
	Limits          []string   `yaml:"limits" doc:"Further limits that hold, by their names."`
	Cache           *Cache     `yaml:"cache" needs:"upstream" doc:"What is kept of answers."`
	AccessLog       *bool      `yaml:"accessLog" doc:"Whether requests are written to the access log. Without it, the flag decides."`
}

// Match is what a request must have beside method and path. All of it must hold.
// A value is exact text, "*" for any value, or "/expression/", which must match
// the whole value.
type Match struct {
	_ struct{} `doc:"What a request must have beside method and path. All of it must hold. A value is exact text, * for any value, or /expression/, which must match the whole value."`

	Headers map[string]string `yaml:"headers" secrets:"true" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Headers and the values they must have."`
	Query   map[string]string `yaml:"query" secrets:"true" key:"parameter" keys:"^.+$" doc:"Query parameters and the values they must have."`
	Hosts   []string          `yaml:"hosts" pattern:"^[^A-Z/]+$" example:"*.example.org" doc:"Host names, one of which must fit: exact, or *.example.org."`
}

// Redirect sends the client elsewhere.
type Redirect struct {
	_ struct{} `doc:"Sends the client elsewhere."`

	Location string `yaml:"location" required:"true" pattern:"^(/|https?://|\\$\\{)" example:"https://example.org/{proxy}" doc:"Where to: a path, or an http or https URL. May hold {name} of the route's path, after the host, and ${stageVariables.name}."`
	Status   int    `yaml:"status" enum:"301|302|303|307|308" default:"308" doc:"The status."`
}

// Answer is written by the gateway itself.
type Answer struct {
	_ struct{} `doc:"An answer that weir writes itself."`

	Status  int               `yaml:"status" min:"200" max:"599" default:"200" doc:"The status."`
	Headers map[string]string `yaml:"headers" secrets:"true" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"The headers. Values may hold ${stageVariables.name}."`
	Body    string            `yaml:"body" doc:"The body, as it is."`
}

// Stream is a built-in stream of server-sent events.
type Stream struct {
	_ struct{} `doc:"A built-in stream of server-sent events, for trials and tests."`

	Event    string   `yaml:"event" pattern:"^[^\\r\\n]*$" doc:"The name of the events. Empty sends events without a name."`
	Interval Duration `yaml:"interval" min:"1ms" default:"1s" doc:"The time between two events."`
	Count    int      `yaml:"count" min:"0" doc:"How many events. 0 goes on until the client leaves."`
}

// Rewrite changes the path on its way to the upstream. StripPrefix goes first.
type Rewrite struct {
	_ struct{} `doc:"Changes the path on its way to the upstream: either a whole new path, or a prefix taken away and then one put before it."`

	StripPrefix string `yaml:"stripPrefix" pattern:"^/.+$" example:"/v1" doc:"Taken from the front of the path, by whole segments."`
	AddPrefix   string `yaml:"addPrefix" pattern:"^/.+$" example:"/internal" doc:"Put before the path."`
	Path        string `yaml:"path" pattern:"^/.*$" example:"/v2/{id}" doc:"The whole new path. May hold {name} of the route's path. Excludes the other two."`
}

// Headers changes headers: Remove goes first, then Set, then Append.
type Headers struct {
	_ struct{} `doc:"Changes headers: those to remove go first, then those to set, then those to append. Values may hold ${stageVariables.name}."`

	Set    map[string]string `yaml:"set" secrets:"true" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Headers that get this value in place of any they had."`
	Append map[string]string `yaml:"append" secrets:"true" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Headers that get one more line with this value."`
	Remove []string          `yaml:"remove" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Headers that are taken away."`
}

// Timeouts says how long to wait. A zero is decided elsewhere: by the upstream,
// then by the flags. A zero Total is no limit.
type Timeouts struct {
	_ struct{} `doc:"How long to wait. What is not set, or 0s, is what the flags say."`

	Connect     Duration `yaml:"connect" min:"0s" doc:"For a connection to a target, its TLS handshake included."`
	FirstByte   Duration `yaml:"firstByte" min:"0s" doc:"From the request sent to the first byte of the answer."`
	Idle        Duration `yaml:"idle" min:"0s" doc:"Between two pieces of a body, in either direction."`
	Total       Duration `yaml:"total" min:"0s" doc:"For the whole exchange. 0s is no limit."`
	TunnelIdle  Duration `yaml:"tunnelIdle" min:"0s" doc:"Between two bytes in an upgraded connection, in either direction."`
	TunnelTotal Duration `yaml:"tunnelTotal" min:"0s" doc:"For the whole life of an upgraded connection."`
}

// Or returns t with each zero taken from other.
func (t Timeouts) Or(other Timeouts) Timeouts {
	pick := func(a, b Duration) Duration {
		if a != 0 {
			return a
		}
		return b
	}
	return Timeouts{
		Connect:     pick(t.Connect, other.Connect),
		FirstByte:   pick(t.FirstByte, other.FirstByte),
		Idle:        pick(t.Idle, other.Idle),
		Total:       pick(t.Total, other.Total),
		TunnelIdle:  pick(t.TunnelIdle, other.TunnelIdle),
		TunnelTotal: pick(t.TunnelTotal, other.TunnelTotal),
	}
}
