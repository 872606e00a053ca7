package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"testing"
	"time"

	"weir/ratelimit"
	"weir/ratelimit/shared"
	"weir/ratelimit/shared/redistest"
)

// node is weir as a process of its own.
type node struct {
	command          *exec.Cmd
	address, control string
	client           *http.Client
}

// startNode starts weir with a document; data is where it keeps things.
func startNode(t *testing.T, document, data string) *node {
	t.Helper()
	path := filepath.Join(t.TempDir(), "weir.yaml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	n := &node{command: exec.Command(os.Args[0]), client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}}
	n.command.Env = append(os.Environ(), asGateway+"=-config "+path+" -data "+data+
		" -listen 127.0.0.1:0 -control 127.0.0.1:0 -log.output off -watch=false")
	out, err := n.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := n.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	t.Cleanup(n.client.CloseIdleConnections)
	in := bufio.NewReader(out)
	for _, into := range []struct {
		text  string
		value *string
	}{{`weir listens on (\S+) `, &n.address}, {`control is on http://(\S+)`, &n.control}} {
		for said := ""; *into.value == ""; {
			line, err := in.ReadString('\n')
			if said += line; err != nil {
				t.Fatalf("weir says %q: %v; want %s", said, err, into.text)
			}
			if found := regexp.MustCompile(into.text).FindStringSubmatch(line); found != nil {
				*into.value = found[1]
			}
		}
	}
	go func() { _, _ = io.Copy(io.Discard, in) }() // ends with the process
	return n
}

// kill ends the process as a crash of the machine would.
func (n *node) kill() {
	_ = n.command.Process.Kill()
	_ = n.command.Wait()
}

// get returns the status of an answer, 0 where there is none.
func (n *node) get(path string, fields ...string) int {
	request, err := http.NewRequest(http.MethodGet, "http://"+n.address+path, nil)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	for i := 0; i < len(fields); i += 2 {
		request.Header.Set(fields[i], fields[i+1])
	}
	answer, err := n.client.Do(request)
	if err != nil {
		return 0
	}
	_, _ = io.Copy(io.Discard, answer.Body)
	_ = answer.Body.Close()
	return answer.StatusCode
}

// Three weir processes with one Redis admit together what a limit allows: to
// the letter where it is exact, and within its bound where it is fast.
func TestNodesShareLimits(t *testing.T) {
	const perSecond, burst, nodes, length = 300, 60, 3, 1500 * time.Millisecond
	f := func(name string, mode shared.Mode, least float64) {
		t.Run(name, func(t *testing.T) {
			server := redistest.Start(t)
			document := fmt.Sprintf("redis: { addresses: [%q], nodes: %d, timeout: 2s }\n", server.Address, nodes) +
				fmt.Sprintf("limits: { all: { rate: %d, burst: %d, shared: %s, whenAway: closed } }\n", perSecond, burst, name) +
				"apis: { a: { routes: [ { path: /limited, limits: [all], answer: {} }, { path: /free, answer: {} } ] } }\n"
			var all []*node
			for range nodes {
				all = append(all, startNode(t, document, t.TempDir()))
			}
			for _, n := range all {
				// Until it has reached Redis, it refuses all with 503.
				redistest.Await(t, 10*time.Second, "a node that has reached Redis", func() bool { return n.get("/limited") != 503 })
			}
			began := time.Now()
			var counting sync.Mutex
			var asking sync.WaitGroup
			statuses := map[int]int{}
			for _, n := range all {
				for range 4 {
					asking.Go(func() {
						for time.Since(began) < length {
							status := n.get("/limited")
							counting.Lock()
							statuses[status]++
							counting.Unlock()
						}
					})
				}
			}
			asking.Wait()
			took := time.Since(began)
			rate, err := ratelimit.NewRate(perSecond, burst)
			if err != nil {
				t.Fatal(err)
			}
			c, err := shared.New(shared.Config{Addresses: []string{server.Address}, Nodes: nodes})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			most := c.Limit("bound", rate, mode, shared.Local).Bound(nodes, took)
			t.Logf("%s: %v in %s; at most %d may pass", name, statuses, took, most)
			if int64(statuses[200]) > most || float64(statuses[200]) < least*perSecond*length.Seconds() {
				t.Errorf("got %d accepted; want at most %d, and at least %g of the rate", statuses[200], most, least)
			}
			if len(statuses) != 2 || statuses[429] == 0 {
				t.Errorf("got %v; want 200 and 429 only", statuses)
			}
		})
	}
	f("exact", shared.Exact, 0.95)
	f("fast", shared.Fast, 0.9)
}

// A process that is killed forgets at most a second of what it has counted,
// and the file that it leaves is good.
func TestKilledNodeKeepsUsage(t *testing.T) {
	data, keys := t.TempDir(), filepath.Join(t.TempDir(), "keys.csv")
	const value = "abcdefghijklmnopqrstuvwxyz0123456789"
	if err := os.WriteFile(keys, []byte("Name,Key\nalice,"+value+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	document := fmt.Sprintf("apiKeys: { files: [%q] }\n", keys) +
		"usagePlans: { gold: { stages: { a: {} }, keys: [alice], quota: { limit: 100000000, period: MONTH } } }\n" +
		"apis: { a: { routes: [ { path: /, apiKeyRequired: true, answer: {} } ] } }\n"
	used := func(n *node) int {
		t.Helper()
		today := time.Now().UTC().Format(time.DateOnly)
		answer, err := n.client.Get("http://" + n.control + "/usageplans/gold/usage?startDate=" + today + "&endDate=" + today)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var usage struct{ Values map[string][][2]int }
		if err := json.NewDecoder(answer.Body).Decode(&usage); err != nil {
			t.Fatal(err)
		}
		sum := 0
		for _, days := range usage.Values {
			for _, day := range days {
				sum += day[0]
			}
		}
		return sum
	}
	total := 0
	for range 2 {
		n := startNode(t, document, data)
		before := used(n)
		if before > total {
			t.Fatalf("got %d used after a kill; want at most the %d that were sent", before, total)
		}
		// What was accepted more than a second before the kill must be there after it.
		safe, began := 0, time.Now()
		sent := 0
		for time.Since(began) < 1500*time.Millisecond {
			if status := n.get("/", "x-api-key", value); status != http.StatusOK {
				t.Fatalf("got status %d; want 200", status)
			}
			sent++
			if time.Since(began) < 500*time.Millisecond {
				safe = sent
			}
		}
		n.kill()
		n.client.CloseIdleConnections()
		again := startNode(t, document, data)
		got := used(again)
		t.Logf("%d sent, %d of them more than a second before the kill; %d kept", sent, safe, got-before)
		if got-before < safe || got-before > sent {
			t.Errorf("got %d kept; want from %d to %d", got-before, safe, sent)
		}
		total = got
		again.kill()
	}
}
