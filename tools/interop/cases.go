package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// allCases are those of the client's that need no account at a cloud.
func allCases() []string {
	return []string{
		"empty_unary", "large_unary", "client_streaming", "server_streaming", "ping_pong", "empty_stream",
		"timeout_on_sleeping_server", "cancel_after_begin", "cancel_after_first_response", "status_code_and_message",
		"special_status_message", "custom_metadata", "unimplemented_method", "unimplemented_service",
	}
}

func chooseCases(names string) ([]string, error) {
	if names == "" {
		return allCases(), nil
	}
	chosen := strings.Split(names, ",")
	for _, name := range chosen {
		if !slices.Contains(allCases(), name) {
			return nil, fmt.Errorf("cannot find case %q: there are %s", name, strings.Join(allCases(), ", "))
		}
	}
	return chosen, nil
}

// perform runs each case on each way and prints the table; a failure is told in the client's words below it.
func perform(ctx context.Context, o order, folder string, stdout io.Writer) error {
	stage, err := openStage(ctx, o, folder)
	if err != nil {
		return err
	}
	defer stage.close()
	if len(o.command) > 0 {
		return stage.runCommand(ctx, stdout)
	}

	head, rule := "| case |", "|---|"
	for _, w := range o.ways {
		head, rule = head+" "+w.name+" |", rule+"---|"
	}
	fmt.Fprintf(stdout, "%s\n%s\n", head, rule)
	var failures []string
	for _, name := range o.cases {
		row := "| " + name + " |"
		for _, w := range o.ways {
			if err := stage.runCase(ctx, w, name); err != nil {
				failures = append(failures, fmt.Sprintf("%s, %s: %v", w.name, name, err))
				row += " FAIL |"
				continue
			}
			row += " pass |"
		}
		fmt.Fprintln(stdout, row)
	}
	if len(failures) == 0 {
		return nil
	}
	return fmt.Errorf("%d cases failed\n\n%s", len(failures), strings.Join(failures, "\n\n"))
}

// runCommand runs the program that was asked for, which finds the way by a variable of its environment.
func (s *stage) runCommand(ctx context.Context, stdout io.Writer) error {
	command := exec.CommandContext(ctx, s.order.command[0], s.order.command[1:]...)
	command.Env = append(os.Environ(), "WEIR_URL="+s.order.ways[0].url(), "WEIR_CA="+s.certificate)
	command.Stdout, command.Stderr = stdout, os.Stderr
	if err := command.Run(); err != nil {
		return fmt.Errorf("cannot run %q: %w; weir's log tells of these:\n%s", s.order.command[0], err, s.complaints())
	}
	return nil
}

func (s *stage) runCase(ctx context.Context, w way, name string) error {
	ctx, cancel := context.WithTimeout(ctx, s.order.patience)
	defer cancel()
	host, port, err := w.entrance()
	if err != nil {
		return err
	}
	arguments := []string{"-server_host", host, "-server_port", port, "-test_case", name}
	if w.isTLS {
		arguments = append(arguments, "-use_tls", "-use_test_ca", "-ca_file", s.certificate, "-server_host_override", serverName)
	}
	said, err := exec.CommandContext(ctx, s.order.client, arguments...).CombinedOutput()
	if ctx.Err() != nil {
		err = errors.New("it did not end in time")
	}
	if err != nil {
		return fmt.Errorf("%w: %s", err, strings.TrimSpace(string(said)))
	}
	return nil
}
