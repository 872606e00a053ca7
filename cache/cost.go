package cache

import "unsafe"

// What is taken for each slot beside what it refers to: by ristretto's two maps,
// measured (TestCostIsMemory), and by the sweep's list.
const bookkeeping = 150 + 8

// costNow returns the bytes of memory that a slot takes, 0 where nothing is in it.
// The lock of its part is held.
func (s *slot) costNow() int64 {
	list := s.list()
	if len(list) == 0 {
		return 0
	}
	a := s.address
	cost := bookkeeping + roundUp(unsafe.Sizeof(*s)) + roundUp(unsafe.Sizeof(*a)) + roundUp(uintptr(cap(a.full))) +
		roundUp(unsafe.Sizeof(variants{}))
	if len(list) > 1 {
		cost += roundUp(uintptr(cap(list)) * unsafe.Sizeof(list[0]))
	}
	for _, e := range list {
		cost += e.place.cost
	}
	return cost
}

// cost returns the bytes of memory that an entry takes, its body included.
func (e *Entry) cost() int64 {
	cost := roundUp(unsafe.Sizeof(*e)) + roundUp(unsafe.Sizeof(*e.place)) +
		roundUp(uintptr(cap(e.Lines))) + roundUp(uintptr(cap(e.Terms.ETag))) + roundUp(uintptr(cap(e.place.selected))) +
		roundUp(uintptr(cap(e.Vary))*unsafe.Sizeof("")) + roundUp(uintptr(cap(e.Tags))*unsafe.Sizeof([]byte{})) +
		roundUp(uintptr(cap(e.place.tags))*8)
	for _, name := range e.Vary {
		cost += roundUp(uintptr(len(name)))
	}
	for _, tag := range e.Tags {
		cost += roundUp(uintptr(cap(tag)))
	}
	if e.Body != nil {
		cost += e.Body.Cost()
	}
	return cost
}

// classes are the sizes that Go's allocator has: what is smaller gets the next
// one. Beyond them it gives whole pages (TestRoundUp compares them).
var classes = [...]uint16{
	8, 16, 24, 32, 48, 64, 80, 96, 112, 128, 144, 160, 176, 192, 208, 224, 240, 256, 288, 320, 352, 384, 416, 448, 480,
	512, 576, 640, 704, 768, 896, 1024, 1152, 1280, 1408, 1536, 1792, 2048, 2304, 2688, 3072, 3200, 3456, 4096, 4864,
	5376, 6144, 6528, 6784, 6912, 8192, 9472, 9728, 10240, 10880, 12288, 13568, 14336, 16384, 18432, 19072, 20480,
	21760, 24576, 27264, 28672, 32768,
}

// roundUp returns what the allocator gives for so many bytes.
func roundUp(size uintptr) int64 {
	const page = 8192
	if size == 0 {
		return 0
	}
	if size > 32768 {
		return int64((size + page - 1) &^ (page - 1))
	}
	low, high := 0, len(classes)-1
	for low < high {
		if middle := (low + high) / 2; uintptr(classes[middle]) < size {
			low = middle + 1
		} else {
			high = middle
		}
	}
	return int64(classes[low])
}
