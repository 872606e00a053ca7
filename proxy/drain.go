package proxy

import (
	"time"

	"weir/proxy/front"
)

// drain ends the gateway in order: it says so on /readyz, stops accepting,
// lets requests end (their connections are told to close), gives tunnels their
// grace, and cuts what is left.
func (g *Gateway) drain() {
	g.state.Store(draining)
	g.log.Info().Msg("draining")
	if g.options.DrainDelay > 0 {
		time.Sleep(g.options.DrainDelay)
	}
	g.listening.close()
	close(g.limits.drained)
	var each []<-chan struct{}
	g.eachServer(func(s front.Drainer) { each = append(each, s.Drain()) })
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for _, e := range each {
			<-e
		}
	}()
	begun := time.Now()
	grace := time.NewTimer(min(g.options.TunnelGrace, g.options.DrainTimeout))
	defer grace.Stop()
	limit := time.NewTimer(g.options.DrainTimeout)
	defer limit.Stop()
	for {
		select {
		case <-ended:
			g.log.Info().Dur("took", time.Since(begun)).Msg("drained")
			return
		case <-grace.C:
			g.eachServer(front.Drainer.CloseTunnels)
		case <-limit.C:
			g.eachServer(front.Drainer.Close)
			<-ended
			g.log.Warn().Dur("took", time.Since(begun)).Msg("the time to drain passed; what was left was cut")
			return
		}
	}
}
