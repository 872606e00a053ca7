//go:build race

package main

// underRace tells whether the race detector runs, which multiplies memory.
const underRace = true
