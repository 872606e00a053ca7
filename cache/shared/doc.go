// Package shared is the cache's second tier: answers that several nodes have in
// common, in Redis or Valkey, and the purges that reach all of them.
//
// It is asked by fetches only, for a bounded time, and written to in the
// background: what the first tier has never waits for it. Purges stand in a
// stream that each node follows. A stored answer says how far its node had
// followed the stream when its fetch began, and whoever reads it holds it against
// all purges behind that; what cannot be held against them is not used.
package shared
