package record

import (
	"bytes"
	"encoding/binary"
	"errors"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"weir/cache/policy"

	"github.com/cespare/xxhash/v2"
)

// samples are records with everything, with nothing, and what lies between.
func samples() []*Record {
	return []*Record{
		{
			Key: []byte("\x03GET\x05https"), Stage: "pets/prod", Host: []byte("api.example.org"), Path: []byte("/pets"), Query: []byte("page=2"),
			Selected: []byte("gzip\x00"), Status: 203, Lines: []byte("Date: Tue, 24 Nov 2026 21:00:00 GMT\r\nEtag: \"a\"\r\n"),
			Trailers: []byte("Checksum: 1\r\n"), Vary: []string{"Accept", "Accept-Encoding"}, Tags: [][]byte{[]byte("pets"), []byte("pet-2")},
			Terms: policy.Terms{
				Lifetime: time.Minute, InitialAge: 3 * time.Second, StaleWhileRevalidate: time.Hour, StaleIfError: 24 * time.Hour,
				Source: policy.FromSMaxAge, NoCache: true, MustRevalidate: true, Immutable: true, Fixed: true, Targeted: true,
				ETag: []byte(`"a"`), Date: 1_795_554_000, LastModified: 1_700_000_000,
			},
			Received: 1_795_554_001_000_000_123, Since: Position{1_795_554_000_123, 7}, Validate: true, Encoded: true, PlainLength: 1 << 40, PlainLines: []byte("Vary: Accept-Encoding\r\n"),
			Body: [][]byte{[]byte("first piece "), nil, bytes.Repeat([]byte("x"), 100_000)},
		},
		{Status: 404, Body: [][]byte{{}}},
		{Status: 200, Lines: []byte("A:\r\n"), Terms: policy.Terms{ETag: []byte{}, Date: -1}, Received: -5, Body: [][]byte{[]byte("GET")}},
	}
}

func encode(t testing.TB, r *Record) []byte {
	t.Helper()
	data, err := r.Append(nil)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plain is r as Parse gives it.
func plain(r *Record) Record {
	p := *r
	p.Body = [][]byte{bytes.Join(r.Body, nil)}
	return p
}

// same tells whether two records say the same; parts without a byte are alike.
func same(a, b *Record) bool {
	x, y := plain(a), plain(b)
	for _, r := range []*Record{&x, &y} {
		for _, part := range []*[]byte{&r.Key, &r.Host, &r.Path, &r.Query, &r.Selected, &r.Lines, &r.Trailers} {
			*part = append([]byte{}, *part...)
		}
	}
	return reflect.DeepEqual(x, y)
}

func TestParseGivesWhatWasAppended(t *testing.T) {
	for i, want := range samples() {
		data := encode(t, want)
		if len(data) != want.Size() {
			t.Errorf("%d: Size: got %d; want %d", i, want.Size(), len(data))
		}
		var written bytes.Buffer
		if n, err := want.WriteTo(&written); err != nil || n != int64(len(data)) || !bytes.Equal(written.Bytes(), data) {
			t.Errorf("%d: WriteTo writes other than Append appends: %d bytes, %v", i, n, err)
		}
		kept := bytes.Clone(data)
		got, err := Parse(kept)
		if err != nil {
			t.Fatalf("%d: %s", i, err)
		}
		clear(kept) // what it gives has memory of its own
		if !same(got, want) {
			t.Errorf("%d: got %+v; want %+v", i, got, want)
		}
	}
}

func TestAppendBehindSomething(t *testing.T) {
	r := samples()[0]
	data, err := r.Append([]byte("before"))
	if err != nil || !bytes.Equal(data, append([]byte("before"), encode(t, r)...)) {
		t.Errorf("what is appended behind something differs: %v", err)
	}
}

func TestDamageIsFoundOut(t *testing.T) {
	small := samples()[0]
	small.Body = [][]byte{[]byte("content")}
	for _, r := range []*Record{small, samples()[1]} {
		data := encode(t, r)
		for i := range data {
			for _, change := range []byte{1, 0x80, 0xff} {
				broken := bytes.Clone(data)
				broken[i] ^= change
				if got, err := Parse(broken); err == nil {
					t.Fatalf("byte %d changed by %#x: got %+v", i, change, got)
				}
			}
			if _, err := Parse(data[:i]); !errors.Is(err, errDamaged) {
				t.Fatalf("cut at %d: got %v; want %v", i, err, errDamaged)
			}
		}
		if _, err := Parse(append(bytes.Clone(data), 0)); !errors.Is(err, errDamaged) {
			t.Errorf("a byte more: got %v; want %v", err, errDamaged)
		}
	}
}

// sum puts the length of a head and the sum of all into data, so that nothing
// else can be wrong.
func sum(head, content []byte) []byte {
	data := append([]byte(signature), Version, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(data[preamble-4:], uint32(len(head)))
	data = append(append(data, head...), content...)
	return binary.LittleEndian.AppendUint64(data, xxhash.Sum64(data))
}

func TestWhatNobodyAppends(t *testing.T) {
	f := func(name string, change func(*Record)) {
		t.Helper()
		r := samples()[0]
		change(r)
		if got, err := Parse(encode(t, r)); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, errDamaged)
		}
	}
	f("a status below 100", func(r *Record) { r.Status = 99 })
	f("a status above 999", func(r *Record) { r.Status = 1000 })
	f("an enormous status", func(r *Record) { r.Status = 1<<32 + 200 })
	f("a negative age", func(r *Record) { r.Terms.InitialAge = -1 })
	f("a negative lifetime", func(r *Record) { r.Terms.Lifetime = -1 })
	f("an unknown source", func(r *Record) { r.Terms.Source = 200 })
	f("a negative length", func(r *Record) { r.PlainLength = -1 })
	f("a name of Vary that is none", func(r *Record) { r.Vary = []string{""} })
	for _, lines := range []string{"A: b", "A: b\r\n\r\nbody", "\r\n", ": b\r\n", "A: b\rC: d\r\n", "A: b\nC: d\r\n", "A: \x00\r\n", "A b\r\n"} {
		f("lines "+lines, func(r *Record) { r.Lines = []byte(lines) })
		f("trailers "+lines, func(r *Record) { r.Trailers = []byte(lines) })
	}

	head := samples()[0].appendHead(nil)
	content := bytes.Join(samples()[0].Body, nil)
	if _, err := Parse(sum(head, content)); err != nil {
		t.Fatal(err)
	}
	g := func(name string, data []byte) {
		t.Helper()
		if got, err := Parse(data); !errors.Is(err, errDamaged) {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, errDamaged)
		}
	}
	g("content of another length", sum(head, content[1:]))
	g("more in the head", sum(append(bytes.Clone(head), 0), content))
	g("a flag that is unknown", sum(append([]byte{head[0], head[1] | 1<<7}, head[2:]...), content))
	huge := append([]byte{0, 0, 0}, binary.AppendUvarint(nil, 200)...)
	g("a part that is larger than all", sum(binary.AppendUvarint(huge, 1<<62), nil))
}

