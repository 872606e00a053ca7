package tls

import (
	"bytes"
	"crypto/ecdh"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
)

// The values of RFC 9849 and RFC 9180 that weir's keys use.
const (
	echVersion    = 0xfe0d
	kemX25519     = 0x0020
	kdfHKDFSHA256 = 0x0001
	aeadAES128GCM = 0x0001
	aeadChaCha20  = 0x0003
	maxNameBytes  = 254
)

var (
	errNoECHKey  = errors.New("there is no private key")
	errNoECHList = errors.New("there is no ECHCONFIG block")
	errECHFormat = errors.New("the ECHCONFIG block is malformed")
	errECHOther  = errors.New("no configuration belongs to the private key")
)

// NewECHKey makes a key for Encrypted Client Hello: the file for Settings.ECHKeys,
// and the list of configurations for the ech parameter of an HTTPS record. The
// public name is the one that eavesdroppers see; it needs a certificate too.
func NewECHKey(publicName string) (file, list []byte, err error) {
	if publicName == "" || len(publicName) > maxNameBytes {
		return nil, nil, fmt.Errorf("cannot make an ECH key for name %q: it needs 1 to %d bytes", publicName, maxNameBytes)
	}
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make an ECH key: %w", err)
	}
	var id [1]byte
	_, _ = rand.Read(id[:])
	config := echConfig(id[0], key.PublicKey().Bytes(), publicName)
	list = binary.BigEndian.AppendUint16(nil, uint16(len(config)))
	list = append(list, config...)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot make an ECH key: %w", err)
	}
	file = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	file = append(file, pem.EncodeToMemory(&pem.Block{Type: "ECHCONFIG", Bytes: list})...)
	return file, list, nil
}

// echConfig writes an ECHConfig (RFC 9849 §4).
func echConfig(id byte, public []byte, name string) []byte {
	u16 := binary.BigEndian.AppendUint16
	body := []byte{id}
	body = u16(body, kemX25519)
	body = append(u16(body, uint16(len(public))), public...)
	body = u16(body, 8)
	body = u16(u16(body, kdfHKDFSHA256), aeadAES128GCM)
	body = u16(u16(body, kdfHKDFSHA256), aeadChaCha20)
	body = append(body, byte(min(len(name)+16, 255))) // the longest name that is padded to
	body = append(append(body, byte(len(name))), name...)
	body = u16(body, 0) // extensions
	return append(u16(u16(nil, echVersion), uint16(len(body))), body...)
}

func (r *reader) echKeys(file string) []stdtls.EncryptedClientHelloKey {
	if file == "" {
		return nil
	}
	text, err := r.read(file)
	var keys []stdtls.EncryptedClientHelloKey
	if err == nil {
		keys, err = parseECHKeys(text)
	}
	if err == nil {
		return keys
	}
	err = fmt.Errorf("cannot read ECH keys %q: %w", file, err)
	if r.previous != nil && r.previous.ech != nil {
		r.kept = append(r.kept, err)
		return r.previous.ech
	}
	r.found.add(err, "tls", "ech", "keys")
	return nil
}

// parseECHKeys reads PEM text of private keys, each followed by the list of its
// configurations. The first pair is what clients are told to use; the others
// are taken from those that have not heard of it yet.
func parseECHKeys(text []byte) ([]stdtls.EncryptedClientHelloKey, error) {
	var keys []stdtls.EncryptedClientHelloKey
	var private *ecdh.PrivateKey
	for rest := text; ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			if bytes.Contains(rest, []byte("-----BEGIN ")) {
				return nil, ErrTruncated
			}
			break
		}
		switch block.Type {
		case "PRIVATE KEY":
			parsed, err := parseECHPrivate(block.Bytes)
			if err != nil {
				return nil, err
			}
			private = parsed
		case "ECHCONFIG":
			if private == nil {
				return nil, errNoECHKey
			}
			config, err := echConfigFor(private, block.Bytes)
			if err != nil {
				return nil, err
			}
			keys = append(keys, stdtls.EncryptedClientHelloKey{Config: config, PrivateKey: private.Bytes(), SendAsRetry: len(keys) == 0})
			private = nil
		}
	}
	if private != nil {
		return nil, errNoECHList
	}
	if keys == nil {
		return nil, errNoECHKey
	}
	return keys, nil
}

func parseECHPrivate(der []byte) (*ecdh.PrivateKey, error) {
	parsed, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("cannot read private key: %w", err)
	}
	private, ok := parsed.(*ecdh.PrivateKey)
	if !ok || private.Curve() != ecdh.X25519() {
		return nil, errors.New("cannot use private key: it is not an X25519 key")
	}
	return private, nil
}

// echConfigFor returns the configuration of a list whose public key is that of
// the private one.
func echConfigFor(private *ecdh.PrivateKey, list []byte) ([]byte, error) {
	if len(list) < 2 || int(binary.BigEndian.Uint16(list)) != len(list)-2 {
		return nil, errECHFormat
	}
	for rest := list[2:]; len(rest) > 0; {
		if len(rest) < 4 || int(binary.BigEndian.Uint16(rest[2:])) > len(rest)-4 {
			return nil, errECHFormat
		}
		size := 4 + int(binary.BigEndian.Uint16(rest[2:]))
		config := rest[:size]
		rest = rest[size:]
		const before = 4 + 1 + 2 // version, length; id, KEM
		if binary.BigEndian.Uint16(config) != echVersion || len(config) < before+2 || binary.BigEndian.Uint16(config[5:]) != kemX25519 {
			continue
		}
		n := int(binary.BigEndian.Uint16(config[before:]))
		if n > len(config)-before-2 {
			return nil, errECHFormat
		}
		if bytes.Equal(config[before+2:before+2+n], private.PublicKey().Bytes()) {
			return config, nil
		}
	}
	return nil, errECHOther
}
