package proxy

import (
	"errors"

	"weir/proxy/config"
	"weir/proxy/plans"
)

// openPlans opens what is kept of API keys and usage plans. Where another
// process has the directory, they are in memory, which is good enough for a
// document that has none.
func (g *Gateway) openPlans() (err error) {
	options := plans.Options{Directory: g.options.Data, Log: g.log}
	if g.options.ephemeral {
		options.Directory = ""
	}
	g.plans, err = plans.Open(options)
	if errors.Is(err, plans.ErrLocked) {
		g.dataInUse = err
		options.Directory = ""
		g.plans, err = plans.Open(options)
	}
	return err
}

// mayServe refuses a document with API keys where these cannot be kept.
func (g *Gateway) mayServe(doc *config.Document) error {
	if g.dataInUse == nil {
		return nil
	}
	if usesKeys(doc) {
		return g.dataInUse
	}
	g.log.Warn().Err(g.dataInUse).Msg("API keys and usage plans made at run time will be forgotten at the end")
	return nil
}

func usesKeys(doc *config.Document) bool {
	if doc.APIKeys != nil || len(doc.UsagePlans) > 0 {
		return true
	}
	for _, api := range doc.APIs {
		for i := range api.Routes {
			if api.Routes[i].APIKeyRequired || api.Routes[i].Signature != nil {
				return true
			}
		}
	}
	return false
}

// stageExists tells whether the document that is served has a stage.
func (g *Gateway) stageExists(api, stage string) bool {
	live := g.live.Load()
	return live != nil && live.stages[api+"/"+stage]
}

// Plans returns the API keys and usage plans, for the control API.
func (g *Gateway) Plans() *plans.Store { return g.plans }
