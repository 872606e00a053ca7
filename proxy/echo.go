package proxy

import (
	"encoding/json"
	"net"

	"github.com/valyala/fasthttp"
)

// echo is the upstream of the demo: it answers with what it received.
type echo struct {
	server *fasthttp.Server
	ln     net.Listener
	done   chan struct{}
}

func startEcho(ln net.Listener) *echo {
	e := &echo{
		ln:     ln,
		server: &fasthttp.Server{Handler: answerEcho, NoDefaultServerHeader: true, Logger: silent{}},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(e.done)
		_ = e.server.Serve(ln)
	}()
	return e
}

// stop ends the listener and its idle connections.
func (e *echo) stop() {
	_ = e.server.Shutdown()
	_ = e.ln.Close() // Shutdown knows no listener whose Serve has not begun
	<-e.done
}

func answerEcho(ctx *fasthttp.RequestCtx) {
	headers := make(map[string][]string)
	for name, value := range ctx.Request.Header.All() {
		headers[string(name)] = append(headers[string(name)], string(value))
	}
	out, err := json.MarshalIndent(map[string]any{
		"method":  string(ctx.Method()),
		"target":  string(ctx.Request.Header.RequestURI()),
		"headers": headers,
		"body":    string(ctx.PostBody()),
	}, "", "  ")
	if err != nil {
		ctx.SetStatusCode(fasthttp.StatusInternalServerError)
		return
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(out, '\n'))
}
