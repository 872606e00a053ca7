package admin

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"weir/proxy/plans"
	"weir/ratelimit"
)

func planToPatch() plans.Plan {
	return plans.Plan{
		ID: "p", Name: "gold",
		Throttle: &plans.Throttle{Rate: 10, Burst: 20},
		Quota:    &plans.Quota{Limit: 100, Offset: 1, Period: ratelimit.Week},
		Stages:   []plans.Stage{{API: "pets", Stage: "prod", Throttle: map[string]plans.Throttle{"/pets/GET": {Rate: 1, Burst: 2}}}},
	}
}

func TestPatchPlan(t *testing.T) {
	f := func(operations string, change func(*plans.Plan)) {
		t.Helper()
		var list []patchOperation
		if err := json.Unmarshal([]byte(operations), &list); err != nil {
			t.Fatal(err)
		}
		got, want := planToPatch(), planToPatch()
		change(&want)
		if err := patchPlan(&got, list); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %+v, %v; want %+v", operations, got, err, want)
		}
	}
	f(`[]`, func(p *plans.Plan) {})
	f(`[{"op":"replace","path":"/name","value":"café"},{"op":"replace","path":"/description","value":""}]`, func(p *plans.Plan) { p.Name = "café" })
	f(`[{"op":"remove","path":"/throttle"}]`, func(p *plans.Plan) { p.Throttle = nil })
	f(`[{"op":"remove","path":"/throttle","value":""},{"op":"add","path":"/throttle/burstLimit","value":"3"}]`,
		func(p *plans.Plan) { p.Throttle = &plans.Throttle{Burst: 3} })
	f(`[{"op":"replace","path":"/throttle","value":"{\"rateLimit\":0.5,\"burstLimit\":1}"}]`, func(p *plans.Plan) { p.Throttle = &plans.Throttle{Rate: 0.5, Burst: 1} })
	f(`[{"op":"replace","path":"/throttle/rateLimit","value":"1e3"}]`, func(p *plans.Plan) { p.Throttle.Rate = 1000 })
	f(`[{"op":"remove","path":"/quota"}]`, func(p *plans.Plan) { p.Quota = nil })
	f(`[{"op":"remove","path":"/quota"},{"op":"add","path":"/quota/limit","value":"5"},{"op":"add","path":"/quota/period","value":"MONTH"}]`,
		func(p *plans.Plan) { p.Quota = &plans.Quota{Limit: 5, Period: ratelimit.Month} })
	f(`[{"op":"add","path":"/quota","value":"{\"limit\":5,\"period\":\"DAY\"}"}]`, func(p *plans.Plan) { p.Quota = &plans.Quota{Limit: 5} })
	f(`[{"op":"add","path":"/apiStages","value":"pets:$default"}]`, func(p *plans.Plan) { p.Stages = append(p.Stages, plans.Stage{API: "pets", Stage: "$default"}) })
	f(`[{"op":"remove","path":"/apiStages","value":"pets:prod"}]`, func(p *plans.Plan) { p.Stages = []plans.Stage{} })
	f(`[{"op":"remove","path":"/apiStages/pets:prod/throttle"}]`, func(p *plans.Plan) { p.Stages[0].Throttle = nil })
	f(`[{"op":"add","path":"/apiStages/pets:prod/throttle","value":"{\"/a/PUT\":{\"rateLimit\":3,\"burstLimit\":4}}"}]`,
		func(p *plans.Plan) { p.Stages[0].Throttle = map[string]plans.Throttle{"/a/PUT": {Rate: 3, Burst: 4}} })
	// The ways in which a path and its method are written.
	for _, method := range []string{"~1pets~1GET", "~1pets/GET", "/pets/GET", "pets/GET"} {
		f(`[{"op":"replace","path":"/apiStages/pets:prod/throttle/`+method+`/burstLimit","value":"9"}]`,
			func(p *plans.Plan) { p.Stages[0].Throttle["/pets/GET"] = plans.Throttle{Rate: 1, Burst: 9} })
		f(`[{"op":"remove","path":"/apiStages/pets:prod/throttle/`+method+`"}]`, func(p *plans.Plan) { delete(p.Stages[0].Throttle, "/pets/GET") })
	}
	for _, root := range []string{"~1/GET", "//GET", "~1~1GET"} {
		f(`[{"op":"add","path":"/apiStages/pets:prod/throttle/`+root+`/rateLimit","value":"7"}]`,
			func(p *plans.Plan) { p.Stages[0].Throttle["//GET"] = plans.Throttle{Rate: 7} })
	}
	f(`[{"op":"add","path":"/apiStages/pets:prod/throttle/~1~01~1GET/rateLimit","value":"7"}]`,
		func(p *plans.Plan) { p.Stages[0].Throttle["/~1/GET"] = plans.Throttle{Rate: 7} })
}