func TestTooMuchIsNotAppended(t *testing.T) {
	for name, r := range map[string]*Record{
		"names": {Status: 200, Vary: make([]string, mostNames+1)},
		"tags":  {Status: 200, Tags: make([][]byte, mostNames+1)},
		"head":  {Status: 200, Lines: bytes.Repeat([]byte("A: b\r\n"), mostHead/6+1)},
	} {
		if data, err := r.Append([]byte("before")); err == nil || string(data) != "before" {
			t.Errorf("too many %s: got %d bytes, %v", name, len(data), err)
		}
		if _, err := r.WriteTo(&bytes.Buffer{}); err == nil {
			t.Errorf("too many %s are written", name)
		}
	}
}

func TestAnotherVersion(t *testing.T) {
	data := encode(t, samples()[0])
	data[len(signature)]++
	if _, err := Parse(data); !errors.Is(err, ErrVersion) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("got %v; want %v", err, ErrVersion)
	}
}

// What is damaged must not make Parse take memory for what it announces.
func FuzzParse(f *testing.F) {
	for _, r := range samples() {
		head := r.appendHead(nil)
		f.Add(head, []byte("content"), true)
		f.Add(encode(f, r), []byte{}, false)
	}
	f.Fuzz(func(t *testing.T, head, content []byte, summed bool) {
		data := append(bytes.Clone(head), content...)
		if summed { // as if the sum had not found it out
			data = sum(head, content)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := Parse(data)
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > uint64(60*len(data)+100_000) {
			t.Fatalf("%d bytes are taken for %d", took, len(data))
		}
		if err != nil {
			return
		}
		again, err := Parse(encode(t, r))
		if err != nil || !same(again, r) {
			t.Fatalf("got %+v, %v; want %+v", again, err, r)
		}
	})
}

func BenchmarkRecord(b *testing.B) {
	r := samples()[0]
	data := encode(b, r)
	b.Run("Append", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		var dst []byte
		for b.Loop() {
			dst, _ = r.Append(dst[:0])
		}
	})
	b.Run("Parse", func(b *testing.B) {
		b.SetBytes(int64(len(data)))
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Parse(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
