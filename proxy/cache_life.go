package proxy

import (
	"context"
	"time"

	"weir/cache"
	"weir/cache/snapshot"
)

// restoreFirst is how long a snapshot may keep a gateway from saying that it is
// ready; what is not back by then comes back meanwhile.
const restoreFirst = 2 * time.Second

// openCache makes the cache, and begins to put back what a snapshot has of it.
func (g *Gateway) openCache() error {
	var err error
	if g.cache, err = cache.New(cache.Config{Size: g.options.Cache.Size}); err != nil {
		return err
	}
	if g.options.Cache.Snapshot != "" && !g.options.ephemeral {
		g.restoring = snapshot.Load(g.cache, g.snapshotOptions())
	}
	return nil
}

// CacheMemory returns what TuneCollector needs to know of the cache: nothing where
// it is turned off.
func (g *Gateway) CacheMemory() CacheMemory {
	if g.cache == nil {
		return CacheMemory{}
	}
	return CacheMemory{Size: g.options.Cache.Size, Used: func() int64 { return g.cache.Stats().Bytes }}
}

func (g *Gateway) snapshotOptions() snapshot.Options {
	o := snapshot.Options{Path: g.options.Cache.Snapshot, Log: g.log}
	if g.restoring != nil {
		o.Position = g.heardOf()
	}
	return o
}

// closeCache ends the cache. What a gateway has that has drained is kept.
func (g *Gateway) closeCache() {
	if g.cache == nil {
		return
	}
	if g.restoring != nil {
		g.restoring.Stop()
		if g.state.Load() == draining {
			_ = snapshot.Save(context.Background(), g.cache, g.snapshotOptions()) // it logs what goes wrong
		}
	}
	if t := g.tier.now.Swap(nil); t != nil {
		t.Close()
	}
	g.cache.Close()
}
