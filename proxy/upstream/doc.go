// Package upstream sends requests to targets over HTTP/1.1 or HTTP/2 and hands
// back their answers. Connections are kept by shard, checked before they are
// used again, and never used again when anything about them is in doubt: each
// for one request at a time (conn, flight), or for many (session, stream).
//
// A Registry holds one Target for each address and lives as long as the
// process; documents come and go above it:
//
//	registry := upstream.NewRegistry(config, shards)
//	target, err := registry.Acquire(upstream.Address{URL: "http://10.0.0.1:8080"})
//	...
//	refusal := target.Send(x, &upstream.Call{Shard: x.Shard, Retry: true})
package upstream
