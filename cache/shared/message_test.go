package shared

import (
	"reflect"
	"testing"

	"weir/cache"
	"weir/cache/record"
)

func messages() []message {
	return []message{
		{},
		{origin: "a1", number: 1 << 60, void: true},
		{origin: "b2", number: 7, purge: cache.Purge{
			Soft: true, Prefix: true, Stage: "pets/prod", Host: "example.org", Path: "/\xff\x00", Query: "q=\n", Tags: []string{"one", "", "two"},
		}},
	}
}

func TestParseMessageGivesWhatWasAppended(t *testing.T) {
	for _, want := range messages() {
		data := want.append(nil)
		if got, err := parseMessage(string(data)); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		for i := range data {
			if got, err := parseMessage(string(data[:i])); err == nil {
				t.Errorf("cut at %d: got %+v", i, got)
			}
		}
		for _, broken := range []string{string(data) + "x", "\x02" + string(data[1:]), string(data[:1]) + "\x80" + string(data[2:])} {
			if got, err := parseMessage(broken); err == nil {
				t.Errorf("%q: got %+v", broken, got)
			}
		}
	}
}

func TestNames(t *testing.T) {
	want := []string{"Accept", "X-A"}
	if got, ok := parseNames(appendNames(nil, want)); !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("got %q, %t; want %q", got, ok, want)
	}
	for _, broken := range []string{"", "\x00", "\x01", "\x01\x00", "\x01\x01ab", "\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"} {
		if got, ok := parseNames([]byte(broken)); ok {
			t.Errorf("%q: got %q", broken, got)
		}
	}
}

func FuzzParseMessage(f *testing.F) {
	for _, m := range messages() {
		f.Add(string(m.append(nil)))
	}
	f.Fuzz(func(t *testing.T, data string) {
		_, _ = parseNames([]byte(data))
		m, err := parseMessage(data)
		if err != nil {
			return
		}
		if again, err := parseMessage(string(m.append(nil))); err != nil || !reflect.DeepEqual(again, m) {
			t.Fatalf("got %+v, %v; want %+v", again, err, m)
		}
	})
}

func TestParseID(t *testing.T) {
	want := record.Position{Time: 1_795_554_000_123, Count: 45}
	if got, err := parseID(idOf(want)); err != nil || got != want {
		t.Errorf("got %v, %v; want %v", got, err, want)
	}
	for _, broken := range []string{"", "1", "1-", "-1", "a-1", "1-b", "18446744073709551615-0", "99999999999999999999-1"} {
		if got, err := parseID(broken); err == nil {
			t.Errorf("%q: got %v", broken, got)
		}
	}
}
