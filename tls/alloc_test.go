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

func TestCoversAllocs(t *testing.T) {
	m := benchManager(t, 100, order{})
	terms := m.Terms()
	s := &Session{SNI: "host-1.example", Name: "host-1.example", Policy: terms.policyOf("host-1.example").key}
	got := testing.AllocsPerRun(1000, func() {
		if !terms.Covers(s, "host-1.example") || !terms.Covers(s, "host-2.example") || terms.Covers(s, "other.example") {
			t.Fatal("got another cover; want host-1 and host-2")
		}
	})
	if got != 0 {
		t.Fatalf("got %v allocations for looking whether hosts are covered; want 0", got)
	}
}
