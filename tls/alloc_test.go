//go:build !race

package tls

import "testing"

func TestHelloAllocs(t *testing.T) {
	m := benchManager(t, 100, order{})
	set := m.protocols.of([]string{"h2", "http/1.1"}, false)
	hello := helloFor(t, "host-77.example")
	got := testing.AllocsPerRun(1000, func() {
		if shown, err := m.answer(hello, set).GetCertificate(hello); shown == nil || err != nil {
			t.Fatalf("got %v, %v; want a certificate", shown, err)
		}
	})
	if got != 0 {
		t.Fatalf("got %v allocations for choosing configuration and certificate; want 0", got)
	}
}
