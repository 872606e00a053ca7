//go:build !race

package main

import (
	"testing"

	"github.com/valyala/fasthttp"
)

func TestFastAnswersAllocateNothing(t *testing.T) {
	f := func(path string) {
		t.Helper()
		var ctx fasthttp.RequestCtx
		ctx.Request.SetRequestURI(path)
		got := testing.AllocsPerRun(1000, func() {
			ctx.Response.Reset()
			answer(&ctx)
		})
		if got != 0 {
			t.Fatalf("%s: got %v allocations; want 0", path, got)
		}
	}
	f("/")
	f("/size/16384")
	f("/size/1048576")
	f("/status/204")
}
