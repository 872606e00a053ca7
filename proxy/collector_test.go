package proxy

import "testing"

func TestGrowthFor(t *testing.T) {
	f := func(live uint64, want int) {
		t.Helper()
		if got := growthFor(live, 64<<20); got != want {
			t.Fatalf("growthFor(%d): got %d; want %d", live, got, want)
		}
	}
	f(0, 400)
	f(4<<20, 400)
	f(32<<20, 200)
	f(64<<20, 100)
	f(1<<30, 100)
}
