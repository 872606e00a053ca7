package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

const usage = `/ and /size/N          N bytes (1024)
/cached/N/NAME         N bytes that may be kept for an hour; /cached/count tells how many such answers were given
/delay/DURATION        1024 bytes after a while, e.g. /delay/50ms
/status/N              an empty answer with that status
/chunked/N             N bytes without a declared length
/sse/COUNT/INTERVAL    an event stream
/drip/N/INTERVAL       N bytes, one at a time
/echo                  the request as JSON
/upload                counts the body as it comes
/websocket             says every message back
/close                 closes without an answer
/truncate/N            declares N bytes and sends half of them
/garbage               answers with what is not HTTP
`

// page is what every body of a given size is cut from, so that no answer of up to its size copies or allocates.
var page = bytes.Repeat([]byte("0123456789abcdefghijklmnopqrstuvwxyz-ABCDEFGHIJKLMNOPQRSTUVWXYZ\n"), 16<<10)

// answer picks the behaviour by the first part of the path. It allocates nothing for / and /size/N up to 1 MiB.
func answer(ctx *fasthttp.RequestCtx) {
	path := ctx.Path()
	if len(path) == 1 {
		answerSize(ctx, 1024)
		return
	}
	name, rest, _ := bytes.Cut(path[1:], []byte("/"))
	switch string(name) {
	case "size":
		withNumber(ctx, rest, answerSize)
	case "delay":
		withDuration(ctx, rest, func(delay time.Duration) {
			time.Sleep(delay)
			answerSize(ctx, 1024)
		})
	case "status":
		withNumber(ctx, rest, answerStatus)
	case "chunked":
		withNumber(ctx, rest, func(ctx *fasthttp.RequestCtx, n int) { ctx.SetBodyStream(newPages(n), -1) })
	case "sse":
		withSeries(ctx, rest, answerEvents)
	case "drip":
		withSeries(ctx, rest, answerDrip)
	case "echo":
		answerEcho(ctx)
	case "upload":
		answerUpload(ctx)
	case "websocket":
		answerWebSocket(ctx)
	case "close":
		answerRaw(ctx, "")
	case "truncate":
		withNumber(ctx, rest, answerTruncated)
	case "garbage":
		answerRaw(ctx, "\x00\x01 this is not HTTP\r\n\r\n\xff\xfe")
	default:
		ctx.SetStatusCode(fasthttp.StatusNotFound)
		ctx.SetBodyString(usage)
	}
}

func answerSize(ctx *fasthttp.RequestCtx, n int) {
	if n > len(page) {
		ctx.SetBodyStream(newPages(n), n)
		return
	}
	ctx.Response.SetBodyRaw(page[:n])
}

func answerStatus(ctx *fasthttp.RequestCtx, status int) {
	if status < 200 || status > 999 {
		refuse(ctx, "a final status has three digits and is 200 or more")
		return
	}
	ctx.SetStatusCode(status)
}

// answerEvents flushes every event, so that a gateway that holds them back is seen.
func answerEvents(ctx *fasthttp.RequestCtx, count int, interval time.Duration) {
	ctx.SetContentType("text/event-stream")
	ctx.Response.Header.Set("Cache-Control", "no-store")
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		for i := range count {
			if i > 0 {
				time.Sleep(interval)
			}
			fmt.Fprintf(w, "id: %d\ndata: event %d of %d\n\n", i+1, i+1, count)
			if w.Flush() != nil {
				return
			}
		}
	})
}

func answerDrip(ctx *fasthttp.RequestCtx, n int, interval time.Duration) {
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		for i := range n {
			if i > 0 {
				time.Sleep(interval)
			}
			if w.WriteByte(page[i%len(page)]) != nil || w.Flush() != nil {
				return
			}
		}
	})
}

func answerTruncated(ctx *fasthttp.RequestCtx, n int) {
	half := page[:min(n/2, len(page))]
	answerRaw(ctx, "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: "+strconv.Itoa(n)+"\r\n\r\n"+string(half))
}

// answerRaw sends exactly these bytes in place of an answer and closes the connection.
func answerRaw(ctx *fasthttp.RequestCtx, raw string) {
	ctx.HijackSetNoResponse(true)
	ctx.Hijack(func(connection net.Conn) {
		_, _ = io.WriteString(connection, raw) // the peer may be gone, which is its choice
	})
}

func withNumber(ctx *fasthttp.RequestCtx, text []byte, then func(*fasthttp.RequestCtx, int)) {
	n, err := fasthttp.ParseUint(text)
	if err != nil {
		refuse(ctx, "the path needs a number")
		return
	}
	then(ctx, n)
}

func withDuration(ctx *fasthttp.RequestCtx, text []byte, then func(time.Duration)) {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < 0 {
		refuse(ctx, "the path needs a duration such as 50ms")
		return
	}
	then(d)
}

func withSeries(ctx *fasthttp.RequestCtx, rest []byte, then func(*fasthttp.RequestCtx, int, time.Duration)) {
	count, interval, _ := bytes.Cut(rest, []byte("/"))
	withNumber(ctx, count, func(ctx *fasthttp.RequestCtx, n int) {
		withDuration(ctx, interval, func(d time.Duration) { then(ctx, n, d) })
	})
}

func refuse(ctx *fasthttp.RequestCtx, why string) {
	ctx.SetStatusCode(fasthttp.StatusBadRequest)
	ctx.SetBodyString(why + "\n\n" + usage)
}

// pages reads as n bytes of page, over and over.
type pages struct{ left, at int }

func newPages(n int) *pages { return &pages{left: n} }

func (p *pages) Read(dst []byte) (int, error) {
	if p.left == 0 {
		return 0, io.EOF
	}
	n := copy(dst, page[p.at:min(p.at+p.left, len(page))])
	p.left -= n
	p.at = (p.at + n) % len(page)
	return n, nil
}
