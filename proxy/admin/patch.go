package admin

import (
	"slices"
	"strconv"
	"strings"

	"weir/proxy/plans"
	"weir/ratelimit"
)

// patchOperation is one change of a resource, as AWS has them: in the shape of
// a JSON patch (RFC 6902), with values that are always strings.
type patchOperation struct {
	Op    string  `json:"op"`
	Path  string  `json:"path"`
	Value *string `json:"value"`
	From  *string `json:"from"`
}

// maxOperations bounds the work that is done while nothing else can be changed.
const maxOperations = 1000

// patch reads the operations that the body asks for.
func (c *call) patch() ([]patchOperation, error) {
	var body struct {
		Operations []patchOperation `json:"patchOperations"`
	}
	if err := c.read(&body); err != nil {
		return nil, err
	}
	if len(body.Operations) > maxOperations {
		return nil, badRequest("there are %d patchOperations; at most %d are allowed", len(body.Operations), maxOperations)
	}
	return body.Operations, nil
}

// may refuses operations other than those that are named.
func (o patchOperation) may(ops ...string) error {
	if !slices.Contains(ops, o.Op) {
		return badRequest("%q of path %q is not supported: it can be %s", o.Op, o.Path, strings.Join(ops, " or "))
	}
	if o.Value == nil && o.Op != "remove" {
		return badRequest("%q of path %q has no value", o.Op, o.Path)
	}
	return nil
}

// text returns the value, for add and replace there is one.
func (o patchOperation) text() string {
	if o.Value == nil {
		return ""
	}
	return *o.Value
}

func (o patchOperation) unsupported(paths ...string) error {
	return badRequest("path %q is not supported: there are %s", o.Path, strings.Join(paths, ", "))
}

func (o patchOperation) wrongValue(must string) error {
	return badRequest("the value of path %q is %q; it must be %s", o.Path, o.text(), must)
}

func (o patchOperation) integer(into *int64) error {
	n, err := strconv.ParseInt(o.text(), 10, 64)
	if err != nil {
		return o.wrongValue("a whole number")
	}
	*into = n
	return nil
}

// remaining returns what UpdateUsage is asked to leave of a quota.
func (o patchOperation) remaining() (n int64, err error) {
	if o.Path != "/remaining" {
		return 0, o.unsupported("/remaining")
	}
	if err := o.may("replace"); err != nil {
		return 0, err
	}
	return n, o.integer(&n)
}

// patchKey changes a key.
func patchKey(k *plans.Key, operations []patchOperation) error {
	for _, o := range operations {
		switch o.Path {
		case "/name", "/description", "/customerId", "/enabled":
		default:
			return o.unsupported("/name", "/description", "/customerId", "/enabled")
		}
		if err := o.may("replace"); err != nil {
			return err
		}
		switch o.Path {
		case "/name":
			k.Name = o.text()
		case "/description":
			k.Description = o.text()
		case "/customerId":
			k.CustomerID = o.text()
		case "/enabled":
			switch o.text() {
			case "true", "false":
				k.Enabled = o.text() == "true"
			default:
				return o.wrongValue("true or false")
			}
		}
	}
	return nil
}

// planPatch changes a plan. What the operations make together is checked by
// the store, so that a rate and its burst may come one after the other.
type planPatch struct {
	*plans.Plan
	periodless bool // the quota was begun here, and has no period yet
}

func patchPlan(p *plans.Plan, operations []patchOperation) error {
	patch := planPatch{Plan: p}
	for _, o := range operations {
		if err := patch.apply(o); err != nil {
			return err
		}
	}
	if patch.periodless && p.Quota != nil {
		return badRequest("the quota has no period: add path \"/quota/period\"")
	}
	return nil
}

func (p *planPatch) apply(o patchOperation) error {
	pointer := strings.Split(o.Path, "/")
	if pointer[0] != "" || len(pointer) < 2 {
		return badRequest("path %q does not begin with a slash", o.Path)
	}
	for i := range pointer {
		pointer[i] = unescape.Replace(pointer[i])
	}
	switch pointer = pointer[1:]; pointer[0] {
	case "name", "description":
		if len(pointer) > 1 {
			break
		}
		if err := o.may("replace"); err != nil {
			return err
		}
		if pointer[0] == "name" {
			p.Name = o.text()
		} else {
			p.Description = o.text()
		}
		return nil
	case "throttle":
		return p.throttle(o, pointer[1:])
	case "quota":
		return p.quota(o, pointer[1:])
	case "apiStages":
		return p.stages(o, pointer[1:])
	}
	return o.unsupported("/name", "/description", "/throttle", "/quota", "/apiStages")
}

// unescape reads a segment of a JSON pointer (RFC 6901 §4).
var unescape = strings.NewReplacer("~1", "/", "~0", "~")

func (p *planPatch) throttle(o patchOperation, pointer []string) error {
	if len(pointer) == 0 {
		if err := o.may("add", "replace", "remove"); err != nil {
			return err
		}
		if o.Op == "remove" {
			p.Throttle = nil
			return nil
		}
		var t throttle
		if err := decode([]byte(o.text()), &t); err != nil {
			return o.wrongValue(`JSON like {"rateLimit": 10, "burstLimit": 20}`)
		}
		whole := plans.Throttle(t)
		p.Throttle = &whole
		return nil
	}
	if len(pointer) > 1 || pointer[0] != "rateLimit" && pointer[0] != "burstLimit" {
		return o.unsupported("/throttle", "/throttle/rateLimit", "/throttle/burstLimit")
	}
	t := plans.Throttle{}
	if p.Throttle != nil {
		t = *p.Throttle
	}
	if err := o.limit(&t, pointer[0]); err != nil {
		return err
	}
	p.Throttle = &t
	return nil
}

// limit changes one member of a throttle.
func (o patchOperation) limit(t *plans.Throttle, member string) error {
	if err := o.may("add", "replace"); err != nil {
		return err
	}
	if member == "burstLimit" {
		burst, err := strconv.Atoi(o.text())
		if err != nil {
			return o.wrongValue("a whole number")
		}
		t.Burst = burst
		return nil
	}
	rate, err := strconv.ParseFloat(o.text(), 64)
	if err != nil {
		return o.wrongValue("a number")
	}
	t.Rate = rate
	return nil
}

func (p *planPatch) quota(o patchOperation, pointer []string) error {
	if len(pointer) == 0 {
		if err := o.may("add", "replace", "remove"); err != nil {
			return err
		}
		if p.Quota, p.periodless = nil, false; o.Op == "remove" {
			return nil
		}
		var q quota
		if err := decode([]byte(o.text()), &q); err != nil {
			return o.wrongValue(`JSON like {"limit": 1000, "offset": 0, "period": "DAY"}`)
		}
		var err error
		p.Quota, err = q.read()
		return err
	}
	if len(pointer) > 1 || !slices.Contains([]string{"limit", "offset", "period"}, pointer[0]) {
		return o.unsupported("/quota", "/quota/limit", "/quota/offset", "/quota/period")
	}
	if err := o.may("add", "replace"); err != nil {
		return err
	}
	if p.Quota == nil {
		p.Quota, p.periodless = &plans.Quota{}, true
	}
	switch pointer[0] {
	case "limit":
		return o.integer(&p.Quota.Limit)
	case "offset":
		return o.integer(&p.Quota.Offset)
	}
	period, err := ratelimit.ParsePeriod(o.text())
	if err != nil {
		return o.wrongValue("DAY, WEEK or MONTH")
	}
	p.Quota.Period, p.periodless = period, false
	return nil
}
