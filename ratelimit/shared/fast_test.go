package shared

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"weir/ratelimit"
	"weir/ratelimit/shared/redistest"
)

// nodeEnv makes the test binary a node of TestFastLimitOverManyProcesses: its
// value is the address of Redis.
const nodeEnv = "WEIR_SHARED_NODE"

// node takes from a limit for as long as its input says, and prints how many
// tokens it got. Its lines are read by TestFastLimitOverManyProcesses.
func node(address string) error {
	c, err := New(Config{Addresses: []string{address}, Timeout: 5 * time.Second, Nodes: 3})
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := c.Ready(ctx); err != nil {
		return err
	}
	var perSecond float64
	var burst, workers int
	var length time.Duration
	in := bufio.NewReader(os.Stdin)
	fmt.Println("ready")
	if _, err := fmt.Fscan(in, &perSecond, &burst, &workers, (*int64)(&length)); err != nil {
		return err
	}
	r, err := ratelimit.NewRate(perSecond, burst)
	if err != nil {
		return err
	}
	l := c.Limit("all", r, Fast, Local)
	admitted, asked, others := 0, 0, 0
	var stalled time.Duration
	began := time.Now()
	for last := began; time.Since(began) < length; last = time.Now() {
		for range workers {
			d, outcome := l.Take([]byte("one"), c.Now(), 0)
			asked++
			if outcome != Decided {
				others++
			} else if d.Allowed {
				admitted++
			}
		}
		time.Sleep(100 * time.Microsecond)
		if gap := time.Since(last); gap > 10*time.Millisecond {
			stalled += gap
		}
	}
	fmt.Println(admitted, asked, others, int64(stalled))
	_, _ = io.Copy(io.Discard, in)
	return nil
}

func TestFastLimitOverManyProcesses(t *testing.T) {
	t.Parallel()
	f := func(perSecond float64, burst, perTick int) {
		t.Run(fmt.Sprintf("%g a second, burst %d", perSecond, burst), func(t *testing.T) {
			t.Parallel()
			overProcesses(t, perSecond, burst, perTick)
		})
	}
	f(1000, 1000, 2)
	f(1000, 1, 2)
	f(20, 40, 1)
}

// overProcesses runs three nodes against one limit and holds what they admit
// against the bound.
func overProcesses(t *testing.T, perSecond float64, burst, perTick int) {
	server := redistest.Start(t)
	const nodes, length = 3, 2 * time.Second
	type process struct {
		command *exec.Cmd
		in      io.WriteCloser
		out     *bufio.Reader
	}
	var all []process
	for range nodes {
		p := process{command: exec.Command(os.Args[0], "-test.run=^$")}
		p.command.Env = append(os.Environ(), nodeEnv+"="+server.Address)
		p.command.Stderr = os.Stderr
		p.in, _ = p.command.StdinPipe()
		out, err := p.command.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		p.out = bufio.NewReader(out)
		if err := p.command.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.command.Process.Kill(); _ = p.command.Wait() })
		all = append(all, p)
	}
	for _, p := range all {
		if line, err := p.out.ReadString('\n'); err != nil || strings.TrimSpace(line) != "ready" {
			t.Fatalf("a node says %q: %v", line, err)
		}
	}
	began := time.Now()
	for _, p := range all {
		fmt.Fprintln(p.in, perSecond, burst, perTick, int64(length))
	}
	total, asked := int64(0), int64(0)
	demand := length // how long every node had the processor to ask
	for i, p := range all {
		var admitted, tried, others, stalled int64
		if _, err := fmt.Fscan(p.out, &admitted, &tried, &others, &stalled); err != nil {
			t.Fatal(err)
		}
		t.Logf("node %d admits %d of %d, stalled for %s", i, admitted, tried, time.Duration(stalled))
		demand = min(demand, length-time.Duration(stalled))
		if others != 0 {
			t.Errorf("node %d decided %d times without Redis", i, others)
		}
		total, asked = total+admitted, asked+tried
	}
	took := time.Since(began)
	here := client(t, Config{Addresses: []string{server.Address}, Nodes: nodes})
	most := here.Limit("all", rate(t, perSecond, burst), Fast, Local).Bound(nodes, took)
	least := int64(math.Min(float64(asked), 0.95*(float64(burst)+perSecond*demand.Seconds())))
	t.Logf("%g/s, burst %d: admitted %d of %d in %s, at most %d, at least %d", perSecond, burst, total, asked, took, most, least)
	if total > most || total < least {
		t.Errorf("%g/s, burst %d: admitted %d; want from %d to %d", perSecond, burst, total, least, most)
	}
	for _, p := range all {
		_ = p.in.Close()
	}
}
