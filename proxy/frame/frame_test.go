package frame

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"golang.org/x/net/http2"
)

// TestOthersReadWhatIsAppended has another implementation read the frames.
func TestOthersReadWhatIsAppended(t *testing.T) {
	b := AppendSettings(nil, Setting{MaxStreams, 100}, Setting{InitialWindow, 1 << 20})
	b = AppendSettingsAck(b)
	b = AppendPing(b, Ack, [8]byte{1, 2, 3, 4, 5, 6, 7, 8})
	b = AppendRSTStream(b, 7, Cancel)
	b = AppendWindowUpdate(b, 0, 1<<30)
	b = AppendGoAway(b, MaxStream, EnhanceYourCalm, "too many")
	b = AppendPriorityUpdate(b, 5, []byte("u=1, i"))
	at := len(b)
	b = append(b, make([]byte, HeaderLen)...)
	b = append(b, "hello"...)
	Put(b[at:], 5, Data, EndStream, 9)
	fr := http2.NewFramer(nil, bytes.NewReader(b))
	f := func(want string) {
		t.Helper()
		got, err := fr.ReadFrame()
		if err != nil {
			t.Fatal(err)
		}
		if s := got.Header().String(); s != want {
			t.Fatalf("got %s; want %s", s, want)
		}
		switch got := got.(type) {
		case *http2.GoAwayFrame:
			if got.LastStreamID != MaxStream || got.ErrCode != http2.ErrCodeEnhanceYourCalm || string(got.DebugData()) != "too many" {
				t.Fatalf("got %v", got)
			}
		case *http2.SettingsFrame:
			if v, ok := got.Value(http2.SettingInitialWindowSize); !got.IsAck() && (!ok || v != 1<<20) {
				t.Fatalf("got %v", got)
			}
		case *http2.DataFrame:
			if string(got.Data()) != "hello" {
				t.Fatalf("got %q", got.Data())
			}
		}
	}
	f("[FrameHeader SETTINGS len=12]")
	f("[FrameHeader SETTINGS flags=ACK len=0]")
	f("[FrameHeader PING flags=ACK len=8]")
	f("[FrameHeader RST_STREAM stream=7 len=4]")
	f("[FrameHeader WINDOW_UPDATE len=4]")
	f("[FrameHeader GOAWAY len=16]")
	f("[FrameHeader PRIORITY_UPDATE len=10]")
	f("[FrameHeader DATA flags=END_STREAM stream=9 len=5]")
	if _, err := fr.ReadFrame(); !errors.Is(err, io.EOF) {
		t.Fatalf("got %v; want the end", err)
	}
}

func TestCheck(t *testing.T) {
	f := func(h Header, want Code) {
		t.Helper()
		if got := h.Check(MinMaxFrame); got != want {
			t.Fatalf("%+v: got %s; want %s", h, got, want)
		}
	}
	f(Header{Length: MinMaxFrame + 1, Type: Data, Stream: 1}, FrameSizeError)
	f(Header{Length: MinMaxFrame, Type: Data, Stream: 1}, NoError)
	f(Header{Type: Data}, ProtocolError)
	f(Header{Type: Headers}, ProtocolError)
	f(Header{Type: Continuation}, ProtocolError)
	f(Header{Length: 5, Type: Priority}, ProtocolError)
	f(Header{Length: 4, Type: Priority, Stream: 1}, FrameSizeError)
	f(Header{Length: 4, Type: RSTStream}, ProtocolError)
	f(Header{Length: 3, Type: RSTStream, Stream: 1}, FrameSizeError)
	f(Header{Length: 6, Type: Settings}, NoError)
	f(Header{Length: 6, Type: Settings, Stream: 1}, ProtocolError)
	f(Header{Length: 7, Type: Settings}, FrameSizeError)
	f(Header{Length: 6, Type: Settings, Flags: Ack}, FrameSizeError)
	f(Header{Length: 8, Type: Ping}, NoError)
	f(Header{Length: 8, Type: Ping, Stream: 1}, ProtocolError)
	f(Header{Length: 7, Type: Ping}, FrameSizeError)
	f(Header{Length: 7, Type: GoAway}, FrameSizeError)
	f(Header{Length: 9, Type: GoAway}, NoError)
	f(Header{Length: 4, Type: WindowUpdate}, NoError)
	f(Header{Length: 4, Type: WindowUpdate, Stream: 1}, NoError)
	f(Header{Length: 5, Type: WindowUpdate}, FrameSizeError)
	f(Header{Length: 3, Type: PriorityUpdate}, FrameSizeError)
	f(Header{Length: 4, Type: PriorityUpdate, Stream: 1}, ProtocolError)
	f(Header{Length: 3, Type: 0x99, Stream: 77}, NoError)
	if h := (Header{Length: 4, Type: Priority, Stream: 1}); !h.OfStream(h.Check(MinMaxFrame)) {
		t.Fatal("a PRIORITY of a wrong length ends only its stream")
	}
}

func TestPadding(t *testing.T) {
	f := func(flags Flags, payload, want string, code Code) {
		t.Helper()
		got, c := Unpad(Header{Flags: flags, Length: len(payload)}, []byte(payload))
		if string(got) != want || c != code {
			t.Fatalf("%q: got %q, %s; want %q, %s", payload, got, c, want, code)
		}
	}
	f(0, "\x01a", "\x01a", NoError)
	f(Padded, "\x00abc", "abc", NoError)
	f(Padded, "\x02abc", "a", NoError)
	f(Padded, "\x03abc", "", NoError)
	f(Padded, "\x04abc", "", ProtocolError)
	f(Padded, "", "", FrameSizeError)
	block, code, self := Block(Header{Flags: Padded | HasPriority, Stream: 3}, []byte("\x01\x80\x00\x00\x03\x10xy\x00"))
	if string(block) != "xy" || code != NoError || !self {
		t.Fatalf("got %q, %s, %v", block, code, self)
	}
	if _, code, _ = Block(Header{Flags: HasPriority, Stream: 3}, []byte("\x00\x00\x00\x03")); code != FrameSizeError {
		t.Fatalf("got %s", code)
	}
}

