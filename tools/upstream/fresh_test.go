package main

import "testing"

func TestAnswersForCachesAreCounted(t *testing.T) {
	address := start(t, "127.0.0.1:0").String()
	f := func(path, wantControl, wantTag, want string) {
		t.Helper()
		answer, body, err := get(t, address, path)
		if err != nil {
			t.Fatalf("%s: got %v; want an answer", path, err)
		}
		control, tag := answer.Header.Get("Cache-Control"), answer.Header.Get("ETag")
		if control != wantControl || tag != wantTag || string(body) != want {
			t.Fatalf("%s: got %q with %q and %q; want %q with %q and %q", path, body, control, tag, want, wantControl, wantTag)
		}
	}
	f("/cached/count", "no-store", "", "0")
	f("/cached/3", "max-age=3600", `"1"`, "012")
	f("/cached/3/name", "max-age=3600", `"2"`, "012")
	f("/size/3", "", "", "012")
	f("/cached/count", "no-store", "", "2")
}
