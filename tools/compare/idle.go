package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"
)

// idle opens connections that each serve one request and then stay, and reads how much the program's memory grew.
func idle(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	before, err := l.proc.pssKiB(t.process.pid())
	if err != nil {
		return sample{}, err
	}
	command := l.loadCommand(ctx, t, s, "-mode", "hold")
	var complaint bytes.Buffer
	command.Stderr = &complaint
	stdout, err := command.StdoutPipe()
	if err != nil {
		return sample{}, err
	}
	if err := command.Start(); err != nil {
		return sample{}, fmt.Errorf("cannot run load: %w", err)
	}
	outcomes := json.NewDecoder(stdout)
	var held, after loadOutcome
	grown, err := func() (int, error) {
		if err := outcomes.Decode(&held); err != nil {
			return 0, errors.New("no connections: " + complaint.String())
		}
		// Programs that give buffers back do it a moment later.
		time.Sleep(time.Second)
		now, err := l.proc.pssKiB(t.process.pid())
		return now - before, err
	}()
	_ = command.Process.Signal(syscall.SIGTERM) // may have ended by itself
	decodeErr := outcomes.Decode(&after)
	_, _ = io.Copy(io.Discard, stdout)
	waitErr := command.Wait()
	if err := errors.Join(err, decodeErr, waitErr); err != nil {
		return sample{}, err
	}
	if after.Closed > 0 {
		return sample{}, fmt.Errorf("%d of %d idle connections were closed", after.Closed, held.Requests)
	}
	return sample{Requests: held.Requests, KiBPerConnection: float64(grown) / float64(held.Requests)}, nil
}
