package tls

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	stdtls "crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	ticketKeyBytes = 32
	ticketKeys     = 3 // the one that seals, and two that still open
	maxTicketKeys  = 16
	defaultRotate  = 12 * time.Hour
)

type ticketKey = [ticketKeyBytes]byte

// ticketTerms are the keys of a file, or how long ours seal.
type ticketTerms struct {
	keys   []ticketKey
	rotate time.Duration
}

func (r *reader) tickets(t Tickets) ticketTerms {
	terms := ticketTerms{rotate: t.Rotate}
	if terms.rotate <= 0 {
		terms.rotate = defaultRotate
	}
	if t.File == "" {
		return terms
	}
	text, err := r.read(t.File)
	if err == nil {
		terms.keys, err = parseTicketKeys(text)
	}
	if err == nil {
		return terms
	}
	err = fmt.Errorf("cannot read ticket keys %q: %w", t.File, err)
	if r.previous != nil && r.previous.tickets.keys != nil {
		r.kept = append(r.kept, err)
		return r.previous.tickets
	}
	r.found.add(err, "tls", "tickets", "file")
	return terms
}

// parseTicketKeys reads one key a line, 32 bytes in base64. The first one seals
// new tickets, all of them open old ones. Lines that begin with # are comments.
func parseTicketKeys(text []byte) ([]ticketKey, error) {
	var keys []ticketKey
	for i, line := range bytes.Split(text, []byte("\n")) {
		line = bytes.TrimSpace(line)
		if len(line) == 0 || line[0] == '#' {
			continue
		}
		raw, err := base64.StdEncoding.DecodeString(string(line))
		if err != nil {
			return nil, fmt.Errorf("line %d is not base64", i+1)
		}
		if len(raw) != ticketKeyBytes {
			return nil, fmt.Errorf("line %d holds %d bytes instead of %d", i+1, len(raw), ticketKeyBytes)
		}
		if keys = append(keys, ticketKey(raw)); len(keys) > maxTicketKeys {
			return nil, fmt.Errorf("there are more than %d keys", maxTicketKeys)
		}
	}
	if keys == nil {
		return nil, errors.New("it holds no key")
	}
	return keys, nil
}

// tickets seals and opens session tickets for every configuration. One set of
// keys serves all; what a ticket is worth is bound to the policy and the name
// it was given under, so that no other policy redeems it.
type tickets struct {
	current atomic.Pointer[stdtls.Config] // only its ticket keys are used
	mu      sync.Mutex
	keys    []ticketKey
	shared  bool // from a file
	made    time.Time
}

// set takes over the keys of a file, or turns to our own.
func (t *tickets) set(terms ticketTerms, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case terms.keys != nil:
		if t.shared && slices.Equal(t.keys, terms.keys) {
			return
		}
		t.keys, t.shared = slices.Clone(terms.keys), true
	case t.shared || len(t.keys) == 0:
		t.keys, t.shared, t.made = []ticketKey{newTicketKey()}, false, now
	default:
		return
	}
	t.publish()
}

// rotate makes a new key that seals once the current one is old enough.
func (t *tickets) rotate(every time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.shared || now.Sub(t.made) < every {
		return
	}
	t.keys = append([]ticketKey{newTicketKey()}, t.keys...)
	t.keys = t.keys[:min(len(t.keys), ticketKeys)]
	t.made = now
	t.publish()
}

func (t *tickets) publish() {
	sealer := &stdtls.Config{}
	sealer.SetSessionTicketKeys(t.keys)
	t.current.Store(sealer)
}

func newTicketKey() ticketKey {
	var key ticketKey
	_, _ = rand.Read(key[:]) // it never fails: crypto/rand ends the process first
	return key
}

// bindingPrefix tells what weir adds to a ticket from what others may.
const bindingPrefix = "weir/1:"

// binding is what a ticket is bound to. RFC 6066 §3 wants the name: a session
// must not be resumed under another one.
func binding(key, name string) []byte {
	sum := sha256.Sum256([]byte(key + "\x00" + name))
	return append([]byte(bindingPrefix), sum[:]...)
}

func (t *tickets) wrap(key string) func(stdtls.ConnectionState, *stdtls.SessionState) ([]byte, error) {
	return func(state stdtls.ConnectionState, session *stdtls.SessionState) ([]byte, error) {
		session.Extra = append(session.Extra, binding(key, lower(state.ServerName)))
		return t.current.Load().EncryptTicket(state, session)
	}
}

func (t *tickets) unwrap(key string) func([]byte, stdtls.ConnectionState) (*stdtls.SessionState, error) {
	return func(identity []byte, state stdtls.ConnectionState) (*stdtls.SessionState, error) {
		session, err := t.current.Load().DecryptTicket(identity, state)
		if err != nil || session == nil {
			return nil, err
		}
		want := binding(key, lower(state.ServerName))
		if !slices.ContainsFunc(session.Extra, func(extra []byte) bool { return bytes.Equal(extra, want) }) {
			return nil, nil // a full handshake follows
		}
		return session, nil
	}
}
