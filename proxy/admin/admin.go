// Package admin is the control API: health, metrics, the document as it is
// served, reloading, upstreams and profiles. It is for operators and listens
// on the loopback unless a token guards it.
package admin

import (
	"encoding/json"
	"net/http/pprof"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
	"github.com/valyala/fasthttp/pprofhandler"

	"weir/proxy/plans"
)

// Gateway is what the control API shows and drives. All of it may be called
// by many goroutines at once.
type Gateway interface {
	// Ready tells whether requests are served, and if not, why.
	Ready() (ok bool, state string)
	// AppendMetrics appends all metrics in Prometheus' text format.
	AppendMetrics(dst []byte) ([]byte, error)
	// Document returns what is served, without secrets, for JSON.
	Document() any
	// UpstreamStates returns the state of each target, for JSON.
	UpstreamStates() any
	// LimitStates returns what limits have decided and what they hold, for JSON.
	LimitStates() any
	// CertificateStates returns the certificates that are served, for JSON.
	CertificateStates() any
	// Explain tells, for JSON, what would become of the request that is described.
	Explain(description []byte) (any, error)
	// Reload reads the document again.
	Reload() error
	Purger
	// Plans returns the API keys and the usage plans.
	Plans() *plans.Store
	// Changed is told each change of them that was asked for.
	Changed(Change)
}

// Handler returns the control API of g. A token, if there is one, is asked of
// every request but /healthz and /readyz. It bounds bodies itself, for a server
// that streams them, so that whoever sends too much hears about it.
func Handler(g Gateway, token, metricsType string) fasthttp.RequestHandler {
	r := router.New()
	// A control API does not guess: what is not a path of it is not found.
	r.RedirectTrailingSlash, r.RedirectFixedPath, r.HandleOPTIONS = false, false, false
	r.NotFound = func(ctx *fasthttp.RequestCtx) {
		refuse(ctx, 404, "no_route", "NotFoundException", "There is no such page.")
	}
	r.MethodNotAllowed = func(ctx *fasthttp.RequestCtx) {
		refuse(ctx, 405, "no_method", "MethodNotAllowedException", "The method is not allowed here.")
	}
	r.GET("/", index)
	r.GET("/healthz", func(ctx *fasthttp.RequestCtx) { ctx.SetBodyString("ok\n") })
	r.GET("/readyz", func(ctx *fasthttp.RequestCtx) {
		ok, state := g.Ready()
		if !ok {
			ctx.SetStatusCode(fasthttp.StatusServiceUnavailable)
		}
		ctx.SetBodyString(state + "\n")
	})
	r.GET("/metrics", func(ctx *fasthttp.RequestCtx) {
		text, err := g.AppendMetrics(nil)
		if err != nil && len(text) == 0 {
			problem(ctx, 500, "internal", "The metrics cannot be gathered.", err.Error())
			return
		}
		ctx.SetContentType(metricsType)
		ctx.SetBody(text)
	})
	r.GET("/config", func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, g.Document()) })
	r.GET("/upstreams", func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, g.UpstreamStates()) })
	r.GET("/limits", func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, g.LimitStates()) })
	r.GET("/cache", func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, g.CacheStates()) })
	r.POST("/cache/purge", purge(g))
	r.GET("/certificates", func(ctx *fasthttp.RequestCtx) { writeJSON(ctx, g.CertificateStates()) })
	r.POST("/explain", func(ctx *fasthttp.RequestCtx) {
		what, err := g.Explain(ctx.PostBody())
		if err != nil {
			problem(ctx, 400, "description", "The request is not described well enough to be explained.", err.Error())
			return
		}
		writeJSON(ctx, what)
	})
	r.POST("/reload", func(ctx *fasthttp.RequestCtx) {
		if err := g.Reload(); err != nil {
			problem(ctx, 422, "document", "The document was not loaded; the last good one goes on being served.", err.Error())
			return
		}
		writeJSON(ctx, map[string]bool{"reloaded": true})
	})
	// The list of profiles is a path that pprofhandler itself refuses.
	r.GET("/debug/pprof/", fasthttpadaptor.NewFastHTTPHandlerFunc(pprof.Index))
	r.GET("/debug/pprof/{profile}", pprofhandler.PprofHandler)
	r.POST("/debug/pprof/symbol", pprofhandler.PprofHandler)
	controlPlane{g}.mount(r)
	return fasthttp.CompressHandler(bound(guard(token, own(token != "", r.Handler))))
}

const pages = `weir control

GET  /healthz       the process lives
GET  /readyz        requests are served
GET  /metrics       Prometheus metrics
GET  /config        the document as it is served, without secrets
GET  /upstreams     the state of each target
GET  /limits        what limits have decided, and how full their tables are
GET  /cache         what the response cache holds, and what it did
POST /cache/purge   remove stored answers: {"url": "https://host/path?query"}, or prefix, host, stage, tags, all;
                    with "soft": true they are only validated before they are used again
GET  /certificates  the certificates that are served, and when they end
POST /explain       what would become of a request, and why: {"method": "GET", "url": "http://host/path",
                    "headers": {}, "client": "192.0.2.1"}; nothing is sent or counted
POST /reload        read the document again
GET  /debug/pprof/  profiles

API keys and usage plans, with AWS API Gateway's paths and JSON:

POST   /apikeys                                make a key; its value is shown once
POST   /apikeys?mode=import&format=csv         make the keys of a CSV file
GET    /apikeys                                list keys
GET    /apikeys/KEY                            one key; PATCH changes it, DELETE ends it
POST   /apikeys/KEY/rotate                     give it a new value: {"overlap": "24h"}
POST   /usageplans                             make a plan
GET    /usageplans                             list plans
GET    /usageplans/PLAN                        one plan; PATCH changes it, DELETE ends it
POST   /usageplans/PLAN/keys                   put a key into a plan: {"keyId": "KEY", "keyType": "API_KEY"}
GET    /usageplans/PLAN/keys                   list its keys
GET    /usageplans/PLAN/keys/KEY               one of them; DELETE takes it out
GET    /usageplans/PLAN/usage?startDate=2026-01-01&endDate=2026-01-31    by key and day; format=csv as a table
PATCH  /usageplans/PLAN/keys/KEY/usage         change what remains of its quota

DELETE /restapis/API/stages/STAGE/cache/data   remove all stored answers of a stage
`

func index(ctx *fasthttp.RequestCtx) { ctx.SetBodyString(pages) }

func writeJSON(ctx *fasthttp.RequestCtx, value any) {
	out, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		problem(ctx, 500, "internal", "The answer cannot be written.", err.Error())
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(out, '\n'))
}

// problem answers with a problem document (RFC 9457).
func problem(ctx *fasthttp.RequestCtx, status int, kind, title, detail string) {
	ctx.Response.ResetBody()
	ctx.SetStatusCode(status)
	p := map[string]any{"type": "urn:weir:problem:" + kind, "title": title, "status": status}
	if detail != "" {
		p["detail"] = detail
	}
	out, err := json.Marshal(p)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	ctx.SetContentType("application/problem+json")
	ctx.SetBody(append(out, '\n'))
}
