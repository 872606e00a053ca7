package ratelimit_test

import (
	"fmt"

	"weir/ratelimit"
)

// Each address may send one request a second, and three at once to begin with.
func Example() {
	rate, err := ratelimit.NewRate(1, 3)
	if err != nil {
		fmt.Println(err)
		return
	}
	clock := ratelimit.NewClock()
	table := ratelimit.NewTable(10_000)
	key := table.Key([]byte("by address/203.0.113.7"))

	now := clock.Now()
	for range 4 {
		d := table.Take(key, now, rate, 0)
		fmt.Println(d.Allowed, d.Remaining, d.Wait)
	}
	fmt.Println(rate)
	// Output:
	// true 2 0s
	// true 1 0s
	// true 0 0s
	// false 0 1s
	// 1/s, burst 3
}
