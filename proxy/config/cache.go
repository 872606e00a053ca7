package config

import "net/netip"

// Cache says what is kept of answers, and who gets it. What is not set is
// inherited (see [Document.CacheOf]); the tags say what holds where nobody sets it.
type Cache struct {
	_ struct{} `inherits:"true" doc:"Keeps answers and gives them again. What is not set is inherited, key by key: by a route from the stage's methodSettings, by those from the stage, by that from the API. The default holds where none of them sets it."`

	Enabled *bool  `yaml:"enabled" default:"true" doc:"Whether there is a cache: false turns off what would be inherited."`
	Mode    string `yaml:"mode" enum:"standard|aws" default:"standard" doc:"standard follows what answers and requests say (RFC 9111). aws keeps every answer for ttl, as the cache of AWS API Gateway does."`

	TTL       *Duration           `yaml:"ttl" min:"0s" example:"60s" doc:"In mode aws, how long every answer is kept: 300s without it, at most 3600s, 0s keeps none. In mode standard, how long answers are fresh that do not say it themselves; without it, or with 0s, they are not kept."`
	Statuses  map[string]Duration `yaml:"statuses" key:"status" keys:"^([2-5][0-9][0-9]|[2-5]xx)$" doc:"ttl by status, such as 404 or 5xx; a status goes before its class, and both before ttl. 4xx is without 401 and 407, as others may have credentials. 0s keeps none."`
	Only      []string            `yaml:"only" pattern:"^([2-5][0-9][0-9]|[2-5]xx)$" example:"2xx" doc:"The statuses that are kept. Without it, those that HTTP allows."`
	Heuristic *float64            `yaml:"heuristic" min:"0" max:"1" doc:"Which part of the time since Last-Modified an answer is fresh that does not say it, such as 0.1 (RFC 9111 §4.2.2). Without it, or with 0, none."`
	MaxTTL    *Duration           `yaml:"maxTTL" min:"0s" doc:"The longest time that an answer may say for itself. Without it, or with 0s, there is no bound."`

	StaleWhileRevalidate *Duration `yaml:"staleWhileRevalidate" min:"0s" doc:"How long after its time an answer is given while a newer one is fetched, where the answer does not say it (RFC 5861)."`
	StaleIfError         *Duration `yaml:"staleIfError" min:"0s" doc:"How long after its time an answer is given when the upstream fails, where the answer does not say it (RFC 5861)."`

	Methods    []string `yaml:"methods" enum:"GET|HEAD|QUERY|POST|PUT|PATCH|DELETE|OPTIONS" doc:"The methods whose answers are kept. Without it GET, which answers HEAD too, and in mode aws those that methodSettings name with a cache. QUERY is told apart by its content. The others only in mode aws."`
	MaxObject  ByteSize `yaml:"maxObject" doc:"The largest answer that is kept. 0 is what the flag says."`
	SetCookie  *bool    `yaml:"setCookie" default:"false" doc:"Whether answers with Set-Cookie are kept, and the cookie given to everybody."`
	Directives *bool    `yaml:"clientDirectives" default:"true" doc:"Whether the Cache-Control of requests is heeded."`

	Key      *CacheKey      `yaml:"key" doc:"What answers are told apart by."`
	Collapse *CacheCollapse `yaml:"collapse" doc:"How requests for the same answer wait for one fetch."`
	Compress *bool          `yaml:"compress" default:"false" doc:"Keeps text as gzip, and gives it so to clients that take it."`
	Status   *bool          `yaml:"cacheStatus" default:"true" doc:"Whether answers tell by Cache-Status what the cache did (RFC 9211)."`

	Invalidation *CacheInvalidation `yaml:"invalidation" doc:"Who may have an answer replaced by Cache-Control: max-age=0, in mode aws."`
	PurgeFrom    []netip.Prefix     `yaml:"purgeFrom" example:"10.0.0.0/8" doc:"The clients that may remove an answer by the method PURGE. A bare address is a network of one. Without any, nobody may."`
}

// CacheKey says what answers are told apart by beside method, scheme, host, path
// and the fields that they vary by.
type CacheKey struct {
	_ struct{} `inherits:"true" doc:"What answers are told apart by beside method, scheme, host, path and the fields that they vary by themselves."`

	Query      *CacheQuery         `yaml:"query" doc:"Which query parameters tell answers apart. Without it, the whole query as it is."`
	Headers    []string            `yaml:"headers" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Request headers that tell answers apart."`
	Cookies    []string            `yaml:"cookies" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Cookies that tell answers apart: others mean nothing, so that ttl, statuses and heuristic hold for requests with cookies too. An empty list says so of all. Without it, they hold for requests without cookies only."`
	Callers    string              `yaml:"callers" enum:"separate|shared" default:"separate" doc:"Whether callers that weir knows by key or signature have answers for themselves, or share them."`
	Parameters []string            `yaml:"parameters" pattern:"^(method\\.request|request)\\.(path|querystring|header)\\..+$" example:"method.request.querystring.page" doc:"In mode aws, all that tells the answers of a method apart: method.request.path.NAME, .querystring.NAME, .header.NAME (AWS: cacheKeyParameters). Answers to requests with Authorization are kept only where that header is one of them."`
	Namespace  string              `yaml:"namespace" doc:"In mode aws, routes of the same namespace share answers. Without it, each route has its own (AWS: cacheNamespace)."`
	Vary       map[string][]string `yaml:"vary" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"For a request header that answers vary by, all the values that matter, such as Accept-Encoding: [br, gzip]. The one that the client likes best tells answers apart."`
}

// CacheQuery says which query parameters tell answers apart.
type CacheQuery struct {
	_ struct{} `inherits:"true" doc:"Which query parameters tell answers apart. The upstream gets all of them, whatever is said here."`

	Allow []string `yaml:"allow" pattern:"^.+$" example:"page" doc:"Only these, by name; utm_* is every name that begins so. An empty list is none."`
	Deny  []string `yaml:"deny" pattern:"^.+$" example:"utm_*" doc:"All but these. Excludes allow."`
	Sort  *bool    `yaml:"sort" default:"false" doc:"Whether their order means nothing. Those of the same name keep theirs."`
}

// CacheCollapse says how requests for the same answer wait for one fetch.
type CacheCollapse struct {
	_ struct{} `inherits:"true" doc:"How requests for the same answer wait for one fetch."`

	Enabled *bool    `yaml:"enabled" default:"true" doc:"Whether they do."`
	Wait    Duration `yaml:"wait" min:"0s" doc:"How long they wait for its head before they go alone. 0s is 5s."`
}

// CacheInvalidation says who may have an answer replaced, as AWS does.
type CacheInvalidation struct {
	_ struct{} `inherits:"true" doc:"Who may have an answer replaced by Cache-Control: max-age=0, in mode aws."`

	RequireAuthorization *bool  `yaml:"requireAuthorization" default:"false" doc:"Whether only callers may that weir knows by key or signature."`
	Unauthorized         string `yaml:"unauthorized" enum:"FAIL_WITH_403|SUCCEED_WITH_RESPONSE_HEADER|SUCCEED_WITHOUT_RESPONSE_HEADER" default:"FAIL_WITH_403" doc:"What others get: a 403, or the stored answer with or without a Warning."`
}
