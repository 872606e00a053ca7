package tls

import (
	"bufio"
	"context"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
)

// lab is a real ACME directory, pebble, with a name server that leads every
// name to this machine, and a Manager whose listeners take its challenges.
type lab struct {
	m         *Manager
	dir       string
	directory string // its URL
	ca        string // file
	names     *nameServer
	httpPort  int
	tlsPort   int
	address   string // of the TLS listener
	sessions  <-chan *Session
	start     func()      // starts pebble
	elsewhere atomic.Bool // challenges by HTTP arrive at somebody else
}

type labOptions struct {
	env      []string
	validity int // seconds; 0 is a day
	eab      map[string]string
	down     bool // is started later, by start
	config   Config
}

func port(address string) int {
	_, text, _ := net.SplitHostPort(address)
	n, _ := net.LookupPort("tcp", text)
	return n
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func newLab(t *testing.T, o labOptions) *lab {
	t.Helper()
	program, err := filepath.Abs("../.cache/bin/pebble")
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		t.Fatalf("got %v; want pebble, which tools/setup.sh pebble installs", err)
	}
	l := &lab{dir: t.TempDir(), names: newNameServer(t)}
	ca := order{ca: true, names: []string{"directory"}}.make(t)
	server := order{names: []string{"localhost"}, ips: []net.IP{net.IPv4(127, 0, 0, 1)}, issuer: ca}.make(t)
	l.ca = place(t, l.dir, "ca.pem", ca.certPEM())

	o.config.Dir = filepath.Join(l.dir, "data")
	l.m = newManager(t, o.config)
	l.address, l.sessions = listen(t, l.m, "h2", "http/1.1")
	l.tlsPort = port(l.address)
	plain := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, ok := l.m.HTTPChallenge(r.Host, r.URL.Path)
		if !ok || l.elsewhere.Load() {
			w.WriteHeader(http.StatusNotFound)
			return
		}
		_, _ = w.Write(body)
	})}
	hl, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.httpPort = port(hl.Addr().String())
	go func() { _ = plain.Serve(hl) }()
	t.Cleanup(func() { _ = plain.Close() })

	address := freeAddress(t)
	l.directory = "https://" + address + "/dir"
	if o.validity == 0 {
		o.validity = 86400
	}
	settings := map[string]any{
		"listenAddress": address, "managementListenAddress": freeAddress(t),
		"certificate": place(t, l.dir, "server.pem", server.certPEM()), "privateKey": place(t, l.dir, "server.key", server.keyPEM(t)),
		"httpPort": l.httpPort, "tlsPort": l.tlsPort, "keyAlgorithm": "ecdsa",
		"retryAfter": map[string]int{"authz": 0, "order": 0},
		"profiles":   map[string]any{"default": map[string]any{"description": "of the test", "validityPeriod": o.validity}},
	}
	if o.eab != nil {
		settings["externalAccountBindingRequired"] = true
		settings["externalAccountMACKeys"] = o.eab
	}
	text, err := json.Marshal(map[string]any{"pebble": settings})
	if err != nil {
		t.Fatal(err)
	}
	config := place(t, l.dir, "pebble.json", string(text))
	l.start = func() {
		t.Helper()
		runPebble(t, program, config, l.names.address, o.env)
	}
	if !o.down {
		l.start()
	}
	return l
}

// runPebble starts the directory and returns when it serves.
func runPebble(t *testing.T, program, config, names string, env []string) {
	t.Helper()
	command := exec.Command(program, "-config", config, "-dnsserver", names)
	command.Env = append(os.Environ(), append([]string{"PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0", "PEBBLE_WFE_NONCEREJECT=0"}, env...)...)
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	command.Stderr = command.Stdout
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	ready, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		var once sync.Once
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if os.Getenv("WEIR_PEBBLE") != "" {
				fmt.Println(lines.Text())
			}
			if strings.Contains(lines.Text(), "ACME directory available") {
				once.Do(func() { close(ready) })
			}
		}
	}()
	t.Cleanup(func() {
		_ = command.Process.Kill()
		<-ended
		_ = command.Wait()
	})
	select {
	case <-ready:
	case <-ended:
		t.Fatal("pebble ended before it served")
	case <-time.After(20 * time.Second):
		t.Fatal("pebble does not serve after 20s")
	}
}

