package cases

import "io"

// Pieces is content of an answer that lies somewhere in pieces, of which every
// third is not there at once. Taken counts what was had without a copy.
type Pieces struct {
	List  [][]byte
	Taken int
}

// Take returns the next piece, if that is there.
func (p *Pieces) Take() []byte {
	if p.Done() || len(p.List)%3 == 0 {
		return nil
	}
	piece := p.List[0]
	p.List = p.List[1:]
	p.Taken += len(piece)
	return piece
}

// Read waits for it and copies it.
func (p *Pieces) Read(b []byte) (int, error) {
	if p.Done() {
		return 0, io.EOF
	}
	n := copy(b, p.List[0])
	if p.List[0] = p.List[0][n:]; len(p.List[0]) == 0 {
		p.List = p.List[1:]
	}
	return n, nil
}

// Done, Ready, Trailers and Close make it an exchange.Body.
func (p *Pieces) Done() bool       { return len(p.List) == 0 }
func (p *Pieces) Ready() bool      { return len(p.List)%3 != 0 || p.Done() }
func (p *Pieces) Trailers() []byte { return []byte("X-End: yes\r\n") }
func (p *Pieces) Close() error     { return nil }
