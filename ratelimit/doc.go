// Package ratelimit decides what may pass now: token buckets (GCRA) in one
// atomic word, tables of them by key, requests at once by key, and quotas per
// day, week or month. It knows nothing of HTTP and nothing of weir.
package ratelimit
