// Package house holds the rules of the repository that a compiler does not
// know: who may import whom, that documents cite what exists, that every
// dependency has its reason written down. Its tests apply them.
package house
