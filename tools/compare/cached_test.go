package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A program that asks its upstream again, or not at all, is not measured.
func TestExpectCached(t *testing.T) {
	count := "5"
	upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/cached/count" {
			t.Errorf("got a request for %s", r.URL.Path)
		}
		_, _ = io.WriteString(w, count)
	}))
	defer upstream.Close()
	l := &lab{origin: strings.TrimPrefix(upstream.URL, "http://")}
	f := func(want int, wantError string) {
		t.Helper()
		err := l.expectCached(context.Background(), want, "a program")
		if wantError == "" && err != nil || wantError != "" && (err == nil || !strings.Contains(err.Error(), wantError)) {
			t.Fatalf("of %s wanted %d: got %v; want %q", count, want, err, wantError)
		}
	}
	f(5, "")
	f(3, "a program made 2 requests to the upstream more than they should")
	f(6, "made -1 requests")
	count = "many"
	f(5, "invalid syntax")
	upstream.Close()
	f(5, "cannot ask the upstream")
}
