package main

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// pinSelf keeps every thread of this process, and so all that it starts, on one processor.
func pinSelf(cpu int) error {
	var set unix.CPUSet
	set.Set(cpu)
	// A thread that starts meanwhile inherits from one that may not be pinned yet: the second pass finds it.
	for range 2 {
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, thread := range threads {
			id, err := strconv.Atoi(thread.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
				return err
			}
		}
	}
	return nil
}
