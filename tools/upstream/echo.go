package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"io"

	"github.com/fasthttp/websocket"
	"github.com/valyala/fasthttp"
)

// echo is a request as the upstream saw it.
type echo struct {
	Method   string `json:"method"`
	Target   string `json:"target"`
	Protocol string `json:"protocol"`
	// Headers are name and value, in the order and the letters in which they came.
	Headers    [][2]string `json:"headers"`
	BodyBytes  int64       `json:"body_bytes"`
	BodySHA256 string      `json:"body_sha256"`
}

func answerEcho(ctx *fasthttp.RequestCtx) {
	seen := echo{
		Method:   string(ctx.Method()),
		Target:   string(ctx.Request.Header.RequestURI()),
		Protocol: string(ctx.Request.Header.Protocol()),
		Headers:  headersOf(ctx.Request.Header.RawHeaders()),
	}
	sum := sha256.New()
	var err error
	if seen.BodyBytes, err = countBody(ctx, sum); err != nil {
		refuse(ctx, "cannot read the body: "+err.Error())
		return
	}
	seen.BodySHA256 = hex.EncodeToString(sum.Sum(nil))
	answerJSON(ctx, seen)
}

// headersOf splits a header block as it was sent; what is not a header line is kept whole as a name.
func headersOf(raw []byte) [][2]string {
	headers := [][2]string{}
	for line := range bytes.Lines(raw) {
		line = bytes.TrimRight(line, "\r\n")
		if len(line) == 0 {
			continue
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		headers = append(headers, [2]string{string(name), string(bytes.TrimSpace(value))})
	}
	return headers
}

func answerUpload(ctx *fasthttp.RequestCtx) {
	n, err := countBody(ctx, nil)
	if err != nil {
		refuse(ctx, "cannot read the body: "+err.Error())
		return
	}
	answerJSON(ctx, map[string]int64{"body_bytes": n})
}

// countBody reads the body as it comes and keeps none of it.
func countBody(ctx *fasthttp.RequestCtx, sum hash.Hash) (int64, error) {
	into := io.Discard
	if sum != nil {
		into = sum
	}
	if stream := ctx.RequestBodyStream(); stream != nil {
		return io.Copy(into, stream)
	}
	n, err := into.Write(ctx.Request.Body())
	return int64(n), err
}

func answerJSON(ctx *fasthttp.RequestCtx, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic("BUG: an answer that is not JSON: " + err.Error())
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(append(body, '\n'))
}

// answerWebSocket says every message back until the peer leaves.
func answerWebSocket(ctx *fasthttp.RequestCtx) {
	upgrader := websocket.FastHTTPUpgrader{CheckOrigin: func(*fasthttp.RequestCtx) bool { return true }}
	// The upgrader answers a bad handshake itself.
	_ = upgrader.Upgrade(ctx, func(connection *websocket.Conn) {
		defer connection.Close()
		for {
			kind, message, err := connection.ReadMessage()
			if err != nil || connection.WriteMessage(kind, message) != nil {
				return
			}
		}
	})
}
