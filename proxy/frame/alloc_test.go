//go:build !race

package frame

import "testing"

func TestAllocNothing(t *testing.T) {
	b := make([]byte, 0, 1<<10)
	field := []byte(`u=1, i, a="b"`)
	p := DefaultPeer()
	work := func() {
		b = AppendSettings(b[:0], Setting{TableSize, 1}, Setting{MaxFrame, MinMaxFrame})
		h := Parse(b)
		if h.Check(MinMaxFrame) != NoError || p.Apply(b[HeaderLen:]) != NoError || ParseUrgency(field).Level != 1 {
			t.Fatal("not taken")
		}
		b = AppendWindowUpdate(AppendRSTStream(AppendGoAway(b[:0], 1, NoError, "bye"), 1, Cancel), 1, 1)
	}
	if got := testing.AllocsPerRun(1000, work); got != 0 {
		t.Errorf("got %v allocations; want none", got)
	}
}
