package h3

import "github.com/quic-go/quic-go"

// What the tests through the whole gateway use as well.
var (
	Start       = serve
	Client      = client
	Dial        = dial
	Do          = do
	Ask         = ask
	DefaultTest = testConfig
	Section     = section
	Data        = data
	Settings    = settings
)

func (s *served) URL(path string) string { return s.url(path) }

func (c *raw) Open(b []byte) *quic.Stream    { return c.open(b) }
func (c *raw) Uni(b []byte) *quic.SendStream { return c.uni(b) }

// Frames reads the frames of a request stream one by one.
type Frames struct{ in reader }

func ReadFrames(stream *quic.Stream) *Frames {
	f := &Frames{newReader(requestBuffer)}
	f.in.reset(stream)
	return f
}

// Next returns the fields of a HEADERS frame as lines, or the content of a
// DATA frame.
func (f *Frames) Next() (fields, content string, err error) {
	kind, length, err := f.in.next()
	if err != nil {
		return "", "", err
	}
	payload := make([]byte, length)
	if err := f.in.full(payload); err != nil {
		return "", "", err
	}
	if kind != frameHeaders {
		return "", string(payload), nil
	}
	var l lines
	var d decoder
	err = d.decode(payload, &l)
	return l.String(), "", err
}
