package tls

import (
	stdtls "crypto/tls"
	"encoding/base64"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestTicketKeysRotate opens tickets of the last two keys and no older ones.
func TestTicketKeysRotate(t *testing.T) {
	var k tickets
	now := time.Now()
	k.set(ticketTerms{}, now)
	wrap, unwrap := k.wrap("policy"), k.unwrap("policy")
	state := stdtls.ConnectionState{ServerName: "A.example"}
	ticket, err := wrap(state, sessionState(t))
	if err != nil {
		t.Fatal(err)
	}
	opens := func(want bool) {
		t.Helper()
		got, err := unwrap(ticket, stdtls.ConnectionState{ServerName: "a.example"})
		if err != nil || (got != nil) != want {
			t.Fatalf("got %v, %v; want opened %v", got, err, want)
		}
	}
	opens(true)
	k.rotate(time.Hour, now.Add(30*time.Minute))
	if len(k.keys) != 1 {
		t.Fatalf("got %d keys after half of the time; want 1", len(k.keys))
	}
	for i := 1; i <= 2; i++ {
		k.rotate(time.Hour, now.Add(time.Duration(i)*time.Hour))
		opens(true)
	}
	k.rotate(time.Hour, now.Add(3*time.Hour))
	opens(false)
	if got, _ := k.unwrap("other")(ticket, state); got != nil {
		t.Fatal("got a ticket opened under another policy; want it refused")
	}

	// Two nodes with the same file open each other's.
	file := ticketTerms{keys: []ticketKey{newTicketKey(), newTicketKey()}}
	var one, two tickets
	one.set(file, now)
	two.set(ticketTerms{keys: []ticketKey{newTicketKey(), file.keys[0]}}, now)
	if ticket, err = one.wrap("policy")(state, sessionState(t)); err != nil {
		t.Fatal(err)
	}
	if got, err := two.unwrap("policy")(ticket, state); err != nil || got == nil {
		t.Fatalf("got %v, %v; want the ticket of the other node opened", got, err)
	}
	one.rotate(time.Hour, now.Add(100*time.Hour))
	if len(one.keys) != 2 {
		t.Fatal("got keys of a file rotated; want them as they are")
	}
	one.set(ticketTerms{}, now)
	if one.shared || len(one.keys) != 1 {
		t.Fatal("got the keys of a file that is no longer named; want our own")
	}
}

// sessionState returns the state of some session: crypto/tls makes them only.
func sessionState(t *testing.T) *stdtls.SessionState {
	t.Helper()
	var kept *stdtls.SessionState
	c := order{names: []string{"a.example"}}.make(t)
	server := &stdtls.Config{Certificates: []stdtls.Certificate{c.pair()}}
	server.WrapSession = func(state stdtls.ConnectionState, session *stdtls.SessionState) ([]byte, error) {
		kept = session
		return server.EncryptTicket(state, session)
	}
	if err := shake(t, &stdtls.Config{InsecureSkipVerify: true, ServerName: "a.example", ClientSessionCache: &oneTicket{}}, server); err != nil {
		t.Fatal(err)
	}
	return kept
}

func TestParseTicketKeys(t *testing.T) {
	good := base64.StdEncoding.EncodeToString(make([]byte, 32))
	f := func(text string, keys int, wrong string) {
		t.Helper()
		got, err := parseTicketKeys([]byte(text))
		if len(got) != keys || (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Fatalf("parseTicketKeys(%q): got %d keys, %v; want %d, %q", text, len(got), err, keys, wrong)
		}
	}
	f("# comment\n"+good+"\r\n\n"+good+"\n", 2, "")
	f("", 0, "no key")
	f("x\n", 0, "line 1 is not base64")
	f(good+"\nAAAA\n", 0, "line 2 holds 3 bytes")
	f(strings.Repeat(good+"\n", 17), 0, "more than 16")
}

func FuzzParseTicketKeys(f *testing.F) {
	f.Add([]byte(base64.StdEncoding.EncodeToString(make([]byte, 32))))
	f.Add([]byte("# x\n\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := parseTicketKeys(text)
		if (err == nil) != (len(keys) > 0) || len(keys) > maxTicketKeys {
			t.Fatalf("got %d keys and %v; want up to %d keys or an error", len(keys), err, maxTicketKeys)
		}
	})
}

// TestExpiryIsWarnedOf once at 30, 14, 7 and 1 day, and when it is over.
func TestExpiryIsWarnedOf(t *testing.T) {
	const day = 24 * time.Hour
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		c := order{names: []string{"a.example"}, until: time.Now().Add(31 * day)}.make(t)
		log := awaitLog{make(chan string, 100_000)}
		m, err := New(Config{NoWatch: true}, newTextLog(log))
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		publish(t, m, Settings{Certificates: []Source{{Bundle: place(t, dir, "a.pem", c.certPEM()+c.keyPEM(t))}}})
		f := func(after time.Duration, want int) {
			t.Helper()
			time.Sleep(after)
			synctest.Wait()
			got := 0
			for len(log.lines) > 0 {
				if line := <-log.lines; strings.Contains(line, "a certificate expires") && strings.Contains(line, "a.pem") {
					got++
				}
			}
			if got != want {
				t.Fatalf("got %d warnings; want %d", got, want)
			}
		}
		f(time.Hour, 0)
		f(day, 1)
		f(10*day, 0)
		f(7*day, 1)
		f(7*day, 1)
		f(6*day-time.Hour, 1)
		f(day, 1)
		f(day, 0)
	})
}
