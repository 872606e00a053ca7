//go:build !race

package cache

import "testing"

func TestAllocsOfAFollower(t *testing.T) {
	c := openCache(t, 64<<20)
	k := keyAt("/")
	f := leads(t, c, k, fields{}, nil)
	defer f.Fail(nil)
	s := Selector(fields{})
	w := make(signal, 1)
	if got := testing.AllocsPerRun(100, func() {
		f, _ := c.Begin(k, s, nil)
		f.Watch(w)
		f.State()
		f.Unwatch(w)
		f.Leave()
	}); got != 0 {
		t.Errorf("a follower allocates %v times; want 0", got)
	}
}
