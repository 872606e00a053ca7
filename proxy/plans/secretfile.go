package plans

import (
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The secret has a file of its own, so that the database and its copies give
// no value away, not even to who can try many.

func (f *file) secretPath() string { return filepath.Join(f.directory, secretName) }

// loadSecret reads the secret of the installation, or makes one that saveSecret
// keeps.
func (f *file) loadSecret(s *secret) error {
	f.secret = s
	*s = newSecret()
	if f.directory == "" {
		return nil
	}
	text, err := os.ReadFile(f.secretPath())
	if errors.Is(err, os.ErrNotExist) || err != nil && unwritable(err) && !exists(f.path()) {
		return nil
	} else if err != nil {
		return fmt.Errorf("cannot read the secret of API keys: %w", err)
	}
	b, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil || len(b) != len(s) {
		return refuse(ErrCorrupt, "cannot use the secret in %q: it must be %d hexadecimal digits; without it no API key can be known", f.secretPath(), 2*len(s))
	}
	copy(s[:], b)
	f.saved = true
	if at, err := os.Stat(f.secretPath()); err == nil && at.Mode().Perm()&0o077 != 0 {
		f.log.Warn().Str("file", f.secretPath()).Str("mode", at.Mode().Perm().String()).Msg("the secret of API keys can be read by others: chmod 600")
	}
	return nil
}

// saveSecret writes the secret, which must be on the disk before anything that
// needs it.
func (f *file) saveSecret() error {
	if err := os.MkdirAll(f.directory, 0o700); err != nil {
		return err
	}
	aside := f.secretPath() + ".new"
	defer os.Remove(aside)
	if err := writeDurably(aside, func(out *os.File) error {
		_, err := fmt.Fprintf(out, "%x\n", f.secret[:])
		return err
	}); err != nil {
		return err
	}
	if err := place(aside, f.secretPath()); err != nil {
		return err
	}
	f.saved = true
	return syncDirectory(f.directory)
}

// writeDurably makes a file that only its owner may read.
func writeDurably(path string, write func(*os.File) error) error {
	out, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(write(out), out.Sync(), out.Close())
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
