package main

import (
	"bytes"
	"strings"
	"testing"
)

func TestTheWholeSuitePassesThroughWeir(t *testing.T) {
	t.Parallel()
	var stdout, stderr bytes.Buffer
	if err := run(t.Context(), nil, &stdout, &stderr); err != nil {
		t.Fatalf("got %v, %s\n%s", err, stderr.String(), stdout.String())
	}
	t.Log(stdout.String())
}

func TestTell(t *testing.T) {
	t.Parallel()
	f := func(verdicts []verdict, optimal int, want, wrong string) {
		t.Helper()
		var out strings.Builder
		err := tell(&out, verdicts, false, optimal)
		if out.String() != want || (err == nil) != (wrong == "") || err != nil && err.Error() != wrong {
			t.Errorf("got %q and %v; want %q and %s", out.String(), err, want, wrong)
		}
	}
	pass, fail := verdict{ID: "a", Kind: "required", Outcome: "pass"}, verdict{ID: "b", Kind: "required", Outcome: "fail", Detail: "why"}
	nice := verdict{ID: "c", Kind: "optimal", Outcome: "pass"}
	f([]verdict{pass, nice}, 1, "required 1 of 1, optimal 1 of 1, checks answered yes 0 of 0\n", "")
	f([]verdict{pass, nice}, 2, "required 1 of 1, optimal 1 of 1, checks answered yes 0 of 0\n", "cannot pass: 1 optional tests pass, 2 have to")
	f([]verdict{fail}, 0, "required fail       b                                          why\nrequired 0 of 1, optimal 0 of 0, checks answered yes 0 of 0\n",
		"cannot pass: 1 required tests fail")
	f(nil, 0, "required 0 of 0, optimal 0 of 0, checks answered yes 0 of 0\n", "cannot tell anything: no test ran")
}
