// Package snapshot keeps what a cache has in a file while the process is not
// there: written when it drains, put back when it starts again.
//
// A snapshot is loaded once. What a process purges after it has loaded one would
// otherwise come back if that process ended without saving another.
package snapshot
