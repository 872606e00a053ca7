package route

import (
	"maps"
	"slices"
	"strings"
)

// sprout is a shape while it grows.
type sprout struct {
	static map[string]*sprout
	param  *sprout
	leaf   int32
	greedy int32
}

func newSprout() *sprout { return &sprout{leaf: none, greedy: none} }

// grow returns where the leaf of the pattern with these segments is noted, none if there is none yet.
func (s *sprout) grow(segments []segment) *int32 {
	for _, g := range segments {
		switch g.kind {
		case greedy:
			return &s.greedy
		case param:
			if s.param == nil {
				s.param = newSprout()
			}
			s = s.param
		case static:
			child := s.static[g.key]
			if child == nil {
				if s.static == nil {
					s.static = make(map[string]*sprout)
				}
				child = newSprout()
				s.static[strings.Clone(g.key)] = child
			}
			s = child
		}
	}
	return &s.leaf
}

// sole returns the only sprout after s and its segment, if nothing parts or ends at s.
func (s *sprout) sole() (after *sprout, g segment, ok bool) {
	if s.leaf != none || s.greedy != none || len(s.static) > 1 || (len(s.static) == 1) == (s.param != nil) {
		return nil, segment{}, false
	}
	for key, child := range s.static {
		return child, segment{kind: static, key: key}, true
	}
	return s.param, segment{kind: param}, true
}

// pack lays a grown shape out. The leaves are renumbered by places, or kept if that is nil.
func (s *sprout) pack(places []int32) shape {
	for salt := uint64(0); ; salt += odd1 {
		p := packer{places: places, salt: salt, offsets: make(map[string]uint32), tails: make(map[string]uint32)}
		p.nodes = make([]node, 1)
		if p.put(0, s, node{}) {
			return shape{nodes: p.nodes, seeds: p.seeds, parts: p.parts, keys: p.keys.String(), salt: salt}
		}
	}
}

type packer struct {
	places  []int32
	salt    uint64
	nodes   []node
	seeds   []uint16
	parts   []part
	keys    strings.Builder
	offsets map[string]uint32 // of the keys so far: the same words recur all over an API
	tails   map[string]uint32 // where the tails so far begin in parts: so do they
}

// put makes s the node at a place and appends all below it. It is not ok if it needs another salt.
func (p *packer) put(at uint32, s *sprout, n node) (ok bool) {
	if at > 0 { // nothing leads to the root
		s = p.addTail(s, &n)
	}
	n.leaf, n.greedy = p.place(s.leaf), p.place(s.greedy)
	if s.param != nil {
		n.param = p.reserve(1)
		if !p.put(n.param, s.param, node{parent: at, params: n.params + 1}) {
			return false
		}
	}
	if len(s.static) > 0 && !p.putStatic(at, s.static, &n) {
		return false
	}
	p.nodes[at] = n
	return true
}

// putStatic appends the static children of n, which will be the node at a place.
func (p *packer) putStatic(at uint32, static map[string]*sprout, n *node) (ok bool) {
	keys := slices.Sorted(maps.Keys(static))
	placed := []uint32{0}
	n.places = 1
	if len(keys) > 1 {
		hashes := make([]uint64, len(keys))
		for i, key := range keys {
			hashes[i] = hashSegment([]byte(key), p.salt)
		}
		var seeds []uint16
		if n.places, placed, seeds, ok = scatter(hashes); !ok {
			return false
		}
		n.firstSeed, n.seedBits = uint32(len(p.seeds)), seedBitsOf(len(keys))
		p.seeds = append(p.seeds, seeds...)
	}
	n.firstChild = p.reserve(n.places)
	for i, key := range keys {
		n.longest = max(n.longest, uint16(len(key)))
		below := node{parent: at, params: n.params, keySize: uint16(len(key))}
		if copy(below.here[:], key) < len(key) {
			below.key = p.keyOffset(key)
		}
		if !p.put(n.firstChild+placed[i], static[key], below) {
			return false
		}
	}
	return true
}

func (p *packer) reserve(count uint32) (first uint32) {
	first = uint32(len(p.nodes))
	p.nodes = append(p.nodes, make([]node, count)...)
	return first
}

// addTail gives a node the segments after s where nothing parts nor ends. It returns where they lead to.
func (p *packer) addTail(s *sprout, n *node) *sprout {
	var texts []string // "" is a parameter
	id := ""           // the tail as a path whose parameters are empty segments
	for {
		after, g, ok := s.sole()
		if !ok {
			break
		}
		id += "/" + g.key
		switch {
		case g.kind == param:
			texts = append(texts, "")
			n.params++
		case len(texts) > 0 && texts[len(texts)-1] != "":
			texts[len(texts)-1] += "/" + g.key
		default:
			texts = append(texts, "/"+g.key)
		}
		n.tailSteps++
		s = after
	}
	n.tailParts = uint8(len(texts))
	n.tail = p.tailOffset(id, texts)
	return s
}

func (p *packer) tailOffset(id string, texts []string) uint32 {
	offset, ok := p.tails[id]
	if !ok {
		offset = uint32(len(p.parts))
		p.tails[id] = offset
		for _, text := range texts {
			p.parts = append(p.parts, part{text: p.keyOffset(text), size: uint16(len(text))})
		}
	}
	return offset
}

func (p *packer) place(leaf int32) int32 {
	if leaf == none || p.places == nil {
		return leaf
	}
	return p.places[leaf]
}

func (p *packer) keyOffset(key string) uint32 {
	offset, ok := p.offsets[key]
	if !ok {
		offset = uint32(p.keys.Len())
		p.offsets[key] = offset
		p.keys.WriteString(key)
	}
	return offset
}
