//go:build !linux

package main

import "errors"

func pinSelf(int) error { return errors.New("pinning needs Linux") }
