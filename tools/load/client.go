package main

import (
	"crypto/tls"
	"errors"
	"net"
	"sync"
)

// link is one connection to the server.
type link interface {
	// exchange sends one request and reads the whole answer; keep tells whether the connection takes another.
	exchange() (keep bool, err error)
	// isOpen tells whether an idle connection still stands.
	isOpen() bool
	Close() error
}

// errRefused is an answer that tells of too many requests.
var errRefused = errors.New("status 429")

// errUnsent is a request that the connection did not take, so that another can be asked without asking twice.
var errUnsent = errors.New("cannot send on a connection that the server is ending")

// client keeps one connection, which it dials when it is first asked and again after the server ended it. As many
// goroutines may ask at once as the plan has streams.
type client struct {
	plan plan

	mutex sync.Mutex
	link  link
	// closed counts the connections that the server ended.
	closed int
}

func newClient(p plan) *client { return &client{plan: p} }

// dial returns the connection, a new one where there is none.
func (c *client) dial() (link, error) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.link != nil {
		return c.link, nil
	}
	var err error
	c.link, err = c.plan.dial()
	return c.link, err
}

// ask sends one request and reads the whole answer. A request is never repeated: a connection that the server closed
// under it counts as its failure. One that the server announced to close takes none.
func (c *client) ask() error {
	for {
		l, err := c.dial()
		if err != nil {
			return err
		}
		keep, err := l.exchange()
		if !keep {
			c.drop(l)
		}
		if err != errUnsent {
			return err
		}
	}
}

// drop counts a connection that the server ended; the first of those who noticed closes it.
func (c *client) drop(l link) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.link == l {
		c.closed++
		c.link = nil
		l.Close()
	}
}

func (c *client) close() {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if c.link != nil {
		c.link.Close()
		c.link = nil
	}
}

func (c *client) isOpen() bool {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return c.link != nil && c.link.isOpen()
}

func (p plan) dial() (link, error) {
	switch p.protocol {
	case "h2":
		return dialH2(p)
	case "h3":
		return dialH3(p)
	}
	return dialH1(p)
}

// tls is the same for all, so that all servers do the same work: one group, no resumption, and no look at the
// certificate, which whoever measures has made.
func (p plan) tls() *tls.Config {
	name, _, err := net.SplitHostPort(p.host)
	if err != nil {
		name = p.host
	}
	return &tls.Config{
		ServerName: name, NextProtos: []string{p.protocol}, InsecureSkipVerify: true,
		MinVersion: tls.VersionTLS13, CurvePreferences: []tls.CurveID{tls.X25519},
	}
}
