//go:build !race

package hpack

import "testing"

func TestAllocNothing(t *testing.T) {
	blocks := requestBlocks(64)
	d := NewDecoder(DefaultTableSize)
	var fields Fields
	i := 0
	decode := func() {
		fields.Reset(16 << 10)
		if err := d.Decode(blocks[i%len(blocks)], &fields); err != nil {
			t.Fatal(err)
		}
		i++
	}
	for range blocks {
		decode()
	}
	d = NewDecoder(DefaultTableSize)
	i = 0
	for range 20 {
		decode()
	}
	// The blocks are those of one connection: each is decoded once.
	if got := testing.AllocsPerRun(len(blocks)-22, decode); got != 0 {
		t.Errorf("decoding: got %v allocations; want none", got)
	}
	e := NewEncoder(DefaultTableSize)
	out := make([]byte, 0, 4<<10)
	encode := func() { out = appendAnswer(&e, out[:0], i); i++ }
	for range 200 {
		encode()
	}
	if got := testing.AllocsPerRun(200, encode); got != 0 {
		t.Errorf("encoding: got %v allocations; want none", got)
	}
}
