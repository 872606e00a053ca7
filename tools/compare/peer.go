package main

import (
	"embed"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"
	"time"
)

//go:embed rivals
var rivals embed.FS

// peer is one program in one configuration.
type peer struct {
	name, program string
	// template is its configuration in rivals/; empty for weir, which takes flags.
	template string
	// stock leaves a rival's buffers as its packager ships them.
	stock bool
	// arguments follow the program's name; CONFIG, FOLDER and LISTEN stand for the rendered configuration, the scratch
	// folder and the address.
	arguments   []string
	environment []string
	versionArgs []string
	// logger is a second command that writes the access log, for a program that does not by itself.
	logger []string
}

func peers() map[string]peer {
	full := peer{name: "weir-default", program: "weir", environment: []string{"GOMAXPROCS=1"}, versionArgs: []string{"-version"}}
	quiet, equal := full, full
	quiet.name, quiet.arguments = "weir-quiet", []string{"-log.output", "off", "-metrics=false"}
	// The work that the rivals do: a log line of their form, and the fields that they send.
	equal.name, equal.arguments = "weir", []string{"-log.format", "combined", "-forward.forwarded=false", "-forward.trace=false"}
	nginx := peer{
		name: "nginx", program: "nginx", template: "nginx.conf", versionArgs: []string{"-v"},
		arguments: []string{"-c", "CONFIG", "-p", "FOLDER", "-e", "FOLDER/nginx-start.log"},
	}
	stock := nginx
	stock.name, stock.stock = "nginx-stock", true
	return map[string]peer{
		"weir":         equal,
		"weir-default": full,
		"weir-quiet":   quiet,
		"nginx":        nginx,
		"nginx-stock":  stock,
		"haproxy": {
			name: "haproxy", program: "haproxy", template: "haproxy.cfg", versionArgs: []string{"-v"},
			arguments: []string{"-db", "-f", "CONFIG"},
		},
		"varnish": {
			name: "varnish", program: "varnishd", template: "varnish.vcl", versionArgs: []string{"-V"},
			arguments: []string{"-F", "-j", "none", "-a", "LISTEN", "-f", "CONFIG", "-n", "FOLDER/varnish", "-s", "malloc,512m", "-t", "0", "-l", "256m", "-p", "thread_pools=1"},
			logger:    []string{"varnishncsa", "-n", "FOLDER/varnish", "-t", "10", "-w", "FOLDER/varnish.log"},
		},
		"caddy": {
			name: "caddy", program: "caddy", template: "Caddyfile", versionArgs: []string{"version"},
			arguments:   []string{"run", "--adapter", "caddyfile", "--config", "CONFIG"},
			environment: []string{"GOMAXPROCS=1", "HOME=FOLDER", "XDG_DATA_HOME=FOLDER"},
		},
	}
}

// setting fills the templates.
type setting struct {
	Folder, Log, Listen, Upstream string
	// Memory is a folder on a tmpfs.
	Memory string
	Stock  bool
	// TLS holds the files of the certificate; nil without TLS.
	TLS *keyPair
	// Budget is the requests a second that /budget/ gives each address, and Burst what may come at once.
	Budget, Burst int
	// Port is Listen's.
	Port                       string
	UpstreamHost, UpstreamPort string
	H2, H3                     bool
}

// target is a running peer.
type target struct {
	peer    peer
	front   front
	process *process
	logger  *process // nil where the program writes its log by itself
	address string
	// control is the address of weir's control API.
	control string
}

// startTarget runs the peer, pinned, and returns when it listens. A document is for weir, in place of -upstream.
func (l *lab) startTarget(p peer, f front, hasDocument bool) (*target, error) {
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	t := &target{peer: p, front: f, address: address}
	argv, err := l.commandLine(t, hasDocument)
	if err != nil {
		return nil, err
	}
	env := make([]string, 0, len(p.environment))
	for _, e := range p.environment {
		env = append(env, l.fill(e, ""))
	}
	if t.process, err = startProcess(l.folder, p.name, env, slices.Concat(l.pinProxy, argv), nil); err != nil {
		return nil, err
	}
	if err := l.awaitReady(t); err != nil {
		t.stop()
		return nil, err
	}
	if l.versions[p.program] == "" {
		l.versions[p.program] = versionOf(l.programs[p.program], p.versionArgs...)
	}
	return t, nil
}

