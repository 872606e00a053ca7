package plans

import "testing"

// TestRegistrySlots puts credentials into one slot, which digests do not.
func TestRegistrySlots(t *testing.T) {
	var r registry
	with := func(last byte) *credential {
		c := &credential{identity: new(Identity)}
		c.digest[31] = last
		return c
	}
	a, b, c := with(1), with(2), with(3)
	r.replace(nil, []*credential{a, b})
	r.replace(nil, []*credential{c})
	f := func(of *credential, want bool) {
		t.Helper()
		if got := r.find(&of.digest); (got != nil) != want || want && got.identity != of.identity {
			t.Fatalf("credential %d: got %v; want found %v", of.digest[31], got, want)
		}
	}
	f(a, true)
	f(b, true)
	f(c, true)
	r.replace([]*credential{b}, nil)
	f(a, true)
	f(b, false)
	f(c, true)
	d := with(4)
	r.replace([]*credential{a, c}, []*credential{d, with(1)})
	f(c, false)
	f(d, true)
	r.replace([]*credential{d, a}, nil)
	f(a, false)
	f(d, false)
}
