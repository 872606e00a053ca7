package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"io"
	"net"
	"net/netip"
	"strings"

	"github.com/valyala/fasthttp"
)

// guard asks for the token, as a bearer's (RFC 6750 §2.1), or as the session
// token of clients of AWS, whose signature takes that place. Hashes are compared,
// so that neither the time nor the length of the comparison tells anything.
func guard(token string, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	if token == "" {
		return next
	}
	bearer, bare := sha256.Sum256([]byte("Bearer "+token)), sha256.Sum256([]byte(token))
	is := func(got []byte, want [sha256.Size]byte) int {
		sum := sha256.Sum256(got)
		return subtle.ConstantTimeCompare(sum[:], want[:])
	}
	return func(ctx *fasthttp.RequestCtx) {
		switch string(ctx.URI().PathOriginal()) { // which the router goes by, too
		case "/healthz", "/readyz":
			next(ctx)
			return
		}
		header := &ctx.Request.Header
		if is(header.Peek("Authorization"), bearer)|is(header.Peek("X-Amz-Security-Token"), bare) != 1 {
			ctx.Response.Header.Set("WWW-Authenticate", `Bearer realm="weir control"`)
			refuse(ctx, 401, "unauthorized", "UnauthorizedException", "The control API asks for its token.")
			return
		}
		next(ctx)
	}
}

// own refuses what a page of some website makes a browser send here: browsers
// say whose page it was in Origin (RFC 6454 §7). Without a token, a name is not
// trusted either, for that page's owner may have made it resolve to this machine.
func own(guarded bool, next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		origin, reads := string(ctx.Request.Header.Peek("Origin")), ctx.IsGet() || ctx.IsHead()
		if host := string(ctx.Host()); origin != "" && !reads {
			_, page, _ := strings.Cut(origin, "://")
			if page != host || !guarded && !isAddress(host) {
				refuse(ctx, 403, "origin", "AccessDeniedException", "Pages of other origins may change nothing here.")
				return
			}
		}
		next(ctx)
	}
}

// isAddress tells whether a host is an address or localhost, which nobody else
// can make resolve elsewhere.
func isAddress(host string) bool {
	name := host
	if bare, _, err := net.SplitHostPort(host); err == nil {
		name = bare
	}
	_, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil || name == "localhost"
}

// MaxBody is how many bytes of a body are read.
const MaxBody = 1 << 20

// maxDrained is how many bytes of a body that is too large are read, so that
// the client comes to reading the answer.
const maxDrained = 16 << 20

// bound reads the body, and refuses one of more than MaxBody. It comes before
// all else: what nobody has read would be the next request on the connection.
func bound(next fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		stream := ctx.RequestBodyStream()
		if stream == nil {
			next(ctx)
			return
		}
		body, err := io.ReadAll(io.LimitReader(stream, MaxBody+1))
		if err != nil {
			ctx.SetConnectionClose()
			refuse(ctx, 400, "bad_request", "BadRequestException", "The body ends early.")
			return
		}
		if len(body) > MaxBody {
			_, _ = io.CopyN(io.Discard, stream, maxDrained)
			ctx.SetConnectionClose()
			refuse(ctx, 413, "body_too_large", "RequestEntityTooLargeException", "The body is larger than 1 MiB; divide what it has among several requests.")
			return
		}
		ctx.Request.SetBody(body)
		next(ctx)
	}
}

// refuse answers as who asks for the path expects it: clients of AWS with a
// fault of the kind, others with a problem document.
func refuse(ctx *fasthttp.RequestCtx, status int, cause, kind, text string) {
	if isControlPlane(string(ctx.URI().PathOriginal())) {
		(&fault{status, kind, text}).answer(ctx)
		return
	}
	problem(ctx, status, cause, text, "")
}
