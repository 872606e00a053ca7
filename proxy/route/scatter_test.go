package route

import (
	"encoding/binary"
	"strings"
	"testing"
	"unsafe"

	"pgregory.net/rapid"
)

func TestNodeIsOneCacheLine(t *testing.T) {
	if got := unsafe.Sizeof(node{}); got != 64 {
		t.Fatalf("node: got %d bytes; want 64", got)
	}
}

func TestScatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Narrow hashes fill some buckets far more than others.
		width := rapid.SampledFrom([]int{8, 16, 64}).Draw(t, "width")
		hash := rapid.Custom(func(t *rapid.T) uint64 {
			return fold(rapid.Uint64().Draw(t, "hash"), odd1) &^ (1<<(64-width) - 1)
		})
		hashes := rapid.SliceOfNDistinct(hash, 2, 200, rapid.ID).Draw(t, "hashes")
		places, placed, seeds, ok := scatter(hashes)
		if !ok {
			if width == 64 {
				t.Fatalf("scatter(%x): got no way; want one", hashes)
			}
			return
		}
		seen := map[uint32]uint64{}
		for i, hash := range hashes {
			at := place(hash, seeds[bucket(hash, seedBitsOf(len(hashes)))], places)
			if at != placed[i] || at >= places {
				t.Fatalf("scatter(%x): %x is at %d; want %d, below %d", hashes, hash, at, placed[i], places)
			}
			if other, ok := seen[at]; ok {
				t.Fatalf("scatter(%x): %x and %x are both at %d; want one", hashes, hash, other, at)
			}
			seen[at] = hash
		}
	})
	if _, _, _, ok := scatter([]uint64{7, 1, 7}); ok {
		t.Fatal("scatter of equal hashes: got a way; want none")
	}
}

// collidingKeys returns keys with one hash under the salt 0: each second half cancels what the hash made of the first.
func collidingKeys(t *testing.T, count int) (keys []string) {
	t.Helper()
	for i := uint64(0); len(keys) < count; i++ {
		key := binary.LittleEndian.AppendUint64(nil, 0x4141414141414141+i<<8)
		size := uint64(16)
		key = binary.LittleEndian.AppendUint64(key, fold(size*odd1^binary.LittleEndian.Uint64(key), odd2))
		if strings.IndexByte(string(key), '/') < 0 {
			keys = append(keys, string(key))
		}
	}
	for _, key := range keys {
		if got, want := hashSegment([]byte(key), 0), hashSegment([]byte(keys[0]), 0); got != want {
			t.Fatalf("hashSegment(%q): got %x; want %x, a collision", key, got, want)
		}
	}
	return keys
}

// TestPackHashCollision packs children that no seed can tell apart.
func TestPackHashCollision(t *testing.T) {
	root, keys := newSprout(), append(collidingKeys(t, 5), "beside")
	for i, key := range keys {
		*root.grow([]segment{{kind: static, key: key}}) = int32(i)
	}
	s := root.pack(nil)
	if s.salt == 0 {
		t.Fatal("got the salt 0; want another one")
	}
	f := func(key string, want int32) {
		t.Helper()
		var p Params
		w := newWalk([]byte("/"+key), &p)
		if got := s.first(&w); got != want {
			t.Fatalf("%q: got leaf %d; want %d", key, got, want)
		}
	}
	for i, key := range keys {
		f(key, int32(i))
	}
	f(collidingKeys(t, 6)[5], none)
}
