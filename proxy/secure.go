package proxy

import (
	"log/slog"

	"github.com/rs/zerolog"

	weirtls "weir/tls"
)

// newManager makes what keeps certificates, ticket keys and the like for the process.
func newManager(options Options, log zerolog.Logger) (*weirtls.Manager, error) {
	return weirtls.New(weirtls.Config{Dir: options.Data, NoWatch: !options.Watch}, slog.New(zerolog.NewSlogHandler(log)))
}

// secure compiles how names are served over TLS.
func (c *compiler) secure() {
	terms, err := c.g.secure.Compile(weirtls.Settings{})
	if err != nil {
		c.mistake("tls", err)
		return
	}
	c.out.terms = terms
	c.out.securities = make(map[string]*security)
	for domain := range c.document.EffectiveDomains() {
		c.out.securities[domain] = &security{}
	}
}
