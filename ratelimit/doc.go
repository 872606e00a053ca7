// Package ratelimit decides what may pass now. It knows nothing of HTTP and
// nothing of weir: a caller hashes whom it limits to a key, reads a clock once,
// and obeys a Decision. Nothing here starts a goroutine, and no check allocates.
//
// # Kinds
//
//   - Bucket is one token bucket of one Rate: GCRA, the generic cell rate
//     algorithm, in one atomic word. Table holds buckets by key.
//   - Gate counts, by key, what is under way at once.
//   - Usage counts a Quota of a day, a week or a calendar month in UTC.
//   - Top finds the keys that are refused most.
//
// # What is promised
//
// Whatever runs at once, a key is given no more tokens than the burst and what
// the rate brings in any span of time, and under steady demand no fewer than 99
// percent of that: the time between two tokens is rounded up to nanoseconds. Who
// is refused takes nothing, so that asking again does not prolong the wait.
//
// A Rate may be replaced under a bucket. One that is emptier than the new rate
// could have made it counts as empty from then on.
//
// # Where it ends
//
// A table and a gate have the size that they were made with. A bucket that is
// full again is as good as none, so its slot is given to the next key that
// needs one; nothing sweeps. Keys that find no room share one bucket a rate, and
// begin with what it has left once they find room; with more than a thousand
// rates in that state, what comes on top is refused. In a gate such keys share
// one count. Both are counted as Overflowed.
//
// Buckets know only the time of their caller: it must be that of one Clock, and
// less than a second old, or a key may be given its burst once more. All takes of
// a key must ask for the same delay. A token must be given back, if at all,
// before the time of one token has passed.
//
// Keys must be secret, as those of Table.Key are: who could choose them would
// crowd one place of the table, and leave others there without room.
package ratelimit
