package h2

import (
	"testing"

	"pgregory.net/rapid"
)

// TestTable holds the table against a map.
func TestTable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var table table
		model := make(map[uint32]*stream)
		next := uint32(1)
		for range rapid.IntRange(1, 80).Draw(t, "steps") {
			if rapid.Bool().Draw(t, "put") {
				next += 2 * rapid.Uint32Range(0, 40).Draw(t, "skip")
				s := &stream{id: next}
				table.put(s)
				model[next] = s
				next += 2
			} else if len(model) > 0 {
				ids := make([]uint32, 0, len(model))
				for id := uint32(1); id < next; id += 2 {
					if model[id] != nil {
						ids = append(ids, id)
					}
				}
				id := rapid.SampledFrom(ids).Draw(t, "gone")
				table.remove(model[id])
				delete(model, id)
			}
			if table.count != len(model) {
				t.Fatalf("got %d streams; want %d", table.count, len(model))
			}
			for id := uint32(1); id < next; id += 2 {
				if table.get(id) != model[id] {
					t.Fatalf("stream %d: got %v; want %v", id, table.get(id), model[id])
				}
			}
		}
	})
}
