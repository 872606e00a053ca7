package route

import (
	"maps"
	"math/bits"
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

// pack lays a grown shape out. The leaves are renumbered by places, or kept if that is nil.
func (s *sprout) pack(places []int32) shape {
	p := packer{places: places, offsets: make(map[string]uint32)}
	p.add(s, node{})
	return shape{nodes: p.nodes, slots: p.slots, keys: p.keys.String()}
}

type packer struct {
	places  []int32
	nodes   []node
	slots   []slot
	keys    strings.Builder
	offsets map[string]uint32 // of the keys so far: the same words recur all over an API
}

// add appends a node and then all below it, depth first, so that what a search reads lies together.
func (p *packer) add(s *sprout, n node) uint32 {
	at := uint32(len(p.nodes))
	n.leaf, n.greedy = p.place(s.leaf), p.place(s.greedy)
	p.nodes = append(p.nodes, n)

	below := node{parent: at, params: n.params}
	if len(s.static) > 0 {
		n.firstSlot = uint32(len(p.slots))
		// Twice as many slots as children, so that a probe soon meets an empty one.
		if len(s.static) > 1 {
			n.slotMask = 1<<bits.Len(uint(2*len(s.static)-1)) - 1
		}
		p.slots = append(p.slots, make([]slot, n.slotMask+1)...)
		for _, key := range slices.Sorted(maps.Keys(s.static)) {
			n.longest = max(n.longest, uint16(len(key)))
			p.put(n, key, p.add(s.static[key], below))
		}
	}
	if s.param != nil {
		below.isParam = true
		below.params++
		n.param = p.add(s.param, below)
	}
	p.nodes[at] = n
	return at
}

func (p *packer) place(leaf int32) int32 {
	if leaf == none || p.places == nil {
		return leaf
	}
	return p.places[leaf]
}

// put notes a static child in its parent's table.
func (p *packer) put(parent node, key string, child uint32) {
	hash := hashSegment([]byte(key))
	i := hash
	for p.slots[parent.firstSlot+i&parent.slotMask].child != 0 {
		i++
	}
	p.slots[parent.firstSlot+i&parent.slotMask] = slot{
		hash: hash, child: child, key: p.keyOffset(key), size: uint32(len(key)),
	}
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
