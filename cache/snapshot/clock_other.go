//go:build !linux

package snapshot

import "time"

// now reads the wall clock.
func now() moment { return moment{wall: time.Now().UnixNano()} }
