// Package cache keeps answers in memory: ristretto decides what stays, this
// package that nothing wrong is given. It knows nothing of a proxy.
//
// A key leads to a slot that stays the same as long as ristretto has it. In the
// slot stand the entries of the key, one a variant (Vary), swapped atomically.
// An entry is not changed once published; its body may still be growing, and
// whoever reads it waits for more.
//
// A fill is one fetch of one key: the first to want it leads, the others wait
// for it or follow its body as it comes. Purges and invalidations are numbered:
// an entry is good only if no number of what concerns it is greater than the one
// at which its fetch began, so they reach fetches under way and cost nothing by
// the number of entries.
package cache
