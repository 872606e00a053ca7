package tls

import (
	stdtls "crypto/tls"
	"sync"
	"sync/atomic"
	"testing"
)

// TestDefaultName shows the default's certificate to who asks for nothing known.
func TestDefaultName(t *testing.T) {
	s := newSide(t, "a.example", "b.example")
	terms := publish(t, s.m, Settings{Certificates: []Source{s.server}, Default: "a.example", Domains: map[string]Domain{"b.example": {Profile: "modern"}}})
	for _, name := range []string{"unknown.example", "127.0.0.1"} {
		if _, err := greet(s.address, &stdtls.Config{ServerName: name, InsecureSkipVerify: true}); err != nil {
			t.Fatalf("%s: got %v; want the default's certificate", name, err)
		}
		session := <-s.sessions
		if session.Name != "a.example" {
			t.Fatalf("%s: got name %q; want a.example", name, session.Name)
		}
		if !terms.Covers(session, "a.example") || terms.Covers(session, "b.example") || terms.Covers(session, "c.example") {
			t.Fatalf("%s: got another cover; want a.example alone", name)
		}
	}
}

func TestQUICConfig(t *testing.T) {
	s := newSide(t, "a.example")
	publish(t, s.m, Settings{Certificates: []Source{s.server}})
	c := s.m.QUICConfig()
	chosen, err := c.GetConfigForClient(helloFor(t, "a.example"))
	if err != nil || chosen.MinVersion != stdtls.VersionTLS13 || len(chosen.NextProtos) != 1 || chosen.NextProtos[0] != "h3" {
		t.Fatalf("got %+v, %v; want TLS 1.3 and h3", chosen, err)
	}
	if again, _ := s.m.QUICConfig().GetConfigForClient(helloFor(t, "a.example")); again != chosen {
		t.Fatal("got another configuration for the second listener; want the same")
	}
	if other, _ := s.m.ServerConfig([]string{"h3"}).GetConfigForClient(helloFor(t, "a.example")); other == chosen {
		t.Fatal("got QUIC's configuration for TCP; want its own")
	}
}

// TestSwapsUnderLoad publishes terms in between handshakes: none fails, resumed
// ones included.
func TestSwapsUnderLoad(t *testing.T) {
	s := newSide(t, "a.example")
	settings := Settings{Certificates: []Source{s.server}, Domains: map[string]Domain{"a.example": {}}}
	publish(t, s.m, settings)
	var done atomic.Bool
	var tasks sync.WaitGroup
	var resumed atomic.Int64
	for range 4 {
		tasks.Go(func() {
			c := &stdtls.Config{ServerName: "a.example", InsecureSkipVerify: true, ClientSessionCache: stdtls.NewLRUClientSessionCache(4)}
			for !done.Load() {
				state, err := greet(s.address, c)
				if err != nil {
					t.Errorf("got %v; want no failure", err)
					return
				}
				if state.DidResume {
					resumed.Add(1)
				}
				<-s.sessions
			}
		})
	}
	for range 200 {
		terms, err := s.m.Compile(settings)
		if err != nil {
			t.Error(err)
			break
		}
		s.m.Publish(terms)
	}
	for resumed.Load() < 20 && !t.Failed() {
		s.m.Publish(s.m.Terms())
	}
	done.Store(true)
	tasks.Wait()
}
