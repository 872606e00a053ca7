package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/valyala/fasthttp"
)

// Purge says which stored answers are to be removed. What is set must all fit;
// of Tags, one.
type Purge struct {
	URL    string   `json:"url,omitempty"`    // one URI
	Prefix string   `json:"prefix,omitempty"` // of a URI, or of a path on every host
	Host   string   `json:"host,omitempty"`
	Stage  string   `json:"stage,omitempty"` // api/stage
	Tags   []string `json:"tags,omitempty"`
	All    bool     `json:"all,omitempty"`
	Soft   bool     `json:"soft,omitempty"` // only have them validated before they are used again
}

// ErrLater is what a Purger says of a purge that it has done here, but of which
// other nodes hear later.
var ErrLater = errors.New("the other nodes hear of it later")

// What a Purger says of a purge that it has not done. The detail goes before it.
var (
	ErrNoCache   = errors.New("the cache is turned off")
	ErrNoStage   = errors.New("there is no such stage")
	ErrMalformed = errors.New("it names nothing that could be stored")
)

// Purger removes stored answers.
type Purger interface {
	// Purge removes what p says, for every request that begins after it returns.
	Purge(p Purge) error
	// CacheStates returns what the cache holds and has done, for JSON.
	CacheStates() any
}

// Bounds of one purge, far above what is of use.
const (
	maxPurgeTags = 1000
	maxPurgeText = 8192
)

// parsePurge reads a purge, strictly: a slip must not remove more than was meant.
func parsePurge(body []byte) (p Purge, err error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&p); err != nil {
		if errors.Is(err, io.EOF) {
			return p, errors.New(`the body is empty; write JSON such as {"url": "https://example.org/"} or {"all": true}`)
		}
		return p, errors.New(strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return p, errors.New("something follows the JSON object")
	}
	return p, p.check()
}

func (p *Purge) check() error {
	scopes := 0
	for _, text := range []string{p.URL, p.Prefix, p.Host, p.Stage} {
		if text != "" {
			scopes++
		}
		if len(text) > maxPurgeText {
			return errors.New("a text is longer than any key")
		}
	}
	switch {
	case p.All && scopes+len(p.Tags) > 0:
		return errors.New("all goes with nothing but soft")
	case !p.All && scopes+len(p.Tags) == 0:
		return errors.New("it says nothing; write url, prefix, host, stage, tags, or all")
	case p.URL != "" && scopes > 1:
		return errors.New("url goes with tags and soft only: it has a host and a path itself")
	case len(p.Tags) > maxPurgeTags:
		return errors.New("there are more than 1000 tags; divide them among several requests")
	}
	for _, tag := range p.Tags {
		if tag == "" || len(tag) > maxPurgeText {
			return errors.New("a tag is empty, or longer than any field")
		}
	}
	return nil
}

// purge serves POST /cache/purge.
func purge(g Gateway) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		p, err := parsePurge(ctx.PostBody())
		outcome := "done"
		switch {
		case err != nil:
			outcome = "BadRequestException"
			problem(ctx, 400, "purge", "The purge is not understood, and nothing was removed.", err.Error())
		default:
			err = g.Purge(p)
			outcome = answerPurge(ctx, p, err)
		}
		identify(ctx)
		g.Changed(Change{
			Peer: ctx.RemoteAddr().String(), RequestID: string(ctx.Response.Header.Peek(requestIDHeader)),
			Action: "PurgeCache", Purge: &p, Outcome: outcome,
		})
	}
}

// answerPurge tells what became of a purge, and returns that in a word.
func answerPurge(ctx *fasthttp.RequestCtx, p Purge, err error) string {
	switch {
	case err == nil:
		writeJSON(ctx, map[string]any{"purged": p})
		return "done"
	case errors.Is(err, ErrLater):
		writeJSON(ctx, map[string]any{"purged": p, "later": err.Error()})
		return "done here"
	case errors.Is(err, ErrNoStage):
		problem(ctx, 404, "no_stage", "There is no such stage, and nothing was removed.", err.Error())
		return "NotFoundException"
	case errors.Is(err, ErrNoCache):
		problem(ctx, 409, "no_cache", "There is no cache.", err.Error())
		return "ConflictException"
	}
	problem(ctx, 400, "purge", "The purge is not understood, and nothing was removed.", err.Error())
	return "BadRequestException"
}

// flushStage serves AWS's FlushStageCache, which answers before it is done
// there, and after it here. Without a cache there is nothing to flush.
func (p controlPlane) flushStage(c *call) (int, any, error) {
	asked := Purge{Stage: parameter(c.RequestCtx, "api") + "/" + parameter(c.RequestCtx, "stage")}
	c.purge = &asked
	switch err := p.gateway.Purge(asked); {
	case errors.Is(err, ErrNoStage):
		return 0, nil, &fault{404, "NotFoundException", "Invalid stage identifier specified"}
	case err != nil && !errors.Is(err, ErrNoCache) && !errors.Is(err, ErrLater):
		return 0, nil, badRequest("%s", err)
	}
	return fasthttp.StatusAccepted, nil, nil
}
