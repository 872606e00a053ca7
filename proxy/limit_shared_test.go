package proxy

import (
	"fmt"
	"path/filepath"
	"testing"

	"weir/ratelimit"
	"weir/ratelimit/shared"
)

// A document that cannot be served after all changes nothing of what nodes
// share, though its limits have the names of those that are served.
func TestBadDocumentKeepsSharedRates(t *testing.T) {
	t.Parallel()
	keys := filepath.Join(t.TempDir(), "keys.csv")
	write(t, keys, "Name,Key\nann,"+annsKey+"\n")
	document := func(burst int, plans string) string {
		return fmt.Sprintf(`
redis: { addresses: [ "127.0.0.1:1" ] }
apiKeys: { files: [ %q ] }
limits: { all: { rate: 1/h, burst: %d, shared: exact } }
usagePlans: { %s }
apis: { shop: { routes: [ { path: $default, apiKeyRequired: true, limits: [all], answer: {} } ] } }
`, keys, burst, plans)
	}
	const gold, twice = "gold: { stages: { shop: {} }, keys: [ann] }", ", iron: { stages: { shop: {} }, keys: [ann] }"
	g := startGateway(t, document(5, gold))
	rate, err := ratelimit.NewRate(1.0/3600, 5)
	if err != nil {
		t.Fatal(err)
	}
	all := g.limits.redis.client.Limit("limit:all", rate, shared.Exact, shared.Local)
	g.source.set(document(50, gold+twice))
	if err := g.Reload(); err == nil {
		t.Fatal("got no error for a key that is in two plans of a stage; want one")
	}
	if got := all.Bound(1, 0); got != 5 {
		t.Errorf("after a bad document: got a burst of %d; want 5", got)
	}
	g.reload(document(50, gold))
	if got := all.Bound(1, 0); got != 50 {
		t.Errorf("after a good one: got a burst of %d; want 50", got)
	}
}
