package admin

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"weir/proxy/plans"
)

// Change is a change of keys, plans or stored answers that somebody asked for. It never has
// values, or what else a body says.
type Change struct {
	Peer      string // address of who asked
	RequestID string // as in the answer
	Action    string // by AWS's name
	Key, Plan string // ids; "" where the action is not about one
	Purge     *Purge // of the cache; nil where the action is none
	Outcome   string // "done", or the type of the error
}

// controlPlane serves API keys and usage plans, with the paths and the JSON
// of AWS API Gateway's own control plane.
type controlPlane struct{ gateway Gateway }

// call is a request to the control plane.
type call struct {
	*fasthttp.RequestCtx
	store     *plans.Store
	key, plan string // ids
	purge     *Purge
}

// action does what a call asks for. The answer is written as JSON; nil is none.
type action func(c *call) (status int, answer any, err error)

func (p controlPlane) mount(r *router.Router) {
	read := func(path string, do action) { r.GET(path, p.serve("", do)) }
	change := func(method, path, name string, do action) { r.Handle(method, path, p.serve(name, do)) }

	create, importing := p.serve("CreateApiKey", createKey), p.serve("ImportApiKeys", importKeys)
	r.POST("/apikeys", func(ctx *fasthttp.RequestCtx) {
		if ctx.QueryArgs().Has("mode") {
			importing(ctx)
			return
		}
		create(ctx)
	})
	read("/apikeys", listKeys)
	read("/apikeys/{key}", getKey)
	change("PATCH", "/apikeys/{key}", "UpdateApiKey", updateKey)
	change("DELETE", "/apikeys/{key}", "DeleteApiKey", deleteKey)
	change("POST", "/apikeys/{key}/rotate", "RotateApiKey", rotateKey)

	change("POST", "/usageplans", "CreateUsagePlan", createPlan)
	read("/usageplans", listPlans)
	read("/usageplans/{plan}", getPlan)
	change("PATCH", "/usageplans/{plan}", "UpdateUsagePlan", updatePlan)
	change("DELETE", "/usageplans/{plan}", "DeleteUsagePlan", deletePlan)

	change("POST", "/usageplans/{plan}/keys", "CreateUsagePlanKey", addPlanKey)
	read("/usageplans/{plan}/keys", listPlanKeys)
	read("/usageplans/{plan}/keys/{key}", getPlanKey)
	change("DELETE", "/usageplans/{plan}/keys/{key}", "DeleteUsagePlanKey", removePlanKey)

	read("/usageplans/{plan}/usage", getUsage)
	change("PATCH", "/usageplans/{plan}/keys/{key}/usage", "UpdateUsage", updateUsage)

	change("DELETE", "/restapis/{api}/stages/{stage}/cache/data", "FlushStageCache", p.flushStage)
}

// serve answers calls. Those with a name are changes, and are told to the gateway.
func (p controlPlane) serve(name string, do action) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		c := &call{RequestCtx: ctx, store: p.gateway.Plans(), key: parameter(ctx, "key"), plan: parameter(ctx, "plan")}
		status, answer, err := do(c)
		outcome := "done"
		if err != nil {
			f := faultOf(err)
			outcome = f.kind
			f.answer(ctx)
		} else {
			identify(ctx)
			ctx.SetStatusCode(status)
			if answer != nil {
				writeJSON(ctx, answer)
			}
		}
		if name != "" {
			p.gateway.Changed(Change{
				Peer: ctx.RemoteAddr().String(), RequestID: string(ctx.Response.Header.Peek(requestIDHeader)),
				Action: name, Key: c.key, Plan: c.plan, Purge: c.purge, Outcome: outcome,
			})
		}
	}
}

// parameter returns a segment of the path. The router matches the path as it
// was sent, so that an escaped slash does not end a segment.
func parameter(ctx *fasthttp.RequestCtx, name string) string {
	segment, _ := ctx.UserValue(name).(string)
	if id, err := url.PathUnescape(segment); err == nil {
		return id
	}
	return segment
}

// isControlPlane tells whether clients of AWS ask for the path.
func isControlPlane(path string) bool {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first == "apikeys" || first == "usageplans" || first == "restapis"
}

// fault is an error as clients of AWS know them.
type fault struct {
	status     int
	kind, text string
}

func (f *fault) Error() string { return f.text }

func badRequest(format string, args ...any) error {
	return &fault{400, "BadRequestException", fmt.Sprintf(format, args...)}
}

// faultOf returns the fault that an error of the store is.
func faultOf(err error) *fault {
	var f *fault
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, plans.ErrNotFound):
		return &fault{404, "NotFoundException", err.Error()}
	case errors.Is(err, plans.ErrConflict), errors.Is(err, plans.ErrStatic):
		return &fault{409, "ConflictException", err.Error()}
	case errors.Is(err, plans.ErrInvalid):
		return &fault{400, "BadRequestException", err.Error()}
	case errors.Is(err, plans.ErrUnavailable):
		return &fault{503, "ServiceUnavailableException", err.Error()}
	}
	return &fault{500, "InternalFailure", err.Error()}
}

func (f *fault) answer(ctx *fasthttp.RequestCtx) {
	ctx.Response.ResetBody()
	identify(ctx)
	ctx.SetStatusCode(f.status)
	ctx.Response.Header.Set("x-amzn-ErrorType", f.kind)
	if f.status == fasthttp.StatusServiceUnavailable {
		ctx.Response.Header.Set("Retry-After", "1")
	}
	out, err := json.Marshal(map[string]string{"message": f.text})
	if err != nil {
		panic("BUG: " + err.Error())
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(out, '\n'))
}

const requestIDHeader = "x-amzn-RequestId"

// identify marks an answer, which may have a value in it: nobody keeps it.
func identify(ctx *fasthttp.RequestCtx) {
	var b [16]byte
	rand.Read(b[:])
	ctx.Response.Header.Set(requestIDHeader, fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]))
	ctx.Response.Header.Set("Cache-Control", "no-store")
}
