package config

import (
	"maps"
	"slices"
	"strings"
)

// rootBasePath is AWS's name for the empty base path.
const rootBasePath = "(none)"

// mapped is one base path and the stage it leads to.
type mapped struct {
	base       string
	api, stage string
}

// EffectiveDomains returns the domains as they are served: each base path leads
// to one "api/stage", the root is "", and without domains in the document every
// stage is mapped on "*". The maps are new and belong to the caller.
func (d *Document) EffectiveDomains() map[string]Domain {
	if len(d.Domains) == 0 {
		mappings := map[string]string{}
		for api := range d.APIs {
			for _, m := range d.expandMapping("", api) {
				mappings[m.base] = m.api + "/" + m.stage
			}
		}
		return map[string]Domain{AnyDomain: {Mappings: mappings}}
	}
	domains := make(map[string]Domain, len(d.Domains))
	for name, domain := range d.Domains {
		mappings := make(map[string]string, len(domain.Mappings))
		for base, target := range domain.Mappings {
			for _, m := range d.expandMapping(base, target) {
				mappings[m.base] = m.api + "/" + m.stage
			}
		}
		domains[name] = Domain{TLS: domain.TLS, Mappings: mappings}
	}
	return domains
}

// expandMapping returns the base paths that a mapping stands for: one, or one a
// stage where none is named. The stage $default stays at the base path itself.
func (d *Document) expandMapping(base, target string) []mapped {
	if base == rootBasePath {
		base = ""
	}
	api, stage, named := strings.Cut(target, "/")
	if named {
		return []mapped{{base: base, api: api, stage: stage}}
	}
	stages := d.APIs[api].stageNames()
	list := make([]mapped, 0, len(stages))
	for _, stage := range stages {
		m := mapped{base: base, api: api, stage: stage}
		if stage != DefaultName {
			m.base = strings.TrimPrefix(base+"/"+stage, "/")
		}
		list = append(list, m)
	}
	return list
}

// stageNames returns the stages of an API, also of one that names none.
func (a API) stageNames() []string {
	if len(a.Stages) == 0 {
		return []string{DefaultName}
	}
	return slices.Sorted(maps.Keys(a.Stages))
}

func (c *checker) domains(at *place) {
	for _, name := range inOrder(c.doc.Domains, at) {
		domain, here := c.doc.Domains[name], at.kid(name)
		if name != AnyDomain {
			c.complainKey(here, checkHostPattern(name))
		}
		if domain.TLS != nil {
			c.domainTLS(name, domain.TLS, here.kid("tls"))
		}
		if len(domain.Mappings) == 0 {
			c.missing(here, "a domain needs mappings", `write mappings: { "": api/stage }`)
		}
		c.mappings(domain.Mappings, here.kid("mappings"))
	}
}

func (c *checker) mappings(mappings map[string]string, at *place) {
	type taker struct {
		at   *place
		what string
	}
	seen := map[string]taker{}
	for _, base := range inOrder(mappings, at) {
		target, here := mappings[base], at.kid(base)
		c.complainKey(here, checkBasePath(base))
		if here.silenced() || !c.mappingTarget(target, here) {
			continue
		}
		for _, m := range c.doc.expandMapping(base, target) {
			if other, taken := seen[m.base]; taken {
				c.complainKey(here, complain("the base path "+quote(m.base)+" is mapped to "+other.what+" already"+onLine(other.at), ""))
				break
			}
			seen[m.base] = taker{here, m.api + "/" + m.stage}
		}
	}
}

// mappingTarget checks that the API and the stage of a mapping are there.
func (c *checker) mappingTarget(target string, at *place) bool {
	name, stage, named := strings.Cut(target, "/")
	api, found := c.doc.APIs[name]
	apis := c.doc.root.kid("apis")
	if !found {
		if !apis.unsure() && (!c.doc.root.incomplete || len(c.apiNames) > 0) {
			c.mistake(at, "there is no API "+quote(name), c.suggest(name, c.apiNames))
		}
		return false
	}
	if apis.kid(name).unsure() || apis.kid(name).kid("stages").silenced() {
		return false
	}
	if _, found := api.Stages[stage]; named && !found {
		stages := api.stageNames()
		suggestion := c.suggest(stage, stages)
		if suggestion == "" {
			suggestion = "the stages are " + listed(stages)
		}
		c.mistake(at, "the API "+quote(name)+" has no stage "+quote(stage), suggestion)
		return false
	}
	return true
}

// impliedMappings checks that every stage has a base path of its own where the
// document has no domains.
func (c *checker) impliedMappings(at *place) {
	seen := map[string]mapped{}
	for _, name := range c.apiNames {
		here := at.kid(name)
		for _, m := range c.doc.expandMapping("", name) {
			other, taken := seen[m.base]
			if !taken {
				seen[m.base] = m
				continue
			}
			where := here
			if stage := here.kid("stages").find(m.stage); stage != nil {
				where = stage
			}
			what := "the base path " + quote(m.base)
			if m.base == "" {
				what = "the root"
			}
			c.mistake(where, what+" of every host is taken by the API "+quote(other.api)+onLine(at.kid(other.api)), "say under domains which host or base path each API has")
		}
	}
}
