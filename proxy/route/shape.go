package route

import "bytes"

// none is the leaf of a place where no pattern ends.
const none = -1

// shape is a trie of path segments, packed into arrays without pointers. It is immutable.
// As a step down takes fixed segments and parameters of one segment only, a node can be reached with one part of the
// path only: a search visits it at most once, however often it turns back. Its work is bounded by the nodes and the
// length of what leads to them, not by the ways to read a path.
type shape struct {
	nodes []node // the root comes first, and each node before all that is below it
	seeds []uint16
	parts []part
	keys  string
	salt  uint64 // of the hash
}

// node is a place where the ways of patterns part or end. From its parent one segment leads here, and after that a tail
// of segments where nothing parts nor ends. It takes one cache line, with its key inside if that is not long: with
// many routes a search waits for memory and for little else (BenchmarkFindRatio). The zero value is a gap: no key.
type node struct {
	parent     uint32
	param      uint32 // child for a {param}; 0: none, as the root is nobody's child
	leaf       int32  // where the patterns that end here are
	greedy     int32  // where the patterns that end in a greedy parameter after here are
	firstChild uint32 // static children lie together, with gaps, each at the place that the hash of its key gives
	places     uint32 // of static children and gaps
	firstSeed  uint32 // of 1<<seedBits, if there are several places
	tail       uint32 // where its tail begins in parts
	key        uint32 // where its segment begins in keys, if it is too long for here
	keySize    uint16 // 0: it is its parent's param child, or the root, or a gap
	longest    uint16 // bytes of the longest static child; 0: there are none
	seedBits   uint8
	params     uint8 // parameters on the way to here
	tailParts  uint8
	tailSteps  uint8 // segments of the tail
	here       [hereBytes]byte
}

const hereBytes = 64 - 44

// part is a piece of a tail: one parameter, or "/a" or "/a/b" between two. Nodes with equal tails share the parts.
type part struct {
	text uint32 // where it begins in keys
	size uint16 // 0: a parameter
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
		if child := s.static(at, w.path[pos+1:next]); child != 0 {
			if after := s.follow(w, child, next, n.params); after >= 0 {
				at, pos = child, after
				continue
			}
		}
		after := s.stepParam(w, n, pos, next)
		if after < 0 {
			w.pos, w.node = pos, at
			return w.greedy(n, pos)
		}
		at, pos = n.param, after
	}
}

// stepParam takes the node's {param} child for the segment path[pos+1:next]. It returns where in the path that ends,
// or -1 if there is no such child or the path goes another way.
func (s *shape) stepParam(w *walk, n *node, pos, next int) int {
	if n.param == 0 || next == pos+1 {
		return -1
	}
	w.p.spans[n.params&(MaxParams-1)] = span{uint32(pos + 1), uint32(next)}
	return s.follow(w, n.param, next, n.params+1)
}

// follow returns where in the path the tail of a node ends that begins at pos, or -1 if the path goes another way.
// params is how many parameters there are before the tail.
func (s *shape) follow(w *walk, at uint32, pos int, params uint8) int {
	n := &s.nodes[at]
	if n.tailParts == 0 {
		return pos
	}
	for _, part := range s.parts[n.tail:][:n.tailParts] {
		if part.size > 0 {
			after := pos + int(part.size)
			if after > w.end || string(w.path[pos:after]) != s.keys[part.text:][:part.size] ||
				(after < w.end && w.path[after] != '/') {
				return -1
			}
			pos = after
			continue
		}
		if pos == w.end {
			return -1
		}
		next := w.end
		if i := bytes.IndexByte(w.path[pos+1:w.end], '/'); i >= 0 {
			next = pos + 1 + i
		}
		if next == pos+1 {
			return -1
		}
		w.p.spans[params&(MaxParams-1)] = span{uint32(pos + 1), uint32(next)}
		params++
		pos = next
	}
	return pos
}

// climb goes up to the nearest place that has a less specific way to go. If that is a parameter it takes the step and
// reports a turn: the search may descend again. If it is greedy that is the leaf.
func (s *shape) climb(w *walk) (leaf int32, turned bool) {
	for w.node != 0 {
		n := &s.nodes[w.node]
		parent := &s.nodes[n.parent]
		next := w.pos
		for range n.tailSteps {
			next = bytes.LastIndexByte(w.path[:next], '/')
		}
		pos := bytes.LastIndexByte(w.path[:next], '/')
		if n.keySize > 0 {
			if after := s.stepParam(w, parent, pos, next); after >= 0 {
				w.node, w.pos = parent.param, after
				return none, true
			}
		}
		w.node, w.pos = n.parent, pos
		if leaf := w.greedy(parent, pos); leaf != none {
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
	child := n.firstChild
	if n.places > 1 {
		hash := hashSegment(segment, s.salt)
		child += place(hash, s.seeds[n.firstSeed+bucket(hash, n.seedBits)], n.places)
	}
	if s.hasKey(child, segment) {
		return child
	}
	return 0
}

func (s *shape) hasKey(at uint32, segment []byte) bool {
	n := &s.nodes[at]
	if len(segment) != int(n.keySize) {
		return false
	}
	if len(segment) <= hereBytes {
		return string(n.here[:len(segment)]) == string(segment)
	}
	return s.keys[n.key:][:n.keySize] == string(segment)
}
