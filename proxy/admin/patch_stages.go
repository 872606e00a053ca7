package admin

import (
	"slices"
	"strings"

	"weir/proxy/plans"
)

// stages changes the stages of a plan, or what one of them has for methods.
func (p *planPatch) stages(o patchOperation, pointer []string) error {
	switch {
	case len(pointer) == 0:
		return p.addOrRemoveStage(o)
	case len(pointer) < 2 || pointer[1] != "throttle":
		return o.unsupported("/apiStages", "/apiStages/API:STAGE/throttle",
			"/apiStages/API:STAGE/throttle/PATH/METHOD", "/apiStages/API:STAGE/throttle/PATH/METHOD/rateLimit (or burstLimit)")
	}
	at, err := p.stage(o, pointer[0])
	if err != nil {
		return err
	}
	stage := &p.Stages[at]
	if len(pointer) == 2 {
		return o.throttles(stage)
	}
	return o.method(stage, pointer[2:])
}

// stage returns which of the plan's stages "api:stage" is.
func (p *planPatch) stage(o patchOperation, text string) (int, error) {
	api, name, ok := strings.Cut(text, ":")
	if !ok {
		return 0, badRequest("path %q: %q is no stage of an API, which is written API:STAGE", o.Path, text)
	}
	at := slices.IndexFunc(p.Stages, func(s plans.Stage) bool { return s.API == api && s.Stage == name })
	if at < 0 {
		return 0, badRequest("path %q: the plan has no stage %q", o.Path, text)
	}
	return at, nil
}

func (p *planPatch) addOrRemoveStage(o patchOperation) error {
	if err := o.may("add", "remove"); err != nil {
		return err
	}
	if o.Op == "remove" {
		at, err := p.stage(o, o.text())
		if err != nil {
			return err
		}
		p.Stages = slices.Delete(p.Stages, at, at+1)
		return nil
	}
	api, name, ok := strings.Cut(o.text(), ":")
	if !ok {
		return o.wrongValue("an API and its stage, as API:STAGE")
	}
	p.Stages = append(p.Stages, plans.Stage{API: api, Stage: name})
	return nil
}

// throttles changes all that a stage has for methods.
func (o patchOperation) throttles(stage *plans.Stage) error {
	if err := o.may("add", "replace", "remove"); err != nil {
		return err
	}
	if stage.Throttle = nil; o.Op == "remove" {
		return nil
	}
	var all map[string]throttle
	if err := decode([]byte(o.text()), &all); err != nil {
		return o.wrongValue(`JSON like {"/pets/GET": {"rateLimit": 10, "burstLimit": 20}}`)
	}
	stage.Throttle = readThrottles(all)
	return nil
}

// method changes what a stage has for a method. The path of a resource has
// slashes, which not every client escapes: what is between is the path.
func (o patchOperation) method(stage *plans.Stage, pointer []string) error {
	member := pointer[len(pointer)-1]
	limits := len(pointer) > 1 && (member == "rateLimit" || member == "burstLimit")
	if limits {
		pointer = pointer[:len(pointer)-1]
	}
	method := strings.Join(pointer, "/")
	if !strings.HasPrefix(method, "/") {
		method = "/" + method
	}
	t, known := stage.Throttle[method]
	if !limits {
		if err := o.may("remove"); err != nil {
			return err
		}
		if !known {
			return badRequest("path %q: the stage has no limit for %q", o.Path, method)
		}
		delete(stage.Throttle, method)
		return nil
	}
	if err := o.limit(&t, member); err != nil {
		return err
	}
	if stage.Throttle == nil {
		stage.Throttle = make(map[string]plans.Throttle)
	}
	stage.Throttle[method] = t
	return nil
}
