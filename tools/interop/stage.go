package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// stage is what the cases are run on: both servers, and a weir for each way that needs one.
type stage struct {
	order            order
	folder           string
	certificate, key string
	running          []*program
}

// program is a process that this one started and ends by its id.
type program struct {
	command *exec.Cmd
	said    bytes.Buffer
	ended   chan struct{}
}

func openStage(ctx context.Context, o order, folder string) (_ *stage, err error) {
	s := &stage{
		order: o, folder: folder, certificate: filepath.Join(folder, "cert.pem"), key: filepath.Join(folder, "key.pem"),
	}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if err := s.writeCertificate(); err != nil {
		return nil, err
	}
	// A folder of its own: weir watches the one of its document.
	if err := os.Mkdir(filepath.Dir(s.logOf(way{})), 0o700); err != nil {
		return nil, fmt.Errorf("cannot make a folder for logs: %w", err)
	}
	if err := s.start(ctx, "127.0.0.1:"+serverPort, o.server, "-port", serverPort); err != nil {
		return nil, err
	}
	if err := s.start(ctx, "127.0.0.1:"+serverTLSPort, o.server, "-port", serverTLSPort, "-use_tls",
		"-tls_cert_file", s.certificate, "-tls_key_file", s.key); err != nil {
		return nil, err
	}
	for _, w := range o.ways {
		if !w.needsWeir() {
			continue
		}
		path := filepath.Join(folder, w.name+".yaml")
		if err := os.WriteFile(path, []byte(w.document(s.certificate, s.key)), 0o600); err != nil {
			return nil, fmt.Errorf("cannot write the document: %w", err)
		}
		if err := s.start(ctx, w.address, o.weir, "-config", path, "-control", "off", "-log.output", s.logOf(w)); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *stage) logOf(w way) string { return filepath.Join(s.folder, "log", w.name+".log") }

// complaints ends the programs and returns the lines in which weir tells that an exchange did not end well.
func (s *stage) complaints() string {
	s.close()
	var lines strings.Builder
	for _, w := range s.order.ways {
		said, err := os.ReadFile(s.logOf(w))
		if err != nil {
			continue // the way leads past weir
		}
		for line := range strings.Lines(string(said)) {
			if strings.Contains(line, `"aborted":`) || strings.Contains(line, `"upstream_error":`) || strings.Contains(line, `"cause":`) {
				lines.WriteString(line)
			}
		}
	}
	return lines.String()
}

// start runs a program and returns when it listens.
func (s *stage) start(ctx context.Context, address, name string, arguments ...string) error {
	p := &program{command: exec.Command(name, arguments...), ended: make(chan struct{})}
	p.command.Stdout, p.command.Stderr = &p.said, &p.said
	if err := p.command.Start(); err != nil {
		return fmt.Errorf("cannot start %q: %w", filepath.Base(name), err)
	}
	go func() {
		_ = p.command.Wait() // how it ended is read from what it said
		close(p.ended)
	}()
	s.running = append(s.running, p)
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		conn, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.ended:
			return fmt.Errorf("cannot start %q: %s", filepath.Base(name), strings.TrimSpace(p.said.String()))
		case <-time.After(20 * time.Millisecond): // a foreign program has no other sign of being ready
		}
	}
	return fmt.Errorf("cannot reach %q at %s", filepath.Base(name), address)
}

func (s *stage) close() {
	for _, p := range s.running {
		_ = p.command.Process.Signal(syscall.SIGTERM) // may have ended by itself
		select {
		case <-p.ended:
			continue
		case <-time.After(3 * time.Second):
		}
		_ = p.command.Process.Kill()
		<-p.ended
	}
}

// writeCertificate makes one that is its own authority.
func (s *stage) writeCertificate() error {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fmt.Errorf("cannot make a key: %w", err)
	}
	form := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: serverName}, DNSNames: []string{serverName},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	certificate, err := x509.CreateCertificate(rand.Reader, form, form, private.Public(), private)
	if err != nil {
		return fmt.Errorf("cannot make a certificate: %w", err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("cannot encode a key: %w", err)
	}
	for path, block := range map[string]*pem.Block{
		s.certificate: {Type: "CERTIFICATE", Bytes: certificate}, s.key: {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return fmt.Errorf("cannot write %q: %w", filepath.Base(path), err)
		}
	}
	return nil
}
