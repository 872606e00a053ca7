package proxy

import (
	"errors"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
)

const keyed = `
apis:
  pets:
    routes: [ { path: /pets, methods: [GET], apiKeyRequired: true, answer: { body: pets } } ]
    stages: { prod: {} }
domains: { "*": { mappings: { "(none)": pets/prod } } }
`

// What is made, changed and ended through the control listener holds for the
// next request.
func TestControlPlaneHolds(t *testing.T) {
	t.Parallel()
	g := startGateway(t, keyed, withControl)
	client, ctx := g.awsClient(), t.Context()
	get := func(value string, status int) {
		t.Helper()
		c := g.dial()
		defer c.Close()
		c.send("GET /pets HTTP/1.1\r\nHost: a\r\nX-Api-Key: " + value + "\r\nConnection: close\r\n\r\n")
		if a := c.answer("GET"); a.Status != status {
			t.Errorf("with %q: got %d %q; want %d", value, a.Status, a.Body, status)
		}
	}
	get(someValue, 403)
	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: aws.String(someValue), Enabled: true}))(t)
	get(someValue, 403) // it is in no plan
	plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("gold"),
		ApiStages: []types.ApiStage{{ApiId: aws.String("pets"), Stage: aws.String("prod")}}}))(t)
	must(client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)
	get(someValue, 200)

	patch := func(op types.Op, path, value string) {
		t.Helper()
		must(client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{patching(op, path, value)}}))(t)
	}
	must(client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{
		patching(types.OpAdd, "/quota/limit", "2"), patching(types.OpAdd, "/quota/period", "MONTH")}}))(t)
	get(someValue, 200)
	get(someValue, 200)
	get(someValue, 429)
	patch(types.OpReplace, "/quota/limit", "3")
	get(someValue, 200)
	get(someValue, 429) // what was counted before the change counts as well
	must(client.UpdateUsage(ctx, &apigateway.UpdateUsageInput{UsagePlanId: plan.Id, KeyId: key.Id,
		PatchOperations: []types.PatchOperation{patching(types.OpReplace, "/remaining", "1")}}))(t)
	get(someValue, 200)
	get(someValue, 429)
	patch(types.OpRemove, "/quota", "")
	get(someValue, 200)

	rotated := g.tell("POST", "/apikeys/"+*key.Id+"/rotate", `{"value":"`+someValue+`2"}`)
	if rotated.Status != 200 {
		t.Fatalf("got %d %s", rotated.Status, rotated.Body)
	}
	get(someValue, 200)
	get(someValue+"2", 200)

	enable := func(value string) {
		t.Helper()
		must(client.UpdateApiKey(ctx, &apigateway.UpdateApiKeyInput{ApiKey: key.Id, PatchOperations: []types.PatchOperation{patching(types.OpReplace, "/enabled", value)}}))(t)
	}
	enable("false")
	get(someValue+"2", 403)
	enable("true")
	get(someValue+"2", 200)
	patch(types.OpRemove, "/apiStages", "pets:prod")
	get(someValue+"2", 403)
	must(client.DeleteApiKey(ctx, &apigateway.DeleteApiKeyInput{ApiKey: key.Id}))(t)
	get(someValue+"2", 403)
}

// What stands in the document is shown, used and not changed.
func TestControlPlaneStatic(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages+`
usagePlans:
  gold: { stages: { pets/prod: {} }, quota: { limit: 10, period: DAY } }
`, withControl)
	client, ctx := g.awsClient(), t.Context()
	plan := must(client.GetUsagePlan(ctx, &apigateway.GetUsagePlanInput{UsagePlanId: aws.String("gold")}))(t)
	if plan.Quota.Limit != 10 || *plan.ApiStages[0].ApiId != "pets" {
		t.Errorf("got %+v; want what stands in the document", plan)
	}
	if a := g.ask("GET", "/usageplans/gold"); !strings.Contains(a.Body, `"static": true`) {
		t.Errorf("got %s; want it told", a.Body)
	}
	refused := func(err error) {
		t.Helper()
		var conflict *types.ConflictException
		if !errors.As(err, &conflict) || !strings.Contains(conflict.ErrorMessage(), "stands in the document") {
			t.Errorf("got %v; want a ConflictException that says where it stands", err)
		}
	}
	refused(second(client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id,
		PatchOperations: []types.PatchOperation{patching(types.OpReplace, "/name", "x")}})))
	refused(second(client.DeleteUsagePlan(ctx, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id})))

	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Enabled: true}))(t)
	must(client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)

	// A stage that is not there is said so, and a plan that names it is not made.
	_, err := client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("x"),
		ApiStages: []types.ApiStage{{ApiId: aws.String("pets"), Stage: aws.String("beta")}}})
	var missing *types.NotFoundException
	if !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), "pets/beta") {
		t.Errorf("got %v; want a NotFoundException that names the stage", err)
	}
}
