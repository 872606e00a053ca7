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
	p := packer{places: places, offsets: make(map[string]uint32), tails: make(map[string]uint32)}
	p.add(s, node{})
	return shape{nodes: p.nodes, slots: p.slots, parts: p.parts, keys: p.keys.String()}
}

type packer struct {
	places  []int32
	nodes   []node
	slots   []slot
	parts   []part
	keys    strings.Builder
	offsets map[string]uint32 // of the keys so far: the same words recur all over an API
	tails   map[string]uint32 // where the tails so far begin in parts: so do they
}

// add appends a node and then all below it, depth first, so that what a search reads lies together.
func (p *packer) add(s *sprout, n node) uint32 {
	at := uint32(len(p.nodes))
	if at > 0 { // nothing leads to the root
		s = p.addTail(s, &n)
	}
	n.leaf, n.greedy = p.place(s.leaf), p.place(s.greedy)
	p.nodes = append(p.nodes, n)

	if count := len(s.static); count > 1 {
		n.firstSlot = uint32(len(p.slots))
		// At least twice as many slots as children, so that a probe soon meets an empty one.
		n.slotBits = uint8(bits.Len(uint(2*count - 1)))
		p.slots = append(p.slots, make([]slot, 1<<n.slotBits)...)
	}
	for _, key := range slices.Sorted(maps.Keys(s.static)) {
		n.longest = max(n.longest, uint16(len(key)))
		below := node{parent: at, params: n.params, keySize: uint16(len(key))}
		if copy(below.here[:], key) < len(key) {
			below.key = p.keyOffset(key)
		}
		child := p.add(s.static[key], below)
		if n.slotBits > 0 {
			p.put(n, hashSegment([]byte(key)), child)
		}
	}
	if s.param != nil {
		n.param = p.add(s.param, node{parent: at, params: n.params + 1})
	}
	p.nodes[at] = n
	return at
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

// put notes a static child in its parent's table.
func (p *packer) put(parent node, hash, child uint32) {
	table := p.slots[parent.firstSlot:][:1<<parent.slotBits]
	i := hash & uint32(len(table)-1)
	for table[i].child != 0 {
		i = (i + 1) & uint32(len(table)-1)
	}
	table[i] = slot{hash: hash, child: child}
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
