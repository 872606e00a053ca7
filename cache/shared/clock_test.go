package shared

import (
	"testing"
	"time"
)

func TestClock(t *testing.T) {
	var c clock
	f := func(name string, told, before, after time.Duration, want bool) {
		t.Helper()
		if got := c.set(told, before, after); got != want {
			t.Errorf("%s: jumped is %t; want %t", name, got, want)
		}
	}
	const s = time.Second
	f("the first", 1000*s, 10*s, 10*s+s/10, false)
	if least, most := c.now(11 * s); least != 1001*s-s/10 || most != 1001*s {
		t.Errorf("got %s to %s; want 1000.9s to 1001s", least, most)
	}
	f("a second later", 1001*s, 11*s, 11*s+s/10, false)
	f("a slow answer", 1004*s, 12*s, 16*s, false)
	f("a little ahead", 1011*s, 20*s+s/2, 20*s+s/2, false)
	f("set back", 900*s, 22*s, 22*s, true)
	f("as it is now", 901*s, 23*s, 23*s, false)
	f("set forward", 2000*s, 24*s, 24*s, true)
}
