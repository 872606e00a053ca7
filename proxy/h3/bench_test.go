package h3

import (
	"io"
	"testing"

	"weir/proxy/exchange"
)

// BenchmarkRequests measures a fixed answer over one connection, quic-go's
// client and both ends of QUIC included.
func BenchmarkRequests(b *testing.B) {
	content := make([]byte, 1024)
	s := serve(b, testConfig(), func(x *exchange.Exchange) {
		x.Response.SetNoDefaultContentType(true)
		x.Response.SetStatusCode(200)
		x.Bytes = content
		_ = x.Front.Send(x)
	})
	c := &raw{t: b}
	*c = *dial(b, s)
	c.uni(settings())
	sent := get()
	p := make([]byte, 4<<10)
	b.ReportAllocs()
	for b.Loop() {
		stream, err := c.conn.OpenStreamSync(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		_, _ = stream.Write(sent)
		_ = stream.Close()
		for {
			if _, err := stream.Read(p); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