func TestPatchRefuses(t *testing.T) {
	f := func(operation, want string) {
		t.Helper()
		var o patchOperation
		if err := json.Unmarshal([]byte(operation), &o); err != nil {
			t.Fatal(err)
		}
		p := planToPatch()
		var bad *fault
		if err := patchPlan(&p, []patchOperation{o}); !errors.As(err, &bad) || bad.status != 400 || !strings.Contains(bad.text, want) {
			t.Errorf("%s: got %v; want a BadRequestException with %q", operation, err, want)
		}
	}
	f(`{"op":"replace","path":"","value":"x"}`, "slash")
	f(`{"op":"replace","path":"name","value":"x"}`, "slash")
	f(`{"op":"replace","path":"/","value":"x"}`, `"/" is not supported: there are /name`)
	f(`{"op":"replace","path":"/name/x","value":"x"}`, "not supported")
	f(`{"op":"replace","path":"/productCode","value":"x"}`, `"/productCode" is not supported`)
	f(`{"op":"add","path":"/name","value":"x"}`, "can be replace")
	f(`{"op":"copy","path":"/name","from":"/description"}`, "can be replace")
	f(`{"op":"replace","path":"/name"}`, "no value")
	f(`{"path":"/name","value":"x"}`, `"" of path "/name" is not supported`)
	f(`{"op":"remove","path":"/throttle/rateLimit"}`, "can be add or replace")
	f(`{"op":"add","path":"/throttle/rate","value":"1"}`, "/throttle/rateLimit")
	f(`{"op":"replace","path":"/throttle","value":"5"}`, "JSON like")
	f(`{"op":"replace","path":"/throttle","value":"{\"rate\":5}"}`, "JSON like")
	f(`{"op":"replace","path":"/throttle/burstLimit","value":"1.5"}`, "a whole number")
	f(`{"op":"replace","path":"/throttle/rateLimit","value":"many"}`, "a number")
	f(`{"op":"replace","path":"/quota/limit","value":"99999999999999999999"}`, "a whole number")
	f(`{"op":"replace","path":"/quota/period","value":"day"}`, "DAY, WEEK or MONTH")
	f(`{"op":"replace","path":"/quota","value":"{\"limit\":5}"}`, "period")
	f(`{"op":"replace","path":"/apiStages","value":"pets:prod"}`, "can be add or remove")
	f(`{"op":"add","path":"/apiStages","value":"pets"}`, "API:STAGE")
	f(`{"op":"remove","path":"/apiStages","value":"pets:dev"}`, `no stage "pets:dev"`)
	f(`{"op":"remove","path":"/apiStages"}`, "API:STAGE")
	f(`{"op":"remove","path":"/apiStages/pets:prod"}`, "not supported")
	f(`{"op":"add","path":"/apiStages/pets:dev/throttle/~1a~1GET/rateLimit","value":"1"}`, `no stage "pets:dev"`)
	f(`{"op":"add","path":"/apiStages/pets:prod/throttle/~1a~1GET","value":"1"}`, "can be remove")
	f(`{"op":"remove","path":"/apiStages/pets:prod/throttle/~1b~1GET"}`, `no limit for "/b/GET"`)

	begun := planToPatch()
	begun.Quota = nil
	five := "5"
	if err := patchPlan(&begun, []patchOperation{{Op: "add", Path: "/quota/limit", Value: &five}}); err == nil || !strings.Contains(err.Error(), "/quota/period") {
		t.Errorf("a quota without period: got %v", err)
	}
}

// Whatever operations come: no panic, only faults of the client, and a store
// that takes what they leave or says why not.
func FuzzPatch(f *testing.F) {
	for _, seed := range []string{
		`{"patchOperations":[{"op":"replace","path":"/throttle/rateLimit","value":"1"}]}`,
		`{"patchOperations":[{"op":"remove","path":"/quota"},{"op":"add","path":"/quota/limit","value":"-1"}]}`,
		`{"patchOperations":[{"op":"add","path":"/apiStages/pets:prod/throttle/~1a~1GET/rateLimit","value":"NaN"}]}`,
		`{"patchOperations":[{"op":"add","path":"/apiStages","value":"a:b"},{"op":"remove","path":"/apiStages","value":"pets:prod"}]}`,
		`{"patchOperations":[{"op":"replace","path":"/enabled","value":"true"},{"op":"replace","path":"/remaining","value":"7"}]}`,
		`{"patchOperations":[{"op":"replace","path":"/apiStages/pets:prod/throttle","value":"{},\"throttle\":{\"x\":{}}"}]}`,
		`{"patchOperations":[null,{}]}`, `{"PatchOperations":[]}`, `[]`, `{`,
	} {
		f.Add([]byte(seed))
	}
	store, err := plans.Open(plans.Options{})
	if err != nil {
		f.Fatal(err)
	}
	plan, err := store.CreatePlan(planToPatch())
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var read struct {
			Operations []patchOperation `json:"patchOperations"`
		}
		fails := func(err error) bool {
			if err == nil {
				return false
			}
			if f := faultOf(err); f.status >= 500 || f.text == "" {
				t.Fatalf("%q: got %d %v; want a fault of the client", body, f.status, err)
			}
			return true
		}
		if fails(decode(body, &read)) {
			return
		}
		for _, o := range read.Operations {
			_, err := o.remaining()
			fails(err)
		}
		var k plans.Key
		fails(patchKey(&k, read.Operations))
		changed, err := store.UpdatePlan(plan.ID, func(p *plans.Plan) error { return patchPlan(p, read.Operations) })
		if !fails(err) {
			if _, err := json.Marshal(showPlan(changed)); err != nil {
				t.Fatalf("%q: cannot show the plan: %v", body, err)
			}
			if _, err := store.UpdatePlan(plan.ID, func(p *plans.Plan) error { *p = planToPatch(); return nil }); err != nil {
				t.Fatal(err)
			}
		}
	})
}
