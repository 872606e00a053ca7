package plans

import (
	"encoding/binary"
	"fmt"
)

// pages is the content of a bbolt file. Its check goes before bbolt's own, which
// follows offsets out of the file in a goroutine where a fault ends the process.
type pages struct {
	content  []byte
	pageSize uint64
	seen     map[uint64]bool
}

// What bbolt's file format has: sizes in bytes, and flags.
const (
	pageHeader    = 16 // id, flags, count, overflow
	pageElement   = 16
	bucketHeader  = 16 // root, sequence
	branchPage    = 0x01
	leafPage      = 0x02
	bucketElement = 0x01
)

// check follows the tree of a bucket whose root is page id, and tells whether
// all that it points to lies within its page, and all pages within the file.
func (p *pages) check(id uint64) error {
	switch {
	case p.pageSize < pageHeader || id < 2 || id >= uint64(len(p.content))/p.pageSize:
		return fmt.Errorf("page %d is not in the file", id)
	case p.seen[id]:
		return fmt.Errorf("page %d is in two places", id)
	}
	p.seen[id] = true
	page := p.content[id*p.pageSize:]
	if own := binary.NativeEndian.Uint64(page); own != id {
		return fmt.Errorf("page %d says it is page %d", id, own)
	}
	size := (uint64(binary.NativeEndian.Uint32(page[12:])) + 1) * p.pageSize
	if size > uint64(len(page)) {
		return fmt.Errorf("page %d ends after the file", id)
	}
	return p.checkPage(id, page[:size])
}

// checkPage checks what is in a page, which stands by itself or in an element of
// page id.
func (p *pages) checkPage(id uint64, page []byte) error {
	if len(page) < pageHeader {
		return fmt.Errorf("page %d has too short a bucket", id)
	}
	flags, count := binary.NativeEndian.Uint16(page[8:]), int(binary.NativeEndian.Uint16(page[10:]))
	if flags != branchPage && flags != leafPage || pageHeader+count*pageElement > len(page) || flags == branchPage && count == 0 {
		return fmt.Errorf("page %d is no part of a tree", id)
	}
	for n := range count {
		element := page[pageHeader+n*pageElement:]
		if err := p.checkElement(element, flags); err != nil {
			return fmt.Errorf("element %d of page %d: %w", n, id, err)
		}
	}
	return nil
}

// checkElement checks an element, after which comes the rest of its page, and
// what it points to.
func (p *pages) checkElement(element []byte, flags uint16) error {
	word := func(at int) uint64 { return uint64(binary.NativeEndian.Uint32(element[at:])) }
	if flags == branchPage {
		if word(0)+word(4) > uint64(len(element)) {
			return fmt.Errorf("its key ends after the page")
		}
		return p.check(binary.NativeEndian.Uint64(element[8:]))
	}
	value := word(4) + word(8)
	end := value + word(12)
	if end > uint64(len(element)) {
		return fmt.Errorf("its record ends after the page")
	}
	if word(0)&bucketElement == 0 {
		return nil
	}
	bucket := element[value:end]
	if len(bucket) < bucketHeader {
		return fmt.Errorf("it is too short for a bucket")
	}
	if root := binary.NativeEndian.Uint64(bucket); root != 0 {
		return p.check(root)
	}
	inline := bucket[bucketHeader:]
	if len(inline) >= pageHeader && binary.NativeEndian.Uint16(inline[8:]) != leafPage {
		return fmt.Errorf("its bucket is none that a page can hold")
	}
	return p.checkPage(0, inline)
}
