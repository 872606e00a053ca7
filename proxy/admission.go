package proxy

import (
	"net/netip"
	"sync"
	"sync/atomic"

	"weir/proxy/config"
)

// admission counts the connections of a listener, in total and by address.
type admission struct {
	total, perAddress atomic.Int64 // limits, 0 = none
	open              atomic.Int64
	mu                sync.Mutex
	byAddress         map[netip.Addr]int64
}

func newAdmission() *admission { return &admission{byAddress: make(map[netip.Addr]int64)} }

func (a *admission) limits(total, perAddress int) {
	a.total.Store(int64(total))
	a.perAddress.Store(int64(perAddress))
}

// enter counts a connection, or refuses it.
func (a *admission) enter(address netip.Addr) bool {
	if limit := a.total.Load(); a.open.Add(1) > limit && limit > 0 {
		a.open.Add(-1)
		return false
	}
	if !address.IsValid() {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if limit := a.perAddress.Load(); limit > 0 && a.byAddress[address] >= limit {
		a.open.Add(-1)
		return false
	}
	a.byAddress[address]++
	return true
}

func (a *admission) leave(address netip.Addr) {
	a.open.Add(-1)
	if !address.IsValid() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byAddress[address]--; a.byAddress[address] <= 0 {
		delete(a.byAddress, address)
	}
}

// limitsOf returns the connection limits of a listener: its own, else the flags'.
func (g *Gateway) limitsOf(l config.Listener) (total, perAddress int) {
	total, perAddress = l.MaxConnections, l.MaxConnectionsPerAddress
	if total == 0 {
		total = g.options.MaxConnections
	}
	if perAddress == 0 {
		perAddress = g.options.MaxConnectionsPerAddress
	}
	return total, perAddress
}
