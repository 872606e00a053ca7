package cache

import (
	"encoding/binary"
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// longestLog is how many purges may stand in the log, through all of which an
// entry is taken once after each purge. Those beyond it concern more than was
// asked for.
const longestLog = 256

// purges number the purges and tell what they concern. A number is published
// after what it stands for, so that whoever has read it and then finds nothing
// need not look again before there is a greater one.
type purges struct {
	number atomic.Uint64
	seed   maphash.Seed

	all   mark
	uris  marks
	names marks // stages, hosts and tags
	log   atomic.Pointer[[]rule]
	// cleared is the greatest number that was taken out of the log.
	cleared atomic.Uint64

	noted atomic.Pointer[noted]
	next  atomic.Pointer[noted] // what takes its place, while it is made

	mu sync.Mutex // held to purge and to change the log
}

// newPurges makes the tables for a cache of so many bytes, of which they take
// less than a hundredth.
func newPurges(size int64) *purges {
	p := &purges{seed: maphash.MakeSeed(), uris: newMarks(uriMarks(size)), names: newMarks(nameMarks(size))}
	p.log.Store(new([]rule))
	p.noted.Store(newNoted(notedBits(size)))
	return p
}

// How large the tables of a cache of so many bytes are: marks of URIs as if there
// were one for each 4 KiB, at least 4,096; bits to know them by, 32 times as many.
func uriMarks(size int64) int64  { return max(powerOfTwo(size/4096), 1<<12) }
func nameMarks(size int64) int64 { return min(max(powerOfTwo(size/4096), 1<<12), 1<<16) }
func notedBits(size int64) int64 { return 32 * uriMarks(size) }

// purge notes a purge.
func (p *purges) purge(what Purge) {
	p.mu.Lock()
	defer p.mu.Unlock()
	number := p.number.Load() + 1
	if !p.mark(what, number) {
		if log := *p.log.Load(); len(log) < longestLog {
			p.append(log, rule{Purge: what, number: number, tags: p.tagSums(what.Tags)})
		} else {
			p.mark(what.widened(), number)
		}
	}
	p.number.Store(number)
}

// mark makes the marks of a purge, if it can be told by marks: of everything, of
// one URI, of one stage, of one host, or of tags.
func (p *purges) mark(what Purge, number uint64) bool {
	uri, stage, host, tags := what.Path != "" || what.Query != "" || what.Prefix, what.Stage != "", what.Host != "", len(what.Tags) > 0
	switch {
	case what.Prefix && (what.Path != "" || what.Query != ""):
		return false
	case what.Prefix:
		what.Prefix = false
		return p.mark(what, number)
	case uri && host && !stage && !tags:
		p.uris.set(p.uriSum([]byte(what.Host), []byte(what.Path), []byte(what.Query)), number, what.Soft)
	case stage && !host && !tags && !uri:
		p.names.set(p.sum(stageSum, what.Stage), number, what.Soft)
	case host && !stage && !tags && !uri:
		p.names.set(p.sum(hostSum, what.Host), number, what.Soft)
	case tags && !stage && !host && !uri:
		for _, tag := range what.Tags {
			p.names.set(p.sum(tagSum, tag), number, what.Soft)
		}
	case !uri && !stage && !host && !tags:
		p.all.set(number, what.Soft)
	default:
		return false
	}
	return true
}

// append puts a rule behind the others. Whoever reads the log has it to himself.
func (p *purges) append(log []rule, r rule) {
	next := append(append(make([]rule, 0, len(log)+1), log...), r)
	p.log.Store(&next)
}

// invalidate notes a soft purge of one URI, if there may be something of it.
func (p *purges) invalidate(host, path, query []byte) {
	uri := p.uriSum(host, path, query)
	if !p.noted.Load().has(uri) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	number := p.number.Load() + 1
	p.uris.set(uri, number, true)
	p.number.Store(number)
}

// concern tells whether a purge since born concerns what has these tags and
// stands there.
func (p *purges) concern(a *address, tags []uint64, born uint64) (hard, soft bool) {
	if p.number.Load() <= born {
		return false, false
	}
	hard, soft = p.all.since(born)
	look := func(h, s bool) { hard, soft = hard || h, soft || s }
	look(p.uris.since(a.uri, born))
	look(p.names.since(a.stageSum, born))
	look(p.names.since(a.hostSum, born))
	for _, tag := range tags {
		look(p.names.since(tag, born))
	}
	for _, r := range *p.log.Load() {
		if r.number > born && r.fits(a, tags) {
			look(!r.Soft, r.Soft)
		}
	}
	return hard, soft
}

// forget takes the rules out of the log that no longer concern anything: those
// up to a number.
func (p *purges) forget(number uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var rest []rule
	for _, r := range *p.log.Load() {
		if r.number > number {
			rest = append(rest, r)
		} else {
			p.cleared.Store(r.number)
		}
	}
	p.log.Store(&rest)
}

// note tells that there may be something of a URI.
func (p *purges) note(uri uint64) {
	// In this order: where next has become noted in between, noted is that.
	if next := p.next.Load(); next != nil {
		next.note(uri)
	}
	p.noted.Load().note(uri)
}

// What a sum is of, so that a host and a tag of the same name differ.
const (
	stageSum = 's'
	hostSum  = 'h'
	tagSum   = 't'
)

// sum returns the secret hash of a name.
func (p *purges) sum(of byte, name string) uint64 {
	var h maphash.Hash
	h.SetSeed(p.seed)
	h.WriteByte(of)
	h.WriteString(name)
	return h.Sum64()
}

// uriSum returns the secret hash of a URI without its scheme.
func (p *purges) uriSum(host, path, query []byte) uint64 {
	var lengths [16]byte
	binary.LittleEndian.PutUint64(lengths[:], uint64(len(host)))
	binary.LittleEndian.PutUint64(lengths[8:], uint64(len(path)))
	var h maphash.Hash
	h.SetSeed(p.seed)
	h.Write(lengths[:])
	h.Write(host)
	h.Write(path)
	h.Write(query)
	return h.Sum64()
}

// tagSumsOf returns the sums of an entry's tags.
func (p *purges) tagSumsOf(tags [][]byte) []uint64 {
	if len(tags) == 0 {
		return nil
	}
	sums := make([]uint64, len(tags))
	for i, tag := range tags {
		sums[i] = p.sum(tagSum, string(tag))
	}
	return sums
}

// tagSums returns the sums of tags.
func (p *purges) tagSums(tags []string) []uint64 {
	if len(tags) == 0 {
		return nil
	}
	sums := make([]uint64, len(tags))
	for i, tag := range tags {
		sums[i] = p.sum(tagSum, tag)
	}
	return sums
}
