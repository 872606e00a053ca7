package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"testing"
)

// TestECH hides the name from eavesdroppers, and gives a client with old keys
// the new ones.
func TestECH(t *testing.T) {
	dir := t.TempDir()
	ca := order{ca: true, names: []string{"authority"}}.make(t)
	c := order{names: []string{"secret.example", "public.example"}, issuer: ca}.make(t)
	file, list, err := NewECHKey("public.example")
	if err != nil {
		t.Fatal(err)
	}
	older, olderList, err := NewECHKey("public.example")
	if err != nil {
		t.Fatal(err)
	}
	_, unknown, err := NewECHKey("public.example")
	if err != nil {
		t.Fatal(err)
	}
	m := newManager(t, Config{NoWatch: true})
	publish(t, m, Settings{
		Certificates: []Source{{Bundle: place(t, dir, "a.pem", c.certPEM()+c.keyPEM(t))}},
		ECHKeys:      place(t, dir, "ech.pem", string(file)+string(older)),
	})
	address, sessions := listen(t, m)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	try := func(list []byte) (stdtls.ConnectionState, *Session, error) {
		state, err := greet(address, &stdtls.Config{ServerName: "secret.example", RootCAs: roots, EncryptedClientHelloConfigList: list})
		return state, <-sessions, err
	}
	for _, known := range [][]byte{list, olderList} {
		state, session, err := try(known)
		if err != nil || !state.ECHAccepted || !session.ECH || session.SNI != "secret.example" {
			t.Fatalf("got %v, %+v; want the inner hello taken", err, session)
		}
	}
	_, _, err = try(unknown)
	var rejected *stdtls.ECHRejectionError
	if !errors.As(err, &rejected) || string(rejected.RetryConfigList) != string(list) {
		t.Fatalf("got %v; want a refusal with the list of today", err)
	}
	if state, session, err := try(nil); err != nil || state.ECHAccepted || session.ECH {
		t.Fatalf("got %v, %+v without ECH; want a plain handshake", err, session)
	}
	if _, _, err := NewECHKey(""); err == nil {
		t.Fatal("got a key without a public name; want an error")
	}
}

func FuzzParseECHKeys(f *testing.F) {
	file, list, err := NewECHKey("public.example")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add([]byte("-----BEGIN ECHCONFIG-----\nAAAA\n-----END ECHCONFIG-----\n"))
	f.Add(list)
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseECHKeys(text)
		if (err == nil) != (len(keys) > 0) {
			t.Fatalf("got %d keys and %v; want keys or an error", len(keys), err)
		}
		for _, key := range keys {
			if len(key.Config) < 8 || len(key.PrivateKey) != 32 {
				t.Fatalf("got key %+v; want one that can be used", key)
			}
		}
	})
}
