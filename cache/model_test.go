package cache

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"
)

// modelled is what a map knows of an entry.
type modelled struct {
	body       string
	host, path string
	tag        string
	variant    string
	validate   bool
}

// TestModel holds the cache to a map in which purges walk over everything.
func TestModel(t *testing.T) {
	c := newStore(t, 64<<20)
	rapid.Check(t, func(t *rapid.T) {
		c.Purge(Purge{})
		model := make(map[string]*modelled)
		host := rapid.SampledFrom([]string{"a.example", "b.example"})
		path := rapid.SampledFrom([]string{"/", "/a", "/a/b", "/ab", "/b"})
		tag := rapid.SampledFrom([]string{"red", "green", "blue"})
		accept := rapid.SampledFrom([]string{"x", "y"})
		written := 0
		purge := func(p Purge, fits func(*modelled) bool) {
			c.Purge(p)
			for name, m := range model {
				switch {
				case !fits(m):
				case p.Soft:
					m.validate = true
				default:
					delete(model, name)
				}
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"fill": func(t *rapid.T) {
				m := &modelled{host: host.Draw(t, "host"), path: path.Draw(t, "path"), tag: tag.Draw(t, "tag"), variant: accept.Draw(t, "accept")}
				written++
				m.body = fmt.Sprint(written)
				fill(c, keyOf(m.host, m.path, ""), headers{"Accept": m.variant}, m.body, varyBy("Accept"), taggedAs(m.tag))
				model[m.host+m.path+" "+m.variant] = m
			},
			"purge": func(t *rapid.T) {
				soft := rapid.Bool().Draw(t, "soft")
				h, p, g := host.Draw(t, "host"), path.Draw(t, "path"), tag.Draw(t, "tag")
				switch rapid.IntRange(0, 6).Draw(t, "kind") {
				case 0:
					purge(Purge{Soft: soft, Host: h, Path: p}, func(m *modelled) bool { return m.host == h && m.path == p })
				case 1:
					purge(Purge{Soft: soft, Host: h, Path: p, Prefix: true}, func(m *modelled) bool { return m.host == h && begins(m.path, p) })
				case 2:
					purge(Purge{Soft: soft, Path: p, Prefix: true}, func(m *modelled) bool { return begins(m.path, p) })
				case 3:
					purge(Purge{Soft: soft, Host: h}, func(m *modelled) bool { return m.host == h })
				case 4:
					purge(Purge{Soft: soft, Tags: []string{g}}, func(m *modelled) bool { return m.tag == g })
				case 5:
					purge(Purge{Soft: soft, Tags: []string{g}, Host: h}, func(m *modelled) bool { return m.tag == g && m.host == h })
				case 6:
					purge(Purge{Soft: soft}, func(*modelled) bool { return true })
				}
			},
			"sweep": func(*rapid.T) { c.sweepOnce() },
			"": func(t *rapid.T) {
				for _, h := range []string{"a.example", "b.example"} {
					for _, p := range []string{"/", "/a", "/a/b", "/ab", "/b"} {
						for _, v := range []string{"x", "y"} {
							m := model[h+p+" "+v]
							got := c.Lookup(keyOf(h, p, ""), headers{"Accept": v})
							switch {
							case m == nil && got.Entry != nil:
								t.Fatalf("%s%s %s: got %q; want none", h, p, v, body(got))
							case m != nil && (body(got) != m.body || got.Validate != m.validate):
								t.Fatalf("%s%s %s: got %q validate=%t; want %q %t", h, p, v, body(got), got.Validate, m.body, m.validate)
							}
						}
					}
				}
			},
		})
	})
}

func begins(path, with string) bool { return len(path) >= len(with) && path[:len(with)] == with }
