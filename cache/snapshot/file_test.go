package snapshot

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"weir/cache/record"
)

var instant = moment{wall: 1_795_554_000_000_000_000, running: 5_000_000_000, boot: "a1b2"}

// sample returns records of mixed sizes, the largest of which no buffer holds.
func sample(n int) []*record.Record {
	all := make([]*record.Record, n)
	for i := range all {
		size := i % 3 * 700
		if i == n/2 {
			size = 2 * buffer
		}
		all[i] = &record.Record{
			Key: fmt.Append(nil, "key ", i), Status: 200, Body: [][]byte{bytes.Repeat([]byte{byte(i)}, size)}, Received: int64(i),
		}
	}
	return all
}

func written(t testing.TB, records []*record.Record) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := newWriter(&b, instant, record.Position{Time: 3, Count: 4})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if n, err := w.add(r); err != nil || n == 0 {
			t.Fatalf("a record is not written: %d bytes, %v", n, err)
		}
	}
	if err := w.end(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read reads all that is whole, as numbers of sample, each of which is checked.
func read(t testing.TB, data []byte) (in *reader, got map[int]bool) {
	t.Helper()
	in, err := newReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, nil
	}
	got = make(map[int]bool)
	for r := in.next(); r != nil; r = in.next() {
		n := int(r.Received)
		if want := fmt.Sprint("key ", n); string(r.Key) != want || len(bytes.Trim(r.Body[0], string([]byte{byte(n)}))) > 0 {
			t.Fatalf("got a record of key %q with the content of %d", r.Key, n)
		}
		got[n] = true
	}
	return in, got
}

// told says what a reader has found.
func told(in *reader) string {
	if in == nil {
		return "no header"
	}
	return fmt.Sprintf("%d damaged, %d foreign, cut %t, %v", in.damaged, in.foreign, in.cut, in.failure)
}

func TestReaderGivesWhatWasWritten(t *testing.T) {
	data := written(t, sample(100))
	in, got := read(t, data)
	if in == nil || len(got) != 100 || in.cut || in.damaged > 0 || in.foreign > 0 {
		t.Fatalf("got %d records, %s; want 100", len(got), told(in))
	}
	if in.saved != instant || in.position != (record.Position{Time: 3, Count: 4}) {
		t.Errorf("header: got %+v", in.header)
	}
	if in, got := read(t, written(t, nil)); in == nil || len(got) != 0 || in.cut {
		t.Errorf("nothing: got %d records, %s", len(got), told(in))
	}
}

func TestWhatIsWholeIsRead(t *testing.T) {
	const n = 60
	data := written(t, sample(n))
	random := rand.New(rand.NewPCG(1, 2))
	header := len((&header{saved: instant}).append(nil))
	f := func(name string, data []byte, least int, cut bool) {
		t.Helper()
		in, got := read(t, data)
		if in == nil || len(got) < least || len(got) == n || in.cut != cut || !cut && in.damaged == 0 {
			t.Errorf("%s: got %d records, %s; want %d at least", name, len(got), told(in), least)
		}
	}
	for range 200 {
		at := header + random.IntN(len(data)-header-frameLength)
		changed := bytes.Clone(data)
		changed[at] ^= 1 << random.IntN(8)
		f(fmt.Sprint("a bit changed at ", at), changed, n-1, false)

		zeros := bytes.Clone(data)
		end := min(at+4096, len(data)-frameLength)
		clear(zeros[at:end])
		f(fmt.Sprint("a page of zeros at ", at), zeros, n-30, false)

		f(fmt.Sprint("cut at ", at), data[:at], 0, true)
	}
}

// Cut before the last frame nothing is missing, which is told all the same.
func TestTheEndIsMissing(t *testing.T) {
	data := written(t, sample(10))
	if in, got := read(t, data[:len(data)-1]); in == nil || len(got) != 10 || !in.cut {
		t.Errorf("got %d records, %s", len(got), told(in))
	}
}

// What looks like a frame within an answer is none, whatever was damaged before.
func TestContentIsNoFrame(t *testing.T) {
	forged := &record.Record{Key: []byte("forged"), Status: 200, Body: [][]byte{[]byte("forged")}, Received: 1}
	inner := written(t, []*record.Record{forged})
	bait := &record.Record{Key: []byte("bait"), Status: 200, Body: [][]byte{inner}}
	data := written(t, []*record.Record{bait})
	at := bytes.Index(data, []byte("bait"))
	data[at]++
	copy(data[len((&header{saved: instant}).append(nil)):], make([]byte, frameLength))
	in, err := newReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if r := in.next(); r != nil {
		t.Errorf("got %q from the content of an answer", r.Key)
	}
}

func TestHeaders(t *testing.T) {
	data := written(t, sample(3))
	f := func(name string, data []byte, want error) {
		t.Helper()
		if _, err := newReader(bytes.NewReader(data), int64(len(data))); !errors.Is(err, want) {
			t.Errorf("%s: got %v; want %v", name, err, want)
		}
	}
	f("nothing", nil, errHeader)
	f("something else", []byte("<html>"+string(data)), errHeader)
	foreign := bytes.Clone(data)
	foreign[len(signature)]++
	f("another version", foreign, errVersion)
	length := len((&header{saved: instant}).append(nil))
	for i := range length {
		broken := bytes.Clone(data)
		broken[i] ^= 0xff
		if _, err := newReader(bytes.NewReader(broken), int64(len(broken))); err == nil {
			t.Errorf("byte %d of the header is damaged, and nobody has noticed", i)
		}
		f(fmt.Sprint("cut at ", i), data[:i], errHeader)
	}
}

func FuzzReader(f *testing.F) {
	small := sample(4)
	small[2].Body[0] = small[2].Body[0][:10]
	data := written(f, small)
	f.Add(data, false)
	f.Add(data[:len(data)/2], false)
	begin := len((&header{saved: instant}).append(nil))
	f.Add(data[begin:], true)
	f.Fuzz(func(t *testing.T, tail []byte, headed bool) {
		all := tail
		if headed {
			all = append(bytes.Clone(data[:begin]), tail...)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in, err := newReader(bytes.NewReader(all), int64(len(all)))
		for err == nil && in.next() != nil {
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(60*len(all)+2*buffer+100_000) {
			t.Fatalf("%d bytes are taken for %d", took, len(all))
		}
	})
}

func TestSince(t *testing.T) {
	at := func(wall, running int64, boot string) moment { return moment{wall, running, boot} }
	f := func(name string, now, before moment, want int64, known bool) {
		t.Helper()
		if got, is := now.since(before); is != known || is && int64(got) != want {
			t.Errorf("%s: got %d, %t; want %d, %t", name, got, is, want, known)
		}
	}
	f("as it should be", at(150, 50, "a"), at(100, 0, "a"), 50, true)
	f("the wall clock was set forward", at(900, 50, "a"), at(100, 0, "a"), 800, true)
	f("the wall clock was set back", at(10, 50, "a"), at(100, 0, "a"), 50, true)
	f("started anew", at(150, 3, "b"), at(100, 99, "a"), 50, true)
	f("started anew, and the clock set back", at(10, 3, "b"), at(100, 99, "a"), 0, false)
	f("no other clock", at(150, 0, ""), at(100, 0, ""), 50, true)
	f("no other clock, set back", at(10, 0, ""), at(100, 0, ""), 0, false)
	f("a run that went backwards", at(150, 3, "a"), at(100, 99, "a"), 50, true)
	if m := now(); m.wall == 0 || runtime.GOOS == "linux" && (m.boot == "" || m.running == 0) {
		t.Errorf("now: got %+v", m)
	}
}
