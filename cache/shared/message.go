package shared

import (
	"encoding/binary"
	"errors"

	"weir/cache"
)

// message is what stands in the stream: a purge, or that what was stored before
// is void.
type message struct {
	origin string // the node that sent it
	number uint64 // of that node's messages: who has seen it needs it no more
	void   bool
	purge  cache.Purge
}

// messageVersion is raised when the form of messages changes.
const messageVersion = 1

// The flags.
const (
	flagVoid = 1 << iota
	flagSoft
	flagPrefix
	flagsKnown = 1<<iota - 1
)

// mostTags bounds the tags of a purge.
const mostTags = 4096

var errMessage = errors.New("cannot read a purge: it is damaged, or of another version")

// append appends the message's form: version, flags, and parts with their length
// before them.
func (m *message) append(dst []byte) []byte {
	var flags byte
	if m.void {
		flags |= flagVoid
	}
	if m.purge.Soft {
		flags |= flagSoft
	}
	if m.purge.Prefix {
		flags |= flagPrefix
	}
	dst = append(dst, messageVersion, flags)
	dst = appendText(dst, m.origin)
	dst = binary.AppendUvarint(dst, m.number)
	for _, text := range [...]string{m.purge.Stage, m.purge.Host, m.purge.Path, m.purge.Query} {
		dst = appendText(dst, text)
	}
	dst = binary.AppendUvarint(dst, uint64(len(m.purge.Tags)))
	for _, tag := range m.purge.Tags {
		dst = appendText(dst, tag)
	}
	return dst
}

func appendText(dst []byte, text string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(text))), text...)
}

// parseMessage reads what append has appended.
func parseMessage(data string) (m message, err error) {
	if len(data) < 2 || data[0] != messageVersion || data[1]&^flagsKnown != 0 {
		return m, errMessage
	}
	flags, r := data[1], texts{rest: data[2:]}
	m.void, m.purge.Soft, m.purge.Prefix = flags&flagVoid != 0, flags&flagSoft != 0, flags&flagPrefix != 0
	m.origin, m.number = r.text(), r.unsigned()
	m.purge.Stage, m.purge.Host, m.purge.Path, m.purge.Query = r.text(), r.text(), r.text(), r.text()
	if m.purge.Tags = r.list(mostTags); r.wrong || r.rest != "" {
		return message{}, errMessage
	}
	return m, nil
}

// texts reads parts. Once something is wrong it gives zero values.
type texts struct {
	rest  string
	wrong bool
}

func (r *texts) unsigned() uint64 {
	v, n := binary.Uvarint([]byte(r.rest[:min(len(r.rest), binary.MaxVarintLen64)]))
	if n <= 0 {
		r.rest, r.wrong = "", true
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

func (r *texts) text() string {
	n := r.unsigned()
	if n > uint64(len(r.rest)) {
		r.rest, r.wrong = "", true
		return ""
	}
	text := r.rest[:n]
	r.rest = r.rest[n:]
	return text
}

// list reads how many parts there are, at most most, and those.
func (r *texts) list(most uint64) []string {
	n := r.unsigned()
	if n > most || n > uint64(len(r.rest)) {
		r.rest, r.wrong = "", true
	}
	if r.wrong || n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = r.text()
	}
	return list
}
