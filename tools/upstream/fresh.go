package main

import (
	"bytes"
	"strconv"
	"sync/atomic"

	"github.com/valyala/fasthttp"
)

// fresh gives answers that a cache may keep, and counts them: a cache that works asks for each but once.
type fresh struct{ answers atomic.Int64 }

var freshPath = []byte("/cached/")

// answer answers what is below /cached/ and tells whether it did.
func (f *fresh) answer(ctx *fasthttp.RequestCtx) bool {
	rest, isFresh := bytes.CutPrefix(ctx.Path(), freshPath)
	if !isFresh {
		return false
	}
	if string(rest) == "count" {
		ctx.Response.Header.Set("Cache-Control", "no-store")
		ctx.SetBodyString(strconv.FormatInt(f.answers.Load(), 10))
		return true
	}
	size, _, _ := bytes.Cut(rest, []byte("/"))
	withNumber(ctx, size, func(ctx *fasthttp.RequestCtx, n int) {
		serial := f.answers.Add(1)
		ctx.Response.Header.Set("Cache-Control", "max-age=3600")
		ctx.Response.Header.Set("ETag", `"`+strconv.FormatInt(serial, 10)+`"`)
		ctx.Response.Header.Set("Surrogate-Key", "size-"+strconv.Itoa(n))
		answerSize(ctx, n)
	})
	return true
}
