package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tally is what one connection saw.
type tally struct {
	requests, failures, refused int
	latencies, lates            []time.Duration
	firstFailure                error
	limited                     bool
}

// note counts one request, which began at the given moment.
func (t *tally) note(err error, began time.Time) {
	t.requests++
	if t.limited && errors.Is(err, errRefused) {
		t.refused++
		return
	}
	t.latencies = append(t.latencies, time.Since(began))
	if err == nil {
		return
	}
	t.failures++
	if t.firstFailure == nil {
		t.firstFailure = err
	}
}

// each runs work once per stream of each connection, all at once, and adds up what they saw.
func each(p plan, work func(c *client, t *tally)) outcome {
	clients, tallies := make([]*client, p.connections), make([]tally, p.connections*p.streams)
	began := time.Now()
	var all sync.WaitGroup
	for i := range clients {
		clients[i] = newClient(p)
		for stream := range p.streams {
			tallies[i*p.streams+stream].limited = p.limited
			all.Go(func() { work(clients[i], &tallies[i*p.streams+stream]) })
		}
	}
	all.Wait()

	o := outcome{Seconds: time.Since(began).Seconds()}
	for _, c := range clients {
		o.Closed += c.closed
		c.close()
	}
	var latencies, lates []time.Duration
	for _, t := range tallies {
		o.Requests += t.requests
		o.Failures += t.failures
		o.Refused += t.refused
		latencies = append(latencies, t.latencies...)
		lates = append(lates, t.lates...)
		if t.firstFailure != nil && o.FirstFailure == "" {
			o.FirstFailure = t.firstFailure.Error()
		}
	}
	slices.Sort(latencies)
	slices.Sort(lates)
	o.P50, o.P99, o.P999 = milliseconds(latencies, 0.5), milliseconds(latencies, 0.99), milliseconds(latencies, 0.999)
	o.Late99 = milliseconds(lates, 0.99)
	return o
}

// milliseconds is the given part of the sorted values, by nearest rank.
func milliseconds(sorted []time.Duration, part float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(part*float64(len(sorted))), len(sorted)-1)].Seconds() * 1000
}

// steady hands out moments at a fixed distance; whichever connection is free takes the next. When all are busy the
// moment passes and the wait counts, so that a slow server cannot hide by slowing the load down.
func steady(ctx context.Context, p plan) outcome {
	total := int(p.rate * p.duration.Seconds())
	began := time.Now().Add(100 * time.Millisecond) // time to dial first
	moments := make(chan time.Time, total)
	go func() {
		defer close(moments)
		runtime.LockOSThread()
		for k := range total {
			due := began.Add(time.Duration(float64(k) * float64(time.Second) / p.rate))
			sleep(time.Until(due))
			if ctx.Err() != nil {
				return
			}
			moments <- due
		}
	}()
	return each(p, func(c *client, t *tally) {
		if _, err := c.dial(); err != nil {
			t.note(err, time.Now())
			return
		}
		for due := range moments {
			t.lates = append(t.lates, time.Since(due))
			t.note(c.ask(), due)
		}
	})
}

// count asks a number of times in a closed loop.
func count(ctx context.Context, p plan) outcome {
	var next atomic.Int64
	return each(p, func(c *client, t *tally) {
		for ctx.Err() == nil && next.Add(1) <= int64(p.requests) {
			sent := time.Now()
			t.note(c.ask(), sent)
		}
	})
}

// saturate asks in a closed loop until the time is over.
func saturate(ctx context.Context, p plan) outcome {
	until := time.Now().Add(p.duration)
	return each(p, func(c *client, t *tally) {
		for ctx.Err() == nil {
			sent := time.Now()
			if !sent.Before(until) {
				return
			}
			t.note(c.ask(), sent)
		}
	})
}

// handshakes dials for each request, in a closed loop until the time is over; latency counts from the dialling.
func handshakes(ctx context.Context, p plan) outcome {
	until := time.Now().Add(p.duration)
	return each(p, func(c *client, t *tally) {
		for ctx.Err() == nil {
			began := time.Now()
			if !began.Before(until) {
				return
			}
			t.note(c.ask(), began)
			c.close()
		}
	})
}

// hold reports when every connection has served one request, keeps them until ctx ends, and reports again how many
// the server closed meanwhile.
func hold(ctx context.Context, p plan, stdout io.Writer) error {
	clients := make([]*client, 0, p.connections)
	defer func() {
		for _, c := range clients {
			c.close()
		}
	}()
	began := time.Now()
	for i := range p.connections {
		if ctx.Err() != nil {
			return nil
		}
		c := newClient(p)
		clients = append(clients, c)
		if err := c.ask(); err != nil {
			return fmt.Errorf("cannot hold connection %d: %w", i+1, err)
		}
		if c.link == nil {
			return fmt.Errorf("cannot hold connection %d: the server closed it", i+1)
		}
	}
	if err := report(stdout, outcome{Requests: len(clients), Seconds: time.Since(began).Seconds()}); err != nil {
		return err
	}
	<-ctx.Done()
	closed := 0
	for _, c := range clients {
		if !c.isOpen() {
			closed++
		}
	}
	return report(stdout, outcome{Requests: len(clients), Closed: closed})
}
