package tls

import (
	stdtls "crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"hash/maphash"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// maxPEMBytes is far above any chain and far below what would hurt.
const maxPEMBytes = 4 << 20

// reader loads the files that settings name, and remembers which they were.
// Where previous is set, what cannot be read is taken from there.
type reader struct {
	found    findings
	now      time.Time
	previous *Terms
	seed     maphash.Seed
	seen     map[string]uint64 // what each file and directory held when it was read
	dirs     []string
	kept     []error // what was taken from previous, and why
}

func (r *reader) read(file string) ([]byte, error) {
	text, err := readLimited(file)
	r.seen[file] = digest(r.seed, text, err)
	return text, err
}

func readLimited(file string) ([]byte, error) {
	about, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if about.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if about.Size() > maxPEMBytes {
		return nil, fmt.Errorf("it is larger than %d bytes", maxPEMBytes)
	}
	return os.ReadFile(file)
}

// digest sums up what a file held, or why it could not be read.
func digest(seed maphash.Seed, text []byte, err error) uint64 {
	if err != nil {
		return maphash.String(seed, err.Error())
	}
	return maphash.Bytes(seed, text)
}

// digestDirectory sums up which files a directory has.
func digestDirectory(seed maphash.Seed, dir string) uint64 {
	var h maphash.Hash
	h.SetSeed(seed)
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		_, _ = h.WriteString(entry.Name() + "\x00")
	}
	if err != nil {
		_, _ = h.WriteString(err.Error())
	}
	return h.Sum64()
}

// certificates loads every source.
func (r *reader) certificates(sources []Source) []*leaf {
	var leaves []*leaf
	for i, source := range sources {
		at := []any{"tls", "certificates", i}
		if source.Directory != "" {
			leaves = append(leaves, r.directory(source.Directory, append(at, "directory"))...)
			continue
		}
		key, cert := "cert", source.Cert
		if source.Bundle != "" {
			key, cert = "bundle", source.Bundle
		}
		leaf, err := r.load(cert, source.Key)
		if err != nil {
			if leaf = r.fallback(cert, err); leaf == nil {
				r.found.add(err, append(at, key)...)
				continue
			}
		}
		r.warnAbout(leaf, append(at, key)...)
		leaves = append(leaves, leaf)
	}
	return leaves
}

// fallback returns the certificate that a file held when it could be read last.
func (r *reader) fallback(file string, err error) *leaf {
	if r.previous == nil {
		return nil
	}
	for _, l := range r.previous.shelf.leaves {
		if l.source == file {
			r.kept = append(r.kept, err)
			return l
		}
	}
	return nil
}

// load reads one certificate: a pair of files, or a bundle where key is "".
func (r *reader) load(cert, key string) (*leaf, error) {
	pair, issuer, err := r.pair(cert, key)
	if err != nil {
		if key != "" {
			return nil, fmt.Errorf("cannot load certificate %q with key %q: %w", cert, key, err)
		}
		return nil, fmt.Errorf("cannot load certificate %q: %w", cert, err)
	}
	if old := r.unchanged(cert, pair); old != nil {
		return old, nil
	}
	made := newLeaf(pair, cert)
	made.issuer = issuer
	return made, nil
}

// unchanged returns the leaf of before, whose staple would be lost.
func (r *reader) unchanged(file string, pair *stdtls.Certificate) *leaf {
	if r.previous == nil {
		return nil
	}
	for _, l := range r.previous.shelf.leaves {
		if l.source == file && l.pair.Leaf.Equal(pair.Leaf) && slices.EqualFunc(l.pair.Certificate, pair.Certificate, slices.Equal) {
			return l
		}
	}
	return nil
}

func (r *reader) pair(cert, key string) (*stdtls.Certificate, *x509.Certificate, error) {
	text, err := r.read(cert)
	if err != nil {
		return nil, nil, err
	}
	all, err := readBundle(text)
	if err != nil {
		return nil, nil, err
	}
	if key == "" {
		return all.pair()
	}
	if text, err = r.read(key); err != nil {
		return nil, nil, err
	}
	keys, err := readBundle(text)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	return bundle{certs: all.certs, keys: keys.keys}.pair()
}

// directory loads what lies in a directory: bundles, and pairs whose key has
// the same name with the ending .key. A bad file is named, the others load.
func (r *reader) directory(dir string, at []any) []*leaf {
	r.dirs = append(r.dirs, dir)
	r.seen[dir] = digestDirectory(r.seed, dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		err = fmt.Errorf("cannot read directory %q: %w", dir, err)
		if r.previous == nil {
			r.found.add(err, at...)
			return nil
		}
		r.kept = append(r.kept, err)
		return r.previous.shelf.from(dir)
	}
	var leaves []*leaf
	for _, entry := range entries {
		name := entry.Name()
		ending := filepath.Ext(name)
		if strings.HasPrefix(name, ".") || ending != ".pem" && ending != ".crt" && ending != ".cer" {
			continue
		}
		cert, key := filepath.Join(dir, name), filepath.Join(dir, strings.TrimSuffix(name, ending)+".key")
		if _, err := os.Stat(key); err != nil {
			key = ""
		}
		l, err := r.load(cert, key)
		if err != nil {
			r.found.warn(err, at...)
			if l = r.fallback(cert, err); l == nil {
				continue
			}
		}
		r.warnAbout(l, at...)
		leaves = append(leaves, l)
	}
	return leaves
}

// from returns the certificates of the files in a directory.
func (s *shelf) from(dir string) []*leaf {
	var leaves []*leaf
	for _, l := range s.leaves {
		if filepath.Dir(l.source) == filepath.Clean(dir) {
			leaves = append(leaves, l)
		}
	}
	return leaves
}

// warnAbout names what does not keep a certificate from being served. One that
// has expired is: a gateway that does not start is no better for any client.
func (r *reader) warnAbout(l *leaf, at ...any) {
	cert := l.pair.Leaf
	if err := validAt(cert, r.now); errors.Is(err, ErrExpired) {
		r.found.warn(fmt.Errorf("%q: %w on %s", l.source, err, cert.NotAfter.UTC().Format(time.DateOnly)), at...)
	} else if err != nil {
		r.found.warn(fmt.Errorf("%q: %w; it begins on %s", l.source, err, cert.NotBefore.UTC().Format(time.RFC3339)), at...)
	}
	if len(cert.DNSNames) == 0 && len(cert.IPAddresses) == 0 {
		r.found.warn(fmt.Errorf("%q: the certificate has no subject alternative name, so today's clients refuse it", l.source), at...)
	}
}
