package config

// Throttle is how many requests go through, as AWS's throttling has it: a
// token bucket.
type Throttle struct {
	_ struct{} `doc:"How many requests go through: a token bucket."`

	Rate     Rate   `yaml:"rate" required:"true" example:"100" doc:"Requests a second, or in another time: 100, 0.5, 100/s, 30/m, 1000/h, 5000/d."`
	Burst    int    `yaml:"burst" min:"1" max:"1000000000" doc:"How many may come at once. Without it, what comes in one second, and at least 1."`
	Shared   string `yaml:"shared" enum:"exact|fast" doc:"Counts the requests of all nodes that use the same redis: exact asks it about each request, fast decides here with credit leased from it. Without it, each node counts for itself."`
	WhenAway string `yaml:"whenAway" enum:"local|open|closed" default:"local" needs:"shared" doc:"What holds while redis cannot be asked: local is this node's share of the rate, open lets everything through, closed refuses everything."`
}

// Limit is a limit of weir's own, that routes, stages and APIs name.
type Limit struct {
	_ struct{} `doc:"A limit that routes, stages and APIs name. Requests that are alike in everything that by lists share one budget."`

	By          []string `yaml:"by" pattern:"^(address|api|stage|route|method|host|apiKey|header:[A-Za-z0-9!#$%&'*+.^_\x60|~-]+|query:.+|claim:.+)$" example:"address" doc:"What tells requests apart: address (of the client, IPv6 by ipv6Prefix), api, stage, route, method, host, apiKey, header:NAME, query:NAME, claim:NAME; several together are a combination. Claims are those of an authorizer, and empty without one. Without any, all requests share one budget. Requests that lack a value share that of the empty one."`
	IPv6Prefix  int      `yaml:"ipv6Prefix" min:"16" max:"128" default:"64" doc:"The bits of an IPv6 address that are taken for one client."`
	Rate        Rate     `yaml:"rate" example:"10" doc:"Requests a second, or in another time: 100, 0.5, 100/s, 30/m, 1000/h, 5000/d."`
	Burst       int      `yaml:"burst" min:"1" max:"1000000000" needs:"rate" doc:"How many may come at once. Without it, what comes in one second, and at least 1."`
	Concurrency int      `yaml:"concurrency" min:"1" max:"1000000" doc:"How many requests may be under way at once. WebSockets count as long as they are open."`
	Delay       Duration `yaml:"delay" needs:"rate" doc:"The longest that a request may be held back for the rate's sake before it is refused."`
	DryRun      bool     `yaml:"dryRun" doc:"Only counts what would have been refused."`
	Announce    bool     `yaml:"announce" doc:"Tells clients what is left of the budget on accepted answers too, by the fields RateLimit and RateLimit-Policy."`
	Shared      string   `yaml:"shared" enum:"exact|fast" needs:"rate" doc:"Counts the requests of all nodes that use the same redis: exact asks it about each request, fast decides here with credit leased from it. Without it, each node counts for itself."`
	WhenAway    string   `yaml:"whenAway" enum:"local|open|closed" default:"local" needs:"shared" doc:"What holds while redis cannot be asked: local is this node's share of the rate, open lets everything through, closed refuses everything."`
}

// MethodSettings are what a stage sets for its methods, or for one (AWS:
// MethodSetting).
type MethodSettings struct {
	_ struct{} `doc:"What a stage sets for one of its methods."`

	Throttle *Throttle `yaml:"throttle" doc:"How many requests go through to the method."`
	Cache    *Cache    `yaml:"cache" doc:"What is kept of the method's answers."`
}

// APIKeys say where API keys stand.
type APIKeys struct {
	_ struct{} `doc:"API keys that stand in files. Others are made at run time by the control API."`

	Files []string `yaml:"files" doc:"Files in AWS's CSV form: Name,Key and, where wanted, Description,Enabled,UsagePlanIds. Relative to the document's directory; watched."`
}

// APIKeySource says where requests to an API carry their key.
type APIKeySource struct {
	_ struct{} `doc:"Where requests to an API carry their API key. Without header and query it is the header x-api-key."`

	Source string `yaml:"source" enum:"HEADER|AUTHORIZER" default:"HEADER" doc:"Who gives the key: the request itself, or the authorizer (usageIdentifierKey)."`
	Header string `yaml:"header" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" example:"x-api-key" doc:"The header that the key stands in."`
	Query  string `yaml:"query" pattern:"^.+$" doc:"The query parameter that the key stands in, where the header is not sent."`

	Announce bool `yaml:"announce" doc:"Tells clients what is left of their plan's throttle and quota on accepted answers too, by the fields RateLimit and RateLimit-Policy."`
}

