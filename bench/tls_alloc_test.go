//go:build !race

package bench

import (
	"crypto/tls"
	"testing"
)

// TestAllocNothingOfOursOverTLS holds the hot paths to no allocation of the
// gateway's own where TLS runs over the client's connection. crypto/tls itself
// makes one small reader for each record that it reads, in the gateway for the
// request and in the client for each answer.
func TestAllocNothingOfOursOverTLS(t *testing.T) {
	doc := "listeners: { main: { address: \"127.0.0.1:0\", tls: true, protocols: [http/1.1] } }\n" +
		documentOf(startUpstreams(t), 100) +
		"domains: { \"*\": { mappings: { \"\": bench }, tls: dev } }\n"
	g := startGateway(t, doc, full+" -data="+t.TempDir())
	for _, c := range cases() {
		if c.body > 64<<10 {
			continue
		}
		client := dial(t, g.address)
		client.nc = tls.Client(client.nc, &tls.Config{InsecureSkipVerify: true, ServerName: "api.example.org"})
		exchange := func() {
			if _, err := client.do(c.request, c.answers, c.status); err != nil {
				t.Fatal(err)
			}
		}
		for range warmUp {
			exchange()
		}
		records := float64(1 + c.answers)
		if got := testing.AllocsPerRun(allocRuns, exchange); got > records {
			t.Errorf("%s: got %v allocations a request; want no more than the %v of crypto/tls", c.name, got, records)
		}
	}
}