func TestSettings(t *testing.T) {
	f := func(s Setting, want Code) {
		t.Helper()
		p := DefaultPeer()
		if got := p.Apply(AppendSettings(nil, s)[HeaderLen:]); got != want {
			t.Fatalf("%+v: got %s; want %s", s, got, want)
		}
	}
	f(Setting{EnablePush, 2}, ProtocolError)
	f(Setting{InitialWindow, 1 << 31}, FlowControlError)
	f(Setting{InitialWindow, 1<<31 - 1}, NoError)
	f(Setting{MaxFrame, MinMaxFrame - 1}, ProtocolError)
	f(Setting{MaxFrame, MaxMaxFrame + 1}, ProtocolError)
	f(Setting{ConnectProtocol, 2}, ProtocolError)
	f(Setting{0xfff, 2}, NoError)
	p := DefaultPeer()
	if p.Apply(AppendSettings(nil, Setting{TableSize, 1}, Setting{TableSize, 2}, Setting{ConnectProtocol, 1})[HeaderLen:]) != NoError ||
		p.TableSize != 2 || !p.ConnectProtocol {
		t.Fatalf("got %+v", p)
	}
	if p.Apply(AppendSettings(nil, Setting{ConnectProtocol, 0})[HeaderLen:]) != ProtocolError {
		t.Fatal("extended CONNECT was taken back")
	}
}

func TestWindows(t *testing.T) {
	w := Window(10)
	w.Take(10)
	if !w.Grow(-5) || w != -5 || !w.Grow(MaxWindow) || w.Grow(6) {
		t.Fatalf("got %d", w)
	}
	in := NewInbound(100)
	if !in.Receive(60) || in.Receive(41) || in.Consume(49) != 0 || in.Consume(1) != 50 || in.Left() != 90 {
		t.Fatalf("got %+v", in)
	}
	if in.Resize(50) != 0 || in.Resize(200) != 100 || in.Left() != 190 || in.Consume(10) != 0 {
		t.Fatalf("got %+v", in)
	}
}

func TestUrgency(t *testing.T) {
	f := func(value string, level uint8, incremental bool) {
		t.Helper()
		if got := ParseUrgency([]byte(value)); got != (Urgency{level, incremental}) {
			t.Fatalf("%q: got %+v; want %d, %v", value, got, level, incremental)
		}
	}
	f("", 3, false)
	f("u=5, i", 5, true)
	f("i, u=0", 0, true)
	f(" i=?0,u=7 ", 7, false)
	f("i=?1", 3, true)
	f("u=8", 3, false)
	f("u=-1, i", 3, true)
	f("u=1, u=2", 2, false)
	f(`a="x,y\"z", u=2;p=1;q, b=(1 "a)" 2), i`, 2, true)
	f("u=1,", 3, false)
	f("u=1 i", 3, false)
	f(`u=1, a="`, 3, false)
	f("U=1", 3, false)
	f("u=?1", 3, false)
}

func TestCodes(t *testing.T) {
	if s := HTTP11Required.String() + " " + Code(99).String(); s != "HTTP_1_1_REQUIRED 0x63" {
		t.Fatalf("got %q", s)
	}
}

// FuzzFrame takes frames apart as another implementation does.
func FuzzFrame(f *testing.F) {
	f.Add(AppendSettings(AppendPing(nil, 0, [8]byte{}), Setting{MaxFrame, 1 << 15}), []byte("u=1, i"))
	f.Add(append(Append(nil, 4, Headers, Padded|HasPriority, 1), "\x00\x00\x00\x00"...), []byte(`a="b`))
	f.Fuzz(func(t *testing.T, b, value []byte) {
		if u := ParseUrgency(value); u.Level > 7 {
			t.Fatalf("%q: %+v", value, u)
		}
		if len(b) < HeaderLen {
			return
		}
		h := Parse(b)
		if back := Append(nil, h.Length, h.Type, h.Flags, h.Stream); !bytes.Equal(back[:5], b[:5]) {
			t.Fatalf("%x came back as %x", b[:HeaderLen], back)
		}
		if len(b) < HeaderLen+h.Length || h.Check(MinMaxFrame) != NoError {
			return
		}
		payload := b[HeaderLen:][:h.Length]
		switch h.Type {
		case Data:
			got, code := Unpad(h, payload)
			fr := http2.NewFramer(nil, bytes.NewReader(b))
			want, err := fr.ReadFrame()
			if (code == NoError) != (err == nil) || (err == nil && !bytes.Equal(want.(*http2.DataFrame).Data(), got)) {
				t.Fatalf("%x: got %q, %s; another says %v, %v", b, got, code, want, err)
			}
		case Headers:
			_, _, _ = Block(h, payload)
		case Settings:
			p := DefaultPeer()
			if p.Apply(payload) == NoError && (p.MaxFrame < MinMaxFrame || p.InitialWindow < 0) {
				t.Fatalf("%x: %+v", payload, p)
			}
		}
	})
}
