package house

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// module is the path of the main module.
const module = "weir"

// Package is what the rules need of what `go list -json` tells.
type Package struct {
	ImportPath   string
	Imports      []string
	TestImports  []string
	XTestImports []string
}

// Allowed says what the packages of weir may import beside Go's own library:
// module paths, and packages of weir by their full path. Tests may import
// what TestsMayImport lists beside. A package that is not here may not exist.
func Allowed() map[string][]string {
	const (
		fasthttp = "github.com/valyala/fasthttp"
		zerolog  = "github.com/rs/zerolog"
		sys      = "golang.org/x/sys"
	)
	return map[string][]string{
		// main → proxy → everything.
		"weir": {"weir/proxy", "weir/proxy/config", zerolog},
		"weir/proxy": {
			"weir/cache", "weir/cache/policy", "weir/cache/record", "weir/cache/shared", "weir/cache/snapshot", "weir/proxy/admin", "weir/proxy/auth", "weir/proxy/balance", "weir/proxy/config", "weir/proxy/exchange", "weir/proxy/front",
			"weir/proxy/grpc", "weir/proxy/h1", "weir/proxy/h2", "weir/proxy/h3", "weir/proxy/observe", "weir/proxy/plans",
			"weir/proxy/route", "weir/proxy/upstream", "weir/proxy/wire", "weir/ratelimit", "weir/ratelimit/shared", "weir/tls",
			fasthttp, zerolog, sys, "github.com/fsnotify/fsnotify", "github.com/klauspost/compress",
		},

		// What stands on others.
		"weir/proxy/admin":       {"weir/proxy/config", "weir/proxy/plans", "weir/ratelimit", fasthttp, "github.com/fasthttp/router"},
		"weir/proxy/balance":     {"weir/proxy/upstream"},
		"weir/proxy/front":       {"weir/proxy/exchange", "weir/proxy/wire"},
		"weir/proxy/front/cases": {},
		"weir/proxy/grpc":        {"weir/proxy/exchange"},
		"weir/proxy/h1":          {"weir/proxy/exchange", "weir/proxy/front", "weir/proxy/wire", fasthttp},
		"weir/proxy/h2": {
			"weir/proxy/exchange", "weir/proxy/frame", "weir/proxy/front", "weir/proxy/hpack", "weir/proxy/wire", fasthttp,
		},
		"weir/proxy/h3": {
			"weir/proxy/exchange", "weir/proxy/front", "weir/proxy/hpack", "weir/proxy/wire", fasthttp, "github.com/quic-go/quic-go",
		},
		"weir/proxy/auth":    {"weir/proxy/exchange", "weir/ratelimit", fasthttp},
		"weir/proxy/plans":   {"weir/ratelimit", zerolog, "github.com/dchest/siphash", "go.etcd.io/bbolt"},
		"weir/proxy/observe": {"weir/proxy/config", zerolog, sys, "github.com/prometheus/client_golang", "github.com/prometheus/common"},
		"weir/proxy/upstream": {
			"weir/proxy/config", "weir/proxy/exchange", "weir/proxy/frame", "weir/proxy/grpc", "weir/proxy/hpack",
			"weir/proxy/wire", "weir/tls", fasthttp,
		},

		"weir/cache/shared":     {"weir/cache", "weir/cache/record", "weir/ratelimit/shared", "github.com/redis/rueidis"},
		"weir/ratelimit/shared": {"weir/ratelimit", "github.com/redis/rueidis"},
		"weir/cache/record":     {"weir/cache", "weir/cache/policy", "github.com/cespare/xxhash/v2"},
		"weir/cache/snapshot":   {"weir/cache", "weir/cache/record", zerolog, sys, "github.com/cespare/xxhash/v2"},
		"weir/cache":            {"weir/cache/policy", "github.com/cespare/xxhash/v2", "github.com/dgraph-io/ristretto/v2"},

		// What knows nothing of weir.
		"weir/proxy/config":   {"go.yaml.in/yaml/v3"},
		"weir/proxy/exchange": {fasthttp},
		"weir/proxy/frame":    {},
		"weir/proxy/hpack":    {},
		"weir/proxy/route":    {},
		"weir/proxy/wire":     {"weir/cache/policy", fasthttp, sys},
		"weir/ratelimit":      {},
		"weir/cache/policy":   {},
		"weir/tls": {
			"github.com/caddyserver/certmagic", "github.com/fsnotify/fsnotify", "github.com/libdns/libdns", "github.com/mholt/acmez/v3",
			"github.com/miekg/dns", "go.uber.org/zap", "golang.org/x/crypto",
		},

		// For the people who work on weir.
		"weir/bench":                      {"weir/proxy", "weir/proxy/config", "weir/proxy/exchange", fasthttp, zerolog, sys},
		"weir/loadtest":                   {},
		"weir/ratelimit/shared/redistest": {},

		"weir/tools/cachesuite": {},
		"weir/tools/compare":    {sys},
		"weir/tools/docs":       {"weir/proxy", "weir/proxy/config", "weir/proxy/exchange", "weir/proxy/observe"},
		"weir/tools/house":      {},
		"weir/tools/interop":    {sys},
		"weir/tools/load":       {sys, "github.com/quic-go/quic-go"},
		"weir/tools/upstream":   {fasthttp, "github.com/fasthttp/websocket"},
	}
}

