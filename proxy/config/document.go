package config

import "net/netip"

// DefaultName is the name of the stage that has no path segment of its own, and
// the path of the route that takes what no other route takes.
const DefaultName = "$default"

// AnyMethod stands for every method in a route's list of methods.
const AnyMethod = "ANY"

// AnyDomain is the domain of every host that no other domain names.
const AnyDomain = "*"

// Document is what is served. The zero value serves nothing. It is immutable
// once Load, Parse or Check has returned it, and then safe for concurrent use.
type Document struct {
	_ struct{} `doc:"What weir serves: listeners, APIs, upstreams and domains."`

	Listeners      map[string]Listener  `yaml:"listeners" key:"name" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$" doc:"The addresses that weir listens on, each under a name. Without any, the flag -listen decides."`
	TrustedProxies []netip.Prefix       `yaml:"trustedProxies" example:"10.0.0.0/8" doc:"The networks whose forwarding headers are believed. A bare address is a network of one."`
	APIs           map[string]API       `yaml:"apis" key:"name" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$" doc:"The APIs, each under its name."`
	Upstreams      map[string]Upstream  `yaml:"upstreams" key:"name" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$" doc:"The named groups of targets that routes send requests to."`
	TLS            *TLS                 `yaml:"tls" doc:"How listeners with tls serve: certificates, versions, ACME."`
	Throttle       *Throttle            `yaml:"throttle" doc:"How many requests go through in all (AWS: the account's throttle)."`
	Limits         map[string]Limit     `yaml:"limits" key:"name" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$" doc:"The limits that routes, stages and APIs name."`
	APIKeys        *APIKeys             `yaml:"apiKeys" doc:"API keys that stand in files."`
	UsagePlans     map[string]UsagePlan `yaml:"usagePlans" key:"name" keys:"^[A-Za-z0-9_][A-Za-z0-9_-]{0,127}$" doc:"The usage plans, each under its id. Others are made at run time by the control API."`
	Redis          *Redis               `yaml:"redis" doc:"The Redis or Valkey by which nodes share limits and quotas and, where wanted, the cache."`
	Domains        map[string]Domain    `yaml:"domains" key:"host" keys:"^[^A-Z/]+$" doc:"Which API and stage each host name serves: an exact name, *.example.org, or * for every other host. Without any, every API is served on every host, the stage $default at the root and each other stage under its name."`

	file string
	root *place
}

// Listener is one address that weir listens on.
type Listener struct {
	_ struct{} `doc:"One address that weir listens on."`

	Address                  string   `yaml:"address" required:"true" pattern:"^(unix:/.+|.*:[0-9]+)$" example:"[::]:8080" doc:"Where to listen: host:port, :port for every address of the machine, or unix:/path of a socket."`
	TLS                      bool     `yaml:"tls" doc:"Serves TLS: each name with its certificate."`
	Protocols                []string `yaml:"protocols" enum:"http/1.1|h2|h3" doc:"What is spoken, the most wanted first. Without any it is h2 and http/1.1 with tls, and http/1.1 without; h2 without tls is for clients that begin with it, and h3 needs tls."`
	Redirect                 string   `yaml:"redirect" doc:"The listener with tls that every request is redirected to: 301 for GET and HEAD, 308 for the others. Challenges of ACME are still answered."`
	MaxConnections           int      `yaml:"maxConnections" min:"0" doc:"Connections open at once on this listener. 0 is what the flag says."`
	MaxConnectionsPerAddress int      `yaml:"maxConnectionsPerAddress" min:"0" doc:"Connections open at once from one client address. 0 is what the flag says."`
}

// API is a set of routes and the stages they are served in.
type API struct {
	_ struct{} `doc:"A set of routes and the stages that serve them."`

	Errors   string           `yaml:"errors" enum:"problem|aws" default:"problem" doc:"What answers that weir writes itself look like: problem is RFC 9457, aws is what AWS API Gateway answers."`
	Throttle *Throttle        `yaml:"throttle" doc:"How many requests go through to all stages together."`
	Limits   []string         `yaml:"limits" doc:"Limits that hold for every route, by their names."`
	APIKey   *APIKeySource    `yaml:"apiKey" doc:"Where requests carry their API key."`
	Cache    *Cache           `yaml:"cache" doc:"What is kept of answers."`
	Routes   []Route          `yaml:"routes" required:"true" doc:"The routes. The most specific one takes a request, whatever their order: a fixed segment before {name} before {name+}, a named method before ANY."`
	Stages   map[string]Stage `yaml:"stages" key:"stage" keys:"^(\\$default|[A-Za-z0-9_-]{1,128})$" doc:"The stages. Without any, there is one that is called $default."`
}

// Stage is a named deployment of an API.
type Stage struct {
	_ struct{} `doc:"A named deployment of an API, with its own variables."`

	Throttle       *Throttle                 `yaml:"throttle" doc:"How many requests go through to each method that methodSettings does not name."`
	Cache          *Cache                    `yaml:"cache" doc:"What is kept of answers."`
	MethodSettings map[string]MethodSettings `yaml:"methodSettings" key:"method" keys:"^(\\*/\\*|/.*/(\\*|[A-Z]+)|\\$default)$" doc:"What holds for single methods, written /pets/{id}/GET; */* is every other one."`
	Limits         []string                  `yaml:"limits" doc:"Limits that hold for every route, by their names."`
	Variables      map[string]string         `yaml:"variables" secrets:"true" key:"variable" keys:"^[A-Za-z0-9_]{1,64}$" doc:"The stage variables, which ${stageVariables.name} stands for in routes."`
}

// Domain says what one host name serves.
type Domain struct {
	_ struct{} `doc:"What one host name serves."`

	TLS      *DomainTLS        `yaml:"tls" short:"source" doc:"How the host is served over TLS. Without it, by a certificate of tls.certificates that covers it."`
	Mappings map[string]string `yaml:"mappings" required:"true" key:"base path" keys:"^(\\(none\\)|[A-Za-z0-9$_.+!*'()-]+(/[A-Za-z0-9$_.+!*'()-]+)*)?$" pattern:"^[A-Za-z0-9_][A-Za-z0-9_-]*(/(\\$default|[A-Za-z0-9_-]{1,128}))?$" example:"petstore/prod" doc:"Base path to API and stage, written api/stage. The longest base path wins; an empty one, or (none), is the root. With an api alone, the stage is the next segment of the path, and $default where there is none."`
}
