package h2

import (
	"bytes"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"weir/proxy/exchange"
	"weir/proxy/front/cases"
)

// TestSmuggling holds the cases that all front ends share: what must be refused
// never reaches the way.
func TestSmuggling(t *testing.T) {
	var through atomic.Int64
	s := serve(t, handle(func(x *exchange.Exchange) {
		through.Add(1)
		answer("")(x)
	}), nil)
	c := s.open(t)
	id := uint32(1)
	for _, one := range cases.Requests() {
		t.Run(one.Name, func(t *testing.T) {
			before := through.Load()
			c.block.Reset()
			for _, f := range one.Fields {
				_ = c.enc.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
			}
			block := bytes.Clone(c.block.Bytes())
			first := block[:min(len(block), 16<<10)]
			c.do(c.fr.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: first, EndStream: true, EndHeaders: len(first) == len(block)}))
			for rest := block[len(first):]; len(rest) > 0; {
				part := rest[:min(len(rest), 16<<10)]
				rest = rest[len(part):]
				c.do(c.fr.WriteContinuation(id, len(rest) == 0, part))
			}
			got := c.await(id)
			id += 2
			status, _ := strconv.Atoi(got.status)
			switch {
			case one.Status == 0 && (status != 200 || got.wasReset):
				t.Fatalf("got %s; want 200", got)
			case one.Status != 0 && (through.Load() != before || (!got.wasReset && status < 400)):
				t.Fatalf("got %s, let through %d; want it refused", got, through.Load()-before)
			}
		})
	}
}
