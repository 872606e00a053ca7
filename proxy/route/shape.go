package route

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// none is the leaf of a place where no pattern ends.
const none = -1

// shape is a trie of path segments, packed into three arrays without pointers. It is immutable.
// As a step down takes exactly one segment, a node can be reached with one part of the path only: a search visits it
// at most once, however often it turns back. Its work is bounded by the nodes, not by the ways to read a path.
type shape struct {
	nodes []node // the root comes first, and each node before all that is below it
	slots []slot
	keys  string
}

// node takes half a cache line: with many routes a search waits for memory and for little else.
type node struct {
	key       uint32 // where its segment begins in keys, if it is a static child
	parent    uint32
	param     uint32 // child for a {param}; 0: none, as the root is nobody's child
	leaf      int32  // where the patterns that end here are
	greedy    int32  // where the patterns that end in a greedy parameter after here are
	firstSlot uint32 // of the hash table of its static children
	keySize   uint16
	longest   uint16 // bytes of the longest static child; 0: there are none
	slotBits  uint8  // the table has 1<<slotBits slots; 0: there is no table, as the next node is the only static child
	params    uint8  // parameters on the way to here
	isParam   bool   // it is its parent's param child
}

type slot struct {
	hash  uint32
	child uint32 // 0: empty
}

// walk is the state of one search. It needs no stack: the nodes know their parents, and the path its slashes.
type walk struct {
	path []byte
	end  int    // of the path without its trailing slash
	pos  int    // of the slash before the next segment; end when there is none
	node uint32 // reached by path[:pos]
	p    *Params
}

// newWalk begins at the root. The path must begin with a slash.
func newWalk(path []byte, p *Params) walk {
	end := len(path)
	if path[end-1] == '/' {
		end--
	}
	return walk{path: path, end: end, p: p}
}

// first returns the most specific leaf that matches the path, or none.
func (s *shape) first(w *walk) int32 {
	if leaf := s.descend(w); leaf != none {
		return leaf
	}
	return s.next(w)
}

// next returns the next less specific leaf that matches the path, or none.
func (s *shape) next(w *walk) int32 {
	for {
		leaf, turned := s.climb(w)
		if !turned {
			return leaf
		}
		if leaf := s.descend(w); leaf != none {
			return leaf
		}
	}
}

// descend follows the path down by the most specific child at each step. It ends at a leaf, or at none in a dead end.
func (s *shape) descend(w *walk) int32 {
	pos, at := w.pos, w.node
	for {
		n := &s.nodes[at]
		if pos == w.end {
			w.pos, w.node = pos, at
			return n.leaf
		}
		next := w.end
		if i := bytes.IndexByte(w.path[pos+1:w.end], '/'); i >= 0 {
			next = pos + 1 + i
		}
		child := s.static(at, w.path[pos+1:next])
		if child == 0 {
			if n.param == 0 || next == pos+1 {
				w.pos, w.node = pos, at
				return w.greedy(n, pos)
			}
			w.p.spans[n.params&(MaxParams-1)] = span{uint32(pos + 1), uint32(next)}
			child = n.param
		}
		at, pos = child, next
	}
}

// climb goes up to the nearest place that has a less specific way to go. If that is a parameter it takes the step and
// reports a turn: the search may descend again. If it is greedy that is the leaf.
func (s *shape) climb(w *walk) (leaf int32, turned bool) {
	for w.node != 0 {
		n := &s.nodes[w.node]
		parent := &s.nodes[n.parent]
		end := w.pos
		w.pos = bytes.LastIndexByte(w.path[:end], '/')
		if !n.isParam && parent.param != 0 {
			w.p.spans[parent.params&(MaxParams-1)] = span{uint32(w.pos + 1), uint32(end)}
			w.node, w.pos = parent.param, end
			return none, true
		}
		w.node = n.parent
		if leaf := w.greedy(parent, w.pos); leaf != none {
			return leaf, false
		}
	}
	return none, false
}

// greedy returns the node's greedy leaf if anything but slashes is left of the path after pos.
func (w *walk) greedy(n *node, pos int) int32 {
	if n.greedy == none || pos == w.end {
		return none
	}
	for i := pos + 1; i < w.end; i++ {
		if w.path[i] != '/' {
			w.p.spans[n.params&(MaxParams-1)] = span{uint32(pos + 1), uint32(len(w.path))}
			return n.greedy
		}
	}
	return none
}

// static returns the child of a node for a segment, or 0. A segment longer than every child is not even hashed.
func (s *shape) static(at uint32, segment []byte) uint32 {
	n := &s.nodes[at]
	if uint(len(segment)-1) >= uint(n.longest) { // also true of an empty segment
		return 0
	}
	if n.slotBits == 0 {
		if s.key(at+1) == string(segment) {
			return at + 1
		}
		return 0
	}
	hash := hashSegment(segment)
	table := s.slots[n.firstSlot:][:1<<n.slotBits]
	for i := hash; ; i++ {
		c := table[i&uint32(len(table)-1)]
		if c.child == 0 {
			return 0
		}
		if c.hash == hash && s.key(c.child) == string(segment) {
			return c.child
		}
	}
}

func (s *shape) key(at uint32) string {
	n := &s.nodes[at]
	return s.keys[n.key:][:n.keySize]
}

// hashSegment need not withstand hostile paths: only patterns are stored, in tables that are at most half full.
func hashSegment(b []byte) uint32 {
	const odd1, odd2 = 0x9e3779b97f4a7c15, 0xd6e8feb86659fd93
	h := uint64(len(b)) * odd1
	for len(b) >= 8 {
		h = fold(h^binary.LittleEndian.Uint64(b), odd2)
		b = b[8:]
	}
	var tail uint64
	switch n := len(b); {
	case n >= 4:
		tail = uint64(binary.LittleEndian.Uint32(b)) | uint64(binary.LittleEndian.Uint32(b[n-4:]))<<32
	case n > 0:
		tail = uint64(b[0]) | uint64(b[n>>1])<<8 | uint64(b[n-1])<<16
	}
	return uint32(fold(h^tail, odd1))
}

func fold(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	return high ^ low
}