// Signature says how requests have to be signed.
type Signature struct {
	_ struct{} `doc:"Asks that requests are signed with the signing secret of an API key (RFC 9421, hmac-sha256). The signature must cover method, path, query, host and, of a body, its digest (RFC 9530)."`

	Headers []string `yaml:"headers" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Further header fields that it must cover."`
	MaxAge  Duration `yaml:"maxAge" min:"1s" default:"5m" doc:"How old a signature may be. Its nonce is good for one request."`
	MaxBody ByteSize `yaml:"maxBody" doc:"The largest body, which is held in memory until its digest is checked. 0 is 1MiB."`
}

// UsagePlan is limits and a quota that each of its API keys has for itself.
type UsagePlan struct {
	_ struct{} `doc:"Limits and a quota that each of its API keys has for itself (AWS: usage plan)."`

	Description string               `yaml:"description" doc:"What it is for."`
	Stages      map[string]PlanStage `yaml:"stages" required:"true" key:"stage" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]*(/(\\$default|[A-Za-z0-9_-]{1,128}))?$" doc:"The stages that it is for, written api/stage; an api alone is its stage $default."`
	Throttle    *Throttle            `yaml:"throttle" doc:"How many requests each key may send to all of them together."`
	Quota       *Quota               `yaml:"quota" doc:"How many requests each key may send in a day, week or month."`
	Keys        []string             `yaml:"keys" doc:"The keys of apiKeys.files that belong to it, by their names."`
}

// PlanStage is what a usage plan sets for one stage.
type PlanStage struct {
	_ struct{} `doc:"What a usage plan sets for one stage."`

	Throttle map[string]Throttle `yaml:"throttle" key:"method" keys:"^/.*/(\\*|[A-Z]+)$" doc:"How many requests each key may send to a method, written /pets/{id}/GET; it holds beside the plan's own."`
}

// Quota is how many requests go through in a period of the calendar, in UTC.
type Quota struct {
	_ struct{} `doc:"How many requests go through in a day, week (from Sunday) or month, in UTC. Refused requests do not count."`

	Limit    int    `yaml:"limit" required:"true" min:"1" doc:"How many requests."`
	Period   string `yaml:"period" required:"true" enum:"DAY|WEEK|MONTH" doc:"In which time."`
	Offset   int    `yaml:"offset" min:"0" doc:"How many are taken off in the first period."`
	Shared   string `yaml:"shared" enum:"exact|fast" doc:"Counts the requests of all nodes that use the same redis. Without it, each node counts for itself."`
	WhenAway string `yaml:"whenAway" enum:"local|open|closed" default:"local" needs:"shared" doc:"What holds while redis cannot be asked: local counts here, open lets everything through, closed refuses everything."`
}

// Redis is the server by which nodes share limits, quotas and stored answers.
type Redis struct {
	_ struct{} `doc:"The Redis or Valkey by which nodes share limits and quotas and, where wanted, the cache."`

	Addresses []string  `yaml:"addresses" required:"true" pattern:"^.+:[0-9]+$" example:"10.0.0.7:6379" doc:"host:port of the server, of some nodes of a Cluster, or of the Sentinels."`
	Username  string    `yaml:"username" doc:"The user, where there are several."`
	Password  string    `yaml:"password" secrets:"true" doc:"The password."`
	TLS       *RedisTLS `yaml:"tls" doc:"Speaks TLS."`
	Sentinel  *Sentinel `yaml:"sentinel" doc:"Asks Sentinels, whose addresses stand above, which server it is."`
	Prefix    string    `yaml:"prefix" default:"weir" pattern:"^[A-Za-z0-9_.:-]+$" doc:"What the names of all keys begin with. Nodes share what has the same prefix."`
	Timeout   Duration  `yaml:"timeout" min:"1ms" default:"4ms" doc:"How long a request waits for an exact decision; then whenAway holds."`
	Interval  Duration  `yaml:"interval" min:"5ms" default:"50ms" doc:"How often fast limits and quotas are synchronised."`
	Cache     bool      `yaml:"cache" doc:"Shares the cache too: what one node has stored, others need not fetch, and a purge at one is a purge at all."`
	Nodes     int       `yaml:"nodes" min:"0" doc:"How many nodes share, for whenAway: local. 0 counts those that were seen last."`
}

// RedisTLS says how the server is verified.
type RedisTLS struct {
	_ struct{} `doc:"How redis is verified and what it is shown. Paths are relative to the document's directory."`

	CA         string `yaml:"ca" doc:"A PEM file with the certificates to trust. Without it, the system's."`
	Cert       string `yaml:"cert" needs:"key" doc:"A PEM file with the certificate that is shown."`
	Key        string `yaml:"key" needs:"cert" doc:"A PEM file with the key of cert."`
	ServerName string `yaml:"serverName" doc:"The name that is verified. Without it, the host of the address."`
}

// Sentinel says which server the Sentinels are asked for.
type Sentinel struct {
	_ struct{} `doc:"Which server the Sentinels are asked for."`

	Master   string `yaml:"master" required:"true" doc:"The name of the set."`
	Username string `yaml:"username" doc:"The user at the Sentinels."`
	Password string `yaml:"password" secrets:"true" doc:"The password at the Sentinels."`
}