// TestsMayImport lists what the tests of every package may import: tools for
// tests, and all of weir but main, for a test may drive what its package serves.
func TestsMayImport() []string {
	return []string{
		"github.com/aws/aws-sdk-go-v2", "github.com/aws/smithy-go",
		"github.com/dgraph-io/ristretto/v2", "github.com/dunglas/httpsfv", "github.com/fasthttp/websocket", "github.com/maypok86/otter/v2",
		"github.com/prometheus/client_golang", "github.com/quic-go/qpack", "github.com/quic-go/quic-go", "github.com/rogpeppe/go-internal",
		"github.com/rs/zerolog", "github.com/santhosh-tekuri/jsonschema/v6", "github.com/valyala/fasthttp",
		"go.uber.org/goleak", "go.yaml.in/yaml/v3", "golang.org/x/net", "golang.org/x/sys", "golang.org/x/time", "pgregory.net/rapid",
	}
}

// ReadPackages reads the output of `go list -json`.
func ReadPackages(r io.Reader) ([]Package, error) {
	var out []Package
	for in := json.NewDecoder(r); ; {
		var p Package
		switch err := in.Decode(&p); err {
		case nil:
			out = append(out, p)
		case io.EOF:
			return out, nil
		default:
			return nil, fmt.Errorf("cannot read the list of packages: %w", err)
		}
	}
}

// CheckImports returns each breach of allowed, as a sentence.
func CheckImports(packages []Package, allowed map[string][]string, testsToo []string) []string {
	var breaches []string
	seen := make(map[string]bool)
	for _, p := range packages {
		seen[p.ImportPath] = true
		may, listed := allowed[p.ImportPath]
		if !listed {
			breaches = append(breaches, fmt.Sprintf("%s is in no row of the table", p.ImportPath))
			continue
		}
		for _, path := range p.Imports {
			if !isStandard(path) && !covers(may, path) {
				breaches = append(breaches, fmt.Sprintf("%s imports %s", p.ImportPath, path))
			}
		}
		for _, path := range append(slices.Clone(p.TestImports), p.XTestImports...) {
			if isStandard(path) || covers(may, path) || covers(testsToo, path) || strings.HasPrefix(path, module+"/") {
				continue
			}
			breaches = append(breaches, fmt.Sprintf("the tests of %s import %s", p.ImportPath, path))
		}
	}
	for path := range allowed {
		if !seen[path] {
			breaches = append(breaches, fmt.Sprintf("%s is in the table and not in the tree", path))
		}
	}
	slices.Sort(breaches)
	return breaches
}

// isStandard tells whether path is of Go's own library: its first element has
// no dot, and it is not of weir.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return first != module && !strings.Contains(first, ".")
}

// covers tells whether may has path, or the module that path is a package of.
// Packages of weir are listed one by one.
func covers(may []string, path string) bool {
	for _, m := range may {
		if path == m || strings.HasPrefix(path, m+"/") && !strings.HasPrefix(m, module) {
			return true
		}
	}
	return false
}