func (l *lab) settings(challenge string, names ...string) Settings {
	s := Settings{Domains: map[string]Domain{}, ACME: ACME{
		Directory: l.directory, CA: l.ca, Email: "ops@weir.example", HTTPPort: l.httpPort, TLSPort: l.tlsPort,
	}}
	if challenge != "" {
		s.ACME.Challenges = []string{challenge}
	}
	if challenge == ChallengeDNS {
		s.ACME.DNS = &DNS{Server: l.names.address, KeyName: "weir", Key: tsigSecret}
	}
	for _, name := range names {
		s.Domains[name] = Domain{Source: SourceAuto}
	}
	return s
}

// until asks for a name's certificate until it is what is wanted.
func (l *lab) until(t *testing.T, name string, wanted func(*x509.Certificate) bool) *x509.Certificate {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 25*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		state, err := greet(l.address, &stdtls.Config{ServerName: name, InsecureSkipVerify: true})
		for len(l.sessions) > 0 {
			<-l.sessions
		}
		if err == nil && (wanted == nil || wanted(state.PeerCertificates[0])) {
			return state.PeerCertificates[0]
		}
		select {
		case <-ctx.Done():
			t.Fatalf("got %v for %s after 25s, and %+v; want a certificate", err, name, l.m.Certificates())
		case <-tick.C:
		}
	}
}

const tsigSecret = "c2VjcmV0IG9mIHRoZSB0ZXN0IG5hbWUgc2VydmVy"

// nameServer leads every name to 127.0.0.1 and takes updates of TXT records.
type nameServer struct {
	address string
	mu      sync.Mutex
	txt     map[string][]string
	updates int
}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	n := &nameServer{txt: make(map[string][]string)}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	n.address = l.Addr().String()
	packets, err := net.ListenPacket("udp", n.address)
	if err != nil {
		t.Fatal(err)
	}
	secrets := map[string]string{"weir.": tsigSecret}
	for _, server := range []*dns.Server{{Listener: l, TsigSecret: secrets, MsgAcceptFunc: acceptUpdates}, {PacketConn: packets, TsigSecret: secrets}} {
		server.Handler = n
		started := make(chan struct{})
		server.NotifyStartedFunc = func() { close(started) }
		go func() { _ = server.ActivateAndServe() }()
		<-started
		t.Cleanup(func() { _ = server.Shutdown() })
	}
	return n
}

func acceptUpdates(dns.Header) dns.MsgAcceptAction { return dns.MsgAccept }

// ServeDNS answers like the primary server of weir.example.
func (n *nameServer) ServeDNS(w dns.ResponseWriter, r *dns.Msg) {
	n.mu.Lock()
	defer n.mu.Unlock()
	answer := new(dns.Msg)
	answer.SetReply(r)
	answer.Authoritative = true
	if r.Opcode == dns.OpcodeUpdate {
		if r.IsTsig() == nil || w.TsigStatus() != nil {
			answer.Rcode = dns.RcodeRefused
		} else {
			n.update(r)
			answer.SetTsig("weir.", dns.HmacSHA256, 300, time.Now().Unix())
		}
		_ = w.WriteMsg(answer)
		return
	}
	const zone = "weir.example."
	q := r.Question[0]
	head := dns.RR_Header{Name: q.Name, Rrtype: q.Qtype, Class: dns.ClassINET, Ttl: 1}
	switch q.Qtype {
	case dns.TypeA:
		answer.Answer = []dns.RR{&dns.A{Hdr: head, A: net.IPv4(127, 0, 0, 1)}}
	case dns.TypeTXT:
		for _, text := range n.txt[strings.ToLower(q.Name)] {
			answer.Answer = append(answer.Answer, &dns.TXT{Hdr: head, Txt: []string{text}})
		}
	case dns.TypeSOA:
		head.Name = zone
		soa := &dns.SOA{Hdr: head, Ns: "ns." + zone, Mbox: "ops." + zone, Serial: 1, Minttl: 1}
		if strings.EqualFold(q.Name, zone) {
			answer.Answer = []dns.RR{soa}
		} else {
			answer.Ns = []dns.RR{soa}
		}
	}
	_ = w.WriteMsg(answer)
}

func (n *nameServer) update(r *dns.Msg) {
	n.updates++
	for _, rr := range r.Ns {
		txt, ok := rr.(*dns.TXT)
		if !ok {
			continue
		}
		name := strings.ToLower(txt.Hdr.Name)
		if txt.Hdr.Class == dns.ClassINET {
			n.txt[name] = append(n.txt[name], strings.Join(txt.Txt, ""))
			continue
		}
		delete(n.txt, name)
	}
}
