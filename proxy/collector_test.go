package proxy

import "testing"

func TestGrowthFor(t *testing.T) {
	f := func(live int64, want int) {
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

func TestLimitFor(t *testing.T) {
	f := func(others, size, want int64) {
		t.Helper()
		if got := limitFor(others<<20, 64<<20, size<<20); got != want<<20 {
			t.Fatalf("limitFor(%d, %d): got %d; want %d", others, size, got>>20, want)
		}
	}
	f(0, 16, 128)
	f(32, 16, 128)
	f(100, 16, 128+2*68)
	f(32, 512, 528)
	f(100, 512, 528+2*68)
	f(100, 4096, 4096+128)
}
