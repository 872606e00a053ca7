// Package bench measures the whole gateway: benchmarks over loopback sockets
// and in memory, and gates that hold its hot paths to no allocation at all.
// It has no code of its own; README.md says how to run it.
package bench
