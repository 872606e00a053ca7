//go:build !linux

package proxy

import "syscall"

const reusePort = false

func setReusePort(_, _ string, _ syscall.RawConn) error { return nil }

func fileLimit() int { return 0 }
