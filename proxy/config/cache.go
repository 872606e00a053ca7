package config

// Cache says what is kept of answers, and who gets it. What is not set is
// inherited: a route has it from the stage's methodSettings, those from the
// stage, that from the API.
type Cache struct {
	_ struct{} `doc:"Keeps answers and gives them again. What is not set is inherited: by a route from the stage's methodSettings, by those from the stage, by that from the API."`

	Enabled *bool  `yaml:"enabled" default:"true" doc:"Whether there is a cache: false turns off what would be inherited."`
	Mode    string `yaml:"mode" enum:"standard|aws" default:"standard" doc:"standard follows what answers and requests say (RFC 9111). aws keeps every answer for ttl, as the cache of AWS API Gateway does."`

	TTL       *Duration           `yaml:"ttl" min:"0s" example:"60s" doc:"In mode aws, how long every answer is kept: 300s without it, at most 3600s, 0s keeps none. Else how long answers are fresh that do not say it themselves; without it they are not kept."`
	Statuses  map[string]Duration `yaml:"statuses" key:"status" keys:"^([1-5][0-9][0-9]|[1-5]xx)$" doc:"The same by status, such as 404 or 5xx, before ttl. 0s keeps none."`
	Only      []string            `yaml:"only" pattern:"^([1-5][0-9][0-9]|[1-5]xx)$" example:"2xx" doc:"The statuses that are kept. Without it, those that HTTP allows."`
	Heuristic *float64            `yaml:"heuristic" doc:"Which part of the time since Last-Modified an answer is fresh that does not say it, such as 0.1. Without it, none."`
	MaxTTL    Duration            `yaml:"maxTTL" min:"0s" doc:"The longest time that an answer may say. 0s is no bound."`

	StaleWhileRevalidate *Duration `yaml:"staleWhileRevalidate" min:"0s" doc:"How long after its time an answer is given while a newer one is fetched, where the answer does not say it (RFC 5861)."`
	StaleIfError         *Duration `yaml:"staleIfError" min:"0s" doc:"How long after its time an answer is given when the upstream fails, where the answer does not say it (RFC 5861)."`

	Methods    []string `yaml:"methods" enum:"GET|HEAD|QUERY|POST|PUT|PATCH|DELETE|OPTIONS" doc:"The methods whose answers are kept: GET without it, for which HEAD is answered too. QUERY is told apart by its content. Others only in mode aws."`
	MaxObject  ByteSize `yaml:"maxObject" doc:"The largest answer that is kept. 0 is what the flag says."`
	SetCookie  *bool    `yaml:"setCookie" default:"false" doc:"Whether answers with Set-Cookie are kept, and that given to everybody."`
	Directives *bool    `yaml:"clientDirectives" default:"true" doc:"Whether the Cache-Control of requests is heeded."`

	Key      *CacheKey      `yaml:"key" doc:"What answers are told apart by."`
	Collapse *CacheCollapse `yaml:"collapse" doc:"How requests for the same answer wait for one fetch."`
	Compress *bool          `yaml:"compress" default:"false" doc:"Keeps text as gzip, and gives it so to clients that take it."`
	Status   *bool          `yaml:"cacheStatus" default:"true" doc:"Whether answers tell by Cache-Status what the cache did (RFC 9211)."`

	Invalidation *CacheInvalidation `yaml:"invalidation" doc:"Who may have an answer replaced by Cache-Control: max-age=0, in mode aws."`
	PurgeFrom    []string           `yaml:"purgeFrom" example:"10.0.0.0/8" doc:"The clients that may remove an answer by the method PURGE: addresses and prefixes. None without it."`
}

// CacheKey says what answers are told apart by beside method, scheme, host, path
// and the fields that they vary by.
type CacheKey struct {
	_ struct{} `doc:"What answers are told apart by beside method, scheme, host, path and the fields that they vary by themselves."`

	Query      *CacheQuery         `yaml:"query" doc:"Which query parameters tell answers apart. Without it, the whole query as it is."`
	Headers    []string            `yaml:"headers" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Request headers that tell answers apart."`
	Cookies    []string            `yaml:"cookies" pattern:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"Cookies that tell answers apart."`
	Callers    string              `yaml:"callers" enum:"separate|shared" default:"separate" doc:"Whether callers that weir knows by key or signature have answers for themselves, or share them."`
	Parameters []string            `yaml:"parameters" pattern:"^(method\\.request|request)\\.(path|querystring|header)\\..+$" example:"method.request.querystring.page" doc:"In mode aws, all that tells the answers of a method apart: method.request.path.NAME, .querystring.NAME, .header.NAME (AWS: cacheKeyParameters)."`
	Namespace  string              `yaml:"namespace" doc:"In mode aws, methods of the same namespace share answers. Without it, each route has its own (AWS: cacheNamespace)."`
	Vary       map[string][]string `yaml:"vary" key:"header" keys:"^[A-Za-z0-9!#$%&'*+.^_\x60|~-]+$" doc:"For a request header that answers vary by, all the values that matter, such as Accept-Encoding: [br, gzip]. The one that the client likes best tells answers apart."`
}

// CacheQuery says which query parameters tell answers apart.
type CacheQuery struct {
	_ struct{} `doc:"Which query parameters tell answers apart. The upstream gets all of them, whatever is said here."`

	Allow []string `yaml:"allow" doc:"Only these, by name; utm_* is every name that begins so."`
	Deny  []string `yaml:"deny" doc:"All but these."`
	Sort  *bool    `yaml:"sort" default:"false" doc:"Whether their order means nothing."`
}

// CacheCollapse says how requests for the same answer wait for one fetch.
type CacheCollapse struct {
	_ struct{} `doc:"How requests for the same answer wait for one fetch."`

	Enabled *bool    `yaml:"enabled" default:"true" doc:"Whether they do."`
	Wait    Duration `yaml:"wait" min:"0s" doc:"How long they wait for its head before they go alone. 0s is 5s."`
}

// CacheInvalidation says who may have an answer replaced, as AWS does.
type CacheInvalidation struct {
	_ struct{} `doc:"Who may have an answer replaced by Cache-Control: max-age=0, in mode aws."`

	RequireAuthorization *bool  `yaml:"requireAuthorization" default:"false" doc:"Whether only callers may that weir knows by key or signature."`
	Unauthorized         string `yaml:"unauthorized" enum:"FAIL_WITH_403|SUCCEED_WITH_RESPONSE_HEADER|SUCCEED_WITHOUT_RESPONSE_HEADER" default:"FAIL_WITH_403" doc:"What others get: a 403, or the stored answer with or without a Warning."`
}