// awaitReady returns when the target listens, and what writes its log is there.
func (l *lab) awaitReady(t *target) (err error) {
	if err := t.process.awaitListening(t.address); err != nil || t.peer.logger == nil {
		return err
	}
	argv := []string{l.programs[t.peer.logger[0]]}
	for _, argument := range t.peer.logger[1:] {
		argv = append(argv, l.fill(argument, ""))
	}
	if t.logger, err = startProcess(l.folder, t.peer.name+"-log", nil, slices.Concat(l.pinProxy, argv), nil); err != nil {
		return err
	}
	return nil
}

// stop ends the target's programs.
func (t *target) stop() {
	if t.logger != nil {
		t.logger.stop()
	}
	t.process.stop()
}

// cpu is the processor time that the target's programs have used.
func (t *target) cpu(p procfs) (time.Duration, error) {
	used, err := p.cpu(t.process.pid())
	if err != nil || t.logger == nil {
		return used, err
	}
	logging, err := p.cpu(t.logger.pid())
	return used + logging, err
}

func (l *lab) commandLine(t *target, hasDocument bool) ([]string, error) {
	if t.peer.template == "" {
		return l.weirCommandLine(t, hasDocument)
	}
	argv := []string{l.programs[t.peer.program]}
	configuration, err := l.render(t)
	if err != nil {
		return nil, err
	}
	for _, argument := range t.peer.arguments {
		argv = append(argv, strings.ReplaceAll(l.fill(argument, configuration), "LISTEN", t.address))
	}
	return argv, nil
}

func (l *lab) weirCommandLine(t *target, hasDocument bool) (_ []string, err error) {
	if t.control, err = freeAddress(); err != nil {
		return nil, err
	}
	argv := []string{
		l.programs[t.peer.program], "-control", t.control, "-log.output", filepath.Join(l.folder, t.peer.name+".log"),
	}
	// The flag replaces the document's listeners, and only those know of TLS.
	if !t.front.isTLS {
		argv = append(argv, "-listen", t.address)
	}
	if hasDocument || t.front.isTLS {
		path, err := l.writeDocument(t, 0)
		if err != nil {
			return nil, err
		}
		argv = append(argv, "-config", path)
	} else {
		argv = append(argv, "-upstream", "http://"+l.origin)
	}
	return slices.Concat(argv, l.order.weirFlags, t.peer.arguments), nil
}

func (l *lab) fill(argument, configuration string) string {
	return strings.NewReplacer("CONFIG", configuration, "FOLDER", l.folder).Replace(argument)
}

// render writes the peer's configuration into the scratch folder.
func (l *lab) render(t *target) (string, error) {
	form, err := template.ParseFS(rivals, "rivals/"+t.peer.template)
	if err != nil {
		return "", fmt.Errorf("cannot parse %q: %w", t.peer.template, err)
	}
	path := filepath.Join(l.folder, t.peer.name+"-"+t.peer.template)
	file, err := os.Create(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	values := setting{
		Folder: l.folder, Log: filepath.Join(l.folder, t.peer.name+".log"),
		Listen: t.address, Upstream: l.origin, Memory: l.memory, Stock: t.peer.stock,
		Budget: budget, Burst: budgetBurst,
		H2: t.front.carries("h2"), H3: t.front.carries("h3"),
	}
	if t.front.isTLS {
		values.TLS = l.keyPair()
	}
	if _, values.Port, err = net.SplitHostPort(t.address); err != nil {
		return "", err
	}
	if values.UpstreamHost, values.UpstreamPort, err = net.SplitHostPort(l.origin); err != nil {
		return "", err
	}
	return path, form.Execute(file, values)
}
