package proxy

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"

	"weir/proxy/config"
	"weir/proxy/plans"
	"weir/ratelimit"
)

// plans compiles the usage plans and the API keys that the document has.
func (c *compiler) plans() {
	doc := c.document
	at := make(map[string]int) // key to its place in the list
	if doc.APIKeys != nil {
		for i, file := range doc.APIKeys.Files {
			c.keys(file, config.Path("apiKeys", "files", i), at)
		}
	}
	for _, id := range slices.Sorted(maps.Keys(doc.UsagePlans)) {
		of := doc.UsagePlans[id]
		c.out.static.Plans = append(c.out.static.Plans, planOf(id, &of))
		for i, name := range of.Keys {
			k, found := at[name]
			if !found {
				c.mistake(config.Path("usagePlans", id, "keys", i), fmt.Errorf("there is no key %q in the files of apiKeys", name))
				continue
			}
			if key := &c.out.static.Keys[k]; !slices.Contains(key.Plans, id) {
				key.Plans = append(key.Plans, id)
			}
		}
	}
	if len(c.mistakes) == 0 {
		if err := c.g.plans.Check(c.out.static); err != nil {
			c.mistake(placeOfPlans(doc), err)
		}
	}
}

func placeOfPlans(doc *config.Document) string {
	if len(doc.UsagePlans) > 0 {
		return config.Path("usagePlans")
	}
	return config.Path("apiKeys")
}

// keys reads a file of API keys. Its bad lines are told of and left out.
func (c *compiler) keys(file, path string, at map[string]int) {
	f, err := os.Open(file)
	if err != nil {
		c.mistake(path, fmt.Errorf("cannot read the API keys: %w", err))
		return
	}
	defer f.Close()
	keys, warnings, err := plans.ReadKeys(f)
	if err != nil {
		c.mistake(path, err)
		return
	}
	for _, w := range warnings {
		c.g.log.Warn().Str("file", file).Msg("an API key was left out: " + w.String())
	}
	for _, key := range keys {
		at[key.Name] = len(c.out.static.Keys)
		c.out.static.Keys = append(c.out.static.Keys, key)
	}
}

// planOf makes of a plan in the document one of the store.
func planOf(id string, of *config.UsagePlan) plans.Plan {
	p := plans.Plan{ID: id, Name: id, Description: of.Description, Static: true}
	for _, target := range slices.Sorted(maps.Keys(of.Stages)) {
		api, stage, _ := strings.Cut(config.PlanTarget(target), "/")
		s := plans.Stage{API: api, Stage: stage, Throttle: make(map[string]plans.Throttle)}
		for key, t := range of.Stages[target].Throttle {
			s.Throttle[key] = *throttleOf(&t)
		}
		p.Stages = append(p.Stages, s)
	}
	if of.Throttle != nil {
		p.Throttle = throttleOf(of.Throttle)
	}
	if q := of.Quota; q != nil {
		period, err := ratelimit.ParsePeriod(q.Period)
		if err != nil {
			panic("BUG: " + err.Error() + ", which the check should have refused")
		}
		p.Quota = &plans.Quota{Limit: int64(q.Limit), Offset: int64(q.Offset), Period: period}
	}
	return p
}

func throttleOf(t *config.Throttle) *plans.Throttle {
	return &plans.Throttle{Rate: float64(t.Rate), Burst: t.Rate.BurstOr(t.Burst)}
}
