package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"
)

// The test binary is the program that runs inside the network of its own.
func TestMain(m *testing.M) {
	if isInside() {
		main()
		return
	}
	os.Exit(m.Run())
}

func perCase(cell string) string {
	var b strings.Builder
	for _, name := range allCases() {
		b.WriteString("| " + name + " |" + cell + "\n")
	}
	return b.String()
}

// What passes directly is what can be asked of weir.
func TestEveryCasePassesDirectly(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-ways", "direct,direct-tls"}, &stdout, &stderr)
	want := "| case | direct | direct-tls |\n|---|---|---|\n" + perCase(" pass | pass |")
	if err != nil || stdout.String() != want {
		t.Fatalf("got %v, %s and\n%s\nwant\n%s", err, stderr.String(), stdout.String(), want)
	}
}

func TestEveryCasePassesThroughWeir(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-ways", "h2c,tls,web,web-tls"}, &stdout, &stderr)
	want := "| case | h2c | tls | web | web-tls |\n|---|---|---|---|---|\n" + perCase(" pass | pass | pass | pass |")
	if err != nil || stdout.String() != want {
		t.Fatalf("got %v, %s and\n%s\nwant\n%s", err, stderr.String(), stdout.String(), want)
	}
}

func TestBrowsersPassThroughWeir(t *testing.T) {
	t.Parallel()
	f := func(t *testing.T, way, browsers string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), []string{"-ways", way, "--", "sh", "-c", "NODE_EXTRA_CA_CERTS=$WEIR_CA exec node web/run.mjs"}, &stdout, &stderr)
		if err != nil || stdout.String() != browsers {
			t.Fatalf("%s: got %v, %s%s; want %s", way, err, stderr.String(), stdout.String(), browsers)
		}
	}
	const all = "40 of 40 cases of gRPC-Web pass\n"
	for _, way := range []string{"web", "web-tls"} {
		t.Run(way, func(t *testing.T) {
			t.Parallel()
			f(t, way, all)
		})
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	err := run(t.Context(), []string{"-ways", "direct", "-cases", "ping_pong", "-patience", "1ns"}, &stdout, &stderr)
	if err == nil || !strings.Contains(stdout.String(), "| ping_pong | FAIL |") ||
		!strings.Contains(stderr.String(), "direct, ping_pong: it did not end in time") {
		t.Fatalf("got %v, %s and\n%s\nwant a failure that is told", err, stderr.String(), stdout.String())
	}
}

func TestAnotherProgramFindsTheWay(t *testing.T) {
	t.Parallel()
	f := func(way, want string) {
		t.Helper()
		var stdout, stderr bytes.Buffer
		err := run(t.Context(), []string{"-ways", way, "--", "sh", "-c", "echo $WEIR_URL"}, &stdout, &stderr)
		if err != nil || stdout.String() != want {
			t.Fatalf("%s: got %v, %s%s; want %s", way, err, stderr.String(), stdout.String(), want)
		}
	}
	f("direct", "http://127.0.0.1:10000\n")
	f("direct-tls", "https://localhost:10001\n")
}

func TestRunRefusesWhatItCannotDo(t *testing.T) {
	f := func(want string, args ...string) {
		t.Helper()
		err := run(context.Background(), args, io.Discard, io.Discard)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Fatalf("%q: got %v; want %s", args, err, want)
		}
	}
	f(`cannot find way "up": there are direct, direct-tls`, "-ways", "up")
	f(`cannot find case "luck": there are empty_unary`, "-cases", "luck")
	f(`cannot run "x" on 6 ways: name one by -ways`, "x")
	f(`cannot find "grpc-interop-client": tools/setup.sh grpc-interop-client installs it`, "-bin", "/nowhere")
}
