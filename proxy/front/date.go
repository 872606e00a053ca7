package front

import (
	"sync/atomic"
	"time"
)

// Date keeps the HTTP date of the present second (RFC 9110 §5.6.7). The zero
// value is ready; it may be used by many goroutines at once.
type Date struct{ text atomic.Pointer[dated] }

type dated struct {
	second int64
	bytes  []byte
}

// Append appends the date of now.
func (d *Date) Append(dst []byte, now time.Time) []byte {
	second := now.Unix()
	text := d.text.Load()
	if text == nil || text.second != second {
		text = &dated{second, now.UTC().AppendFormat(nil, "Mon, 02 Jan 2006 15:04:05 GMT")}
		d.text.Store(text)
	}
	return append(dst, text.bytes...)
}
