package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/http3"
)

// multiplexed is a connection that carries requests side by side. Any number of goroutines may use it.
type multiplexed struct {
	http.RoundTripper
	plan   plan
	scheme string
	// takesMore tells whether another request may be sent.
	takesMore func() bool
	isAlive   func() bool
	end       func() error

	mutex sync.Mutex
	busy  int
	// isLeaving closes the connection after the last request on it.
	isLeaving bool
}

// dialH2 speaks HTTP/2, without TLS by prior knowledge.
func dialH2(p plan) (link, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	l := &multiplexed{plan: p, scheme: "http"}
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true)
	if p.isTLS {
		l.scheme = "https"
		protocols = http.Protocols{}
		protocols.SetHTTP2(true)
	}
	dialer := net.Dialer{Timeout: p.timeout}
	transport := &http.Transport{
		TLSClientConfig: p.tls(), Protocols: &protocols, DisableCompression: true, DialContext: dialer.DialContext,
	}
	conn, err := transport.NewClientConn(ctx, l.scheme, p.address)
	if err != nil {
		return nil, fmt.Errorf("cannot begin HTTP/2: %w", err)
	}
	l.RoundTripper, l.end = conn, conn.Close
	// A connection that is ending has no room; a living one has more than the plan's streams fill.
	l.takesMore = func() bool { return conn.Available() > 0 }
	l.isAlive = func() bool { return conn.Err() == nil }
	return l, nil
}

func dialH3(p plan) (link, error) {
	ctx, cancel := context.WithTimeout(context.Background(), p.timeout)
	defer cancel()
	conn, err := quic.DialAddr(ctx, p.address, p.tls(), &quic.Config{MaxIdleTimeout: 10 * time.Minute})
	if err != nil {
		return nil, fmt.Errorf("cannot begin HTTP/3: %w", err)
	}
	transport := &http3.Transport{DisableCompression: true}
	isAlive := func() bool { return conn.Context().Err() == nil }
	return &multiplexed{
		RoundTripper: transport.NewClientConn(conn), plan: p, scheme: "https", takesMore: isAlive, isAlive: isAlive,
		end: func() error { return conn.CloseWithError(quic.ApplicationErrorCode(http3.ErrCodeNoError), "") },
	}, nil
}

func (l *multiplexed) exchange() (keep bool, err error) {
	if !l.begin() {
		return false, errUnsent
	}
	defer l.finish()
	ctx, cancel := context.WithTimeout(context.Background(), l.plan.timeout)
	defer cancel()
	var isSent atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { isSent.Store(true) }})
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, l.scheme+"://"+l.plan.host+l.plan.path, nil)
	if err != nil {
		return false, err
	}
	request.Header.Set("User-Agent", "load")
	answer, err := l.RoundTrip(request)
	if err != nil {
		if !isSent.Load() && !l.takesMore() {
			return false, errUnsent
		}
		return l.takesMore(), err
	}
	defer answer.Body.Close()
	got, err := io.Copy(io.Discard, answer.Body)
	switch {
	case err != nil:
	case answer.StatusCode == http.StatusTooManyRequests:
		err = errRefused
	case answer.StatusCode != http.StatusOK:
		err = fmt.Errorf("status %d", answer.StatusCode)
	case answer.ContentLength >= 0 && got != answer.ContentLength:
		err = io.ErrUnexpectedEOF
	}
	return l.takesMore(), err
}

func (l *multiplexed) isOpen() bool { return l.isAlive() }

// Close ends the connection, after the requests on it.
func (l *multiplexed) Close() error {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.isLeaving {
		return net.ErrClosed
	}
	l.isLeaving = true
	if l.busy > 0 {
		return nil
	}
	return l.end()
}

// begin tells whether the connection is still there to be used.
func (l *multiplexed) begin() bool {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if l.isLeaving {
		return false
	}
	l.busy++
	return true
}

func (l *multiplexed) finish() {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.busy--
	if l.isLeaving && l.busy == 0 {
		_ = l.end() // the server ended it already
	}
}
