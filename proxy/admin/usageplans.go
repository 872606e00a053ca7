package admin

import (
	"errors"

	"weir/proxy/plans"
	"weir/ratelimit"
)

// usagePlan is a plan in JSON.
type usagePlan struct {
	ID          string            `json:"id"`
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Stages      []apiStage        `json:"apiStages"`
	Throttle    *throttle         `json:"throttle,omitempty"`
	Quota       *quota            `json:"quota,omitempty"`
	Tags        map[string]string `json:"tags,omitempty"`
	Static      bool              `json:"static,omitempty"`
}

type apiStage struct {
	API      string              `json:"apiId"`
	Stage    string              `json:"stage"`
	Throttle map[string]throttle `json:"throttle,omitempty"`
}

type throttle struct {
	Rate  float64 `json:"rateLimit"`
	Burst int     `json:"burstLimit"`
}

type quota struct {
	Limit  int64  `json:"limit"`
	Offset int64  `json:"offset"`
	Period string `json:"period"`
}

func (q quota) read() (*plans.Quota, error) {
	period, err := ratelimit.ParsePeriod(q.Period)
	if err != nil {
		return nil, badRequest("quota.period: %s", err)
	}
	return &plans.Quota{Limit: q.Limit, Offset: q.Offset, Period: period}, nil
}

func showThrottles(of map[string]plans.Throttle) map[string]throttle {
	shown := make(map[string]throttle, len(of))
	for method, t := range of {
		shown[method] = throttle(t)
	}
	return shown
}

func readThrottles(of map[string]throttle) map[string]plans.Throttle {
	var read map[string]plans.Throttle
	for method, t := range of {
		if read == nil {
			read = make(map[string]plans.Throttle, len(of))
		}
		read[method] = plans.Throttle(t)
	}
	return read
}

func showPlan(p plans.Plan) usagePlan {
	shown := usagePlan{
		ID: p.ID, Name: p.Name, Description: p.Description, Stages: make([]apiStage, len(p.Stages)), Tags: p.Tags, Static: p.Static,
	}
	for i, s := range p.Stages {
		shown.Stages[i] = apiStage{s.API, s.Stage, showThrottles(s.Throttle)}
	}
	if p.Throttle != nil {
		t := throttle(*p.Throttle)
		shown.Throttle = &t
	}
	if p.Quota != nil {
		shown.Quota = &quota{p.Quota.Limit, p.Quota.Offset, p.Quota.Period.String()}
	}
	return shown
}

type newPlan struct {
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Stages      []apiStage        `json:"apiStages"`
	Throttle    *throttle         `json:"throttle"`
	Quota       *quota            `json:"quota"`
	Tags        map[string]string `json:"tags"`
}

func (n newPlan) read() (plans.Plan, error) {
	p := plans.Plan{Name: n.Name, Description: n.Description, Tags: n.Tags}
	for _, s := range n.Stages {
		p.Stages = append(p.Stages, plans.Stage{API: s.API, Stage: s.Stage, Throttle: readThrottles(s.Throttle)})
	}
	if n.Throttle != nil {
		t := plans.Throttle(*n.Throttle)
		p.Throttle = &t
	}
	if n.Quota == nil {
		return p, nil
	}
	var err error
	p.Quota, err = n.Quota.read()
	return p, err
}

func createPlan(c *call) (int, any, error) {
	var n newPlan
	if err := c.read(&n); err != nil {
		return 0, nil, err
	}
	p, err := n.read()
	if err != nil {
		return 0, nil, err
	}
	p, err = c.store.CreatePlan(p)
	c.plan = p.ID
	return 201, showPlan(p), err
}

func listPlans(c *call) (int, any, error) {
	page, err := c.page()
	if err != nil {
		return 0, nil, err
	}
	found, next, err := c.store.Plans(c.query("keyId"), page)
	return 200, show(found, next, showPlan), err
}

func getPlan(c *call) (int, any, error) {
	p, err := c.store.Plan(c.plan)
	return 200, showPlan(p), err
}

func updatePlan(c *call) (int, any, error) {
	operations, err := c.patch()
	if err != nil {
		return 0, nil, err
	}
	p, err := c.store.UpdatePlan(c.plan, func(p *plans.Plan) error { return patchPlan(p, operations) })
	return 200, showPlan(p), err
}

func deletePlan(c *call) (int, any, error) { return 202, nil, c.store.DeletePlan(c.plan) }

// planKey is a key of a plan in JSON.
type planKey struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
}

const keyType = "API_KEY"

func showPlanKey(k plans.Key) planKey { return planKey{k.ID, keyType, k.Name} }

type newPlanKey struct {
	ID   string `json:"keyId"`
	Type string `json:"keyType"`
}

func addPlanKey(c *call) (int, any, error) {
	var n newPlanKey
	if err := c.read(&n); err != nil {
		return 0, nil, err
	}
	if n.Type != keyType {
		return 0, nil, badRequest("keyType is %q; the only one is %s", n.Type, keyType)
	}
	c.key = n.ID
	key, err := c.store.AddPlanKey(c.plan, n.ID)
	if errors.Is(err, plans.ErrConflict) && c.inAllPlans(n.ID) {
		err = &fault{429, "LimitExceededException", err.Error()}
	}
	return 201, showPlanKey(key), err
}

// inAllPlans tells whether the key is in as many plans as it may be.
func (c *call) inAllPlans(key string) bool {
	in, _, err := c.store.Plans(key, plans.Page{Limit: plans.MaxPlansOfKey})
	return err == nil && len(in) == plans.MaxPlansOfKey
}

func listPlanKeys(c *call) (int, any, error) {
	page, err := c.page()
	if err != nil {
		return 0, nil, err
	}
	keys, next, err := c.store.PlanKeys(c.plan, c.query("name"), page)
	return 200, show(keys, next, showPlanKey), err
}

func getPlanKey(c *call) (int, any, error) {
	key, err := c.store.PlanKey(c.plan, c.key)
	return 200, showPlanKey(key), err
}

func removePlanKey(c *call) (int, any, error) { return 202, nil, c.store.RemovePlanKey(c.plan, c.key) }
