package proxy

import (
	_ "embed"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"

	"weir/proxy/config"
)

// FileSource serves the document in a file.
type FileSource struct {
	Path string
	last atomic.Pointer[config.Document]
}

// Document reads the file.
func (s *FileSource) Document() (*config.Document, error) {
	doc, err := config.Load(s.Path)
	if err == nil {
		s.last.Store(doc)
	}
	return doc, err
}

// Files returns the file and those that the last good document names.
func (s *FileSource) Files() []string {
	files := []string{s.Path}
	doc := s.last.Load()
	if doc == nil {
		return files
	}
	for _, u := range doc.Upstreams {
		if u.TLS != nil {
			files = append(files, u.TLS.CA, u.TLS.Cert, u.TLS.Key)
		}
	}
	if doc.Redis != nil && doc.Redis.TLS != nil {
		files = append(files, doc.Redis.TLS.CA, doc.Redis.TLS.Cert, doc.Redis.TLS.Key)
	}
	if doc.APIKeys != nil {
		files = append(files, doc.APIKeys.Files...)
	}
	files = slices.DeleteFunc(files, func(file string) bool { return file == "" })
	slices.Sort(files)
	return slices.Compact(files)
}

// UpstreamSource serves a reverse proxy in front of targets, all paths alike.
type UpstreamSource struct {
	Targets []string
	Cache   bool // answers are kept by the standard rules
}

// Document makes the document that says so.
func (s *UpstreamSource) Document() (*config.Document, error) {
	doc := &config.Document{
		APIs: map[string]config.API{"proxy": {
			Routes: []config.Route{{Path: config.DefaultName, Upstream: "upstream"}},
		}},
		Upstreams: map[string]config.Upstream{"upstream": {Targets: slices.Clone(s.Targets)}},
	}
	if s.Cache {
		api := doc.APIs["proxy"]
		api.Cache = &config.Cache{}
		doc.APIs["proxy"] = api
	}
	return doc, doc.Check("")
}

// Files returns nil: flags do not change.
func (s *UpstreamSource) Files() []string { return nil }

//go:embed demo.yaml
var demoDocument string

// DemoSource serves the built-in demo, with an upstream inside the process.
type DemoSource struct {
	echo    *echo
	address string
}

// NewDemoSource starts the demo's upstream on a free port of the loopback.
func NewDemoSource() (*DemoSource, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot start the upstream of the demo: %w", err)
	}
	return &DemoSource{echo: startEcho(ln), address: ln.Addr().String()}, nil
}

// Document returns the demo's document.
func (s *DemoSource) Document() (*config.Document, error) {
	return config.Parse("demo.yaml", []byte(strings.ReplaceAll(demoDocument, "ECHO_ADDRESS", s.address)))
}

// Files returns nil: the demo is a part of the program.
func (s *DemoSource) Files() []string { return nil }

// Close stops the demo's upstream.
func (s *DemoSource) Close() { s.echo.stop() }
