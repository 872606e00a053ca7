package proxy

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/apigateway"
	"github.com/aws/aws-sdk-go-v2/service/apigateway/types"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

// awsClient is AWS's own client, pointed at the control listener as
// docs/api-keys.md says.
func (g *testGateway) awsClient(options ...func(*apigateway.Options)) *apigateway.Client {
	connections := &http.Transport{}
	g.t.Cleanup(connections.CloseIdleConnections)
	credentials := aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
		return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any"}, nil
	})
	return apigateway.New(apigateway.Options{
		BaseEndpoint: aws.String("http://" + g.ControlAddress()), Region: "local", Credentials: credentials,
		HTTPClient: &http.Client{Transport: connections}, RetryMaxAttempts: 1,
	}, options...)
}

// twoStages has an API with two stages.
const twoStages = `
apis:
  pets:
    routes: [ { path: /pets, methods: [GET], answer: { body: pets } } ]
    stages: { dev: {}, prod: {} }
`

// must returns what a call of AWS's client returns, which is no error.
func must[T any](out T, err error) func(testing.TB) T {
	return func(t testing.TB) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
}

func patching(op types.Op, path, value string) types.PatchOperation {
	o := types.PatchOperation{Op: op, Path: aws.String(path)}
	if value != "" {
		o.Value = aws.String(value)
	}
	return o
}

const someValue = "abcdefghijklmnopqrstuvwxyz0123456789"

func TestControlPlaneKeys(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()

	made := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{
		Name: aws.String("café ☕"), Description: aws.String("of Zoë"), CustomerId: aws.String("c-1"),
		Enabled: true, GenerateDistinctId: true, Tags: map[string]string{"team": "pets"},
	}))(t)
	if len(*made.Value) < 20 || *made.Name != "café ☕" || !made.Enabled || made.Tags["team"] != "pets" {
		t.Errorf("CreateApiKey: got %+v", made)
	}
	if age := time.Since(*made.CreatedDate); age < -time.Second || age > time.Minute || *made.LastUpdatedDate != *made.CreatedDate {
		t.Errorf("CreateApiKey: got dates %s and %s; want now", made.CreatedDate, made.LastUpdatedDate)
	}
	got := must(client.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: made.Id, IncludeValue: aws.Bool(true)}))(t)
	if *got.Name != *made.Name || *got.Description != "of Zoë" || *got.CustomerId != "c-1" || got.Value != nil {
		t.Errorf("GetApiKey: got %+v; want the key without its value", got)
	}

	given := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("given"), Value: aws.String(someValue)}))(t)
	if *given.Value != someValue || given.Enabled {
		t.Errorf("CreateApiKey with a value: got %+v; want it, and disabled as nothing else is asked for", given)
	}

	changed := must(client.UpdateApiKey(ctx, &apigateway.UpdateApiKeyInput{ApiKey: given.Id, PatchOperations: []types.PatchOperation{
		patching(types.OpReplace, "/name", "renamed"), patching(types.OpReplace, "/description", "new"),
		patching(types.OpReplace, "/enabled", "true"), patching(types.OpReplace, "/customerId", "c-2"),
	}}))(t)
	if *changed.Name != "renamed" || *changed.Description != "new" || !changed.Enabled || *changed.CustomerId != "c-2" {
		t.Errorf("UpdateApiKey: got %+v", changed)
	}

	must(client.DeleteApiKey(ctx, &apigateway.DeleteApiKeyInput{ApiKey: given.Id}))(t)
	_, err := client.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: given.Id})
	if missing := (*types.NotFoundException)(nil); !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), *given.Id) {
		t.Errorf("a key that was deleted: got %v; want a NotFoundException that names it", err)
	}
	// Its value is free again.
	must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: aws.String(someValue)}))(t)
}

func TestControlPlaneLists(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()
	var want []string
	for i := range 7 {
		customer := aws.String("even")
		if i%2 == 1 {
			customer = aws.String("odd")
		}
		key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String(fmt.Sprintf("key-%d", i)), CustomerId: customer}))(t)
		want = append(want, *key.Id)
	}
	f := func(what string, in apigateway.GetApiKeysInput, pages, keys int) {
		t.Helper()
		var ids []string
		n := 0
		for p := apigateway.NewGetApiKeysPaginator(client, &in); p.HasMorePages(); n++ {
			page := must(p.NextPage(ctx))(t)
			for _, k := range page.Items {
				ids = append(ids, *k.Id)
			}
			if values := in.IncludeValues != nil; values != (len(page.Warnings) == 1) {
				t.Errorf("%s: got warnings %q", what, page.Warnings)
			}
		}
		distinct := slices.Clone(ids)
		slices.Sort(distinct)
		if distinct = slices.Compact(distinct); n != pages || len(ids) != keys || len(distinct) != keys {
			t.Errorf("%s: got %d pages with %q; want %d with %d keys", what, n, ids, pages, keys)
		}
		for _, id := range ids {
			if !slices.Contains(want, id) {
				t.Errorf("%s: got %q, which was not made", what, id)
			}
		}
	}
	f("all", apigateway.GetApiKeysInput{}, 1, 7)
	f("by three", apigateway.GetApiKeysInput{Limit: aws.Int32(3)}, 3, 7)
	f("by seven", apigateway.GetApiKeysInput{Limit: aws.Int32(7), IncludeValues: aws.Bool(true)}, 1, 7)
	f("of a customer", apigateway.GetApiKeysInput{CustomerId: aws.String("odd"), Limit: aws.Int32(2)}, 2, 3)
	f("of a name", apigateway.GetApiKeysInput{NameQuery: aws.String("key-5")}, 1, 1)
	f("of no name", apigateway.GetApiKeysInput{NameQuery: aws.String("lock")}, 1, 0)
}

func TestControlPlaneImport(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()
	plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("gold")}))(t)
	file := "name,KEY,Description,enabled,usagePlanIds,colour\n" +
		"one," + someValue + "1,first,TRUE," + *plan.Id + ",red\n" +
		"short,abc,,true,,\n" +
		"two," + someValue + "2,second,false,nowhere,\n"

	_, err := client.ImportApiKeys(ctx, &apigateway.ImportApiKeysInput{Body: []byte(file), Format: types.ApiKeysFormatCsv, FailOnWarnings: true})
	bad := (*types.BadRequestException)(nil)
	if !errors.As(err, &bad) || !strings.Contains(bad.ErrorMessage(), "line 3: ") || !strings.Contains(bad.ErrorMessage(), "nowhere") {
		t.Errorf("with a bad line that must not be: got %v; want all lines that are bad", err)
	}
	if keys := must(client.GetApiKeys(ctx, &apigateway.GetApiKeysInput{}))(t); len(keys.Items) != 0 {
		t.Errorf("after an import that failed: got %d keys; want none", len(keys.Items))
	}

	got := must(client.ImportApiKeys(ctx, &apigateway.ImportApiKeysInput{Body: []byte(file), Format: types.ApiKeysFormatCsv}))(t)
	if len(got.Ids) != 2 || len(got.Warnings) != 2 {
		t.Fatalf("ImportApiKeys: got ids %q and warnings %q; want two of each", got.Ids, got.Warnings)
	}
	in := must(client.GetUsagePlanKeys(ctx, &apigateway.GetUsagePlanKeysInput{UsagePlanId: plan.Id}))(t)
	if len(in.Items) != 1 || *in.Items[0].Name != "one" || *in.Items[0].Type != "API_KEY" {
		t.Errorf("keys of the plan: got %+v; want only the first", in.Items)
	}
	_, err = client.ImportApiKeys(ctx, &apigateway.ImportApiKeysInput{Body: []byte("nothing\n"), Format: types.ApiKeysFormatCsv})
	if !errors.As(err, &bad) {
		t.Errorf("a file without columns: got %v; want a BadRequestException", err)
	}
}

func TestControlPlanePlans(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()
	plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{
		Name: aws.String("gold"), Description: aws.String("much"),
		Throttle: &types.ThrottleSettings{RateLimit: 10.5, BurstLimit: 20},
		Quota:    &types.QuotaSettings{Limit: 1000, Offset: 5, Period: types.QuotaPeriodTypeMonth},
		ApiStages: []types.ApiStage{{ApiId: aws.String("pets"), Stage: aws.String("prod"),
			Throttle: map[string]types.ThrottleSettings{"/pets/GET": {RateLimit: 1, BurstLimit: 2}}}},
		Tags: map[string]string{"a": "b"},
	}))(t)
	if *plan.Name != "gold" || plan.Throttle.RateLimit != 10.5 || plan.Throttle.BurstLimit != 20 || plan.Quota.Limit != 1000 ||
		plan.Quota.Offset != 5 || plan.Quota.Period != types.QuotaPeriodTypeMonth || len(plan.ApiStages) != 1 ||
		plan.ApiStages[0].Throttle["/pets/GET"].BurstLimit != 2 || plan.Tags["a"] != "b" {
		t.Errorf("CreateUsagePlan: got %+v", plan)
	}

	// Operations as AWS documents them, as terraform sends them, and as JSON pointers are written.
	changed := must(client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{
		patching(types.OpReplace, "/name", "platinum"),
		patching(types.OpReplace, "/throttle/rateLimit", "99.5"), patching(types.OpReplace, "/throttle/burstLimit", "100"),
		patching(types.OpReplace, "/quota/limit", "7"), patching(types.OpReplace, "/quota/offset", "0"), patching(types.OpReplace, "/quota/period", "DAY"),
		patching(types.OpAdd, "/apiStages", "pets:dev"),
		patching(types.OpReplace, "/apiStages/pets:dev/throttle//pets/GET/rateLimit", "3"),
		patching(types.OpReplace, "/apiStages/pets:dev/throttle//pets/GET/burstLimit", "4"),
		patching(types.OpAdd, "/apiStages/pets:dev/throttle/~1pets~1{id}/PUT/rateLimit", "5"),
		patching(types.OpAdd, "/apiStages/pets:dev/throttle/~1pets~1{id}/PUT/burstLimit", "6"),
		patching(types.OpRemove, "/apiStages/pets:prod/throttle/~1pets~1GET", ""),
	}}))(t)
	stages := make(map[string]map[string]types.ThrottleSettings)
	for _, s := range changed.ApiStages {
		stages[*s.Stage] = s.Throttle
	}
	if *changed.Name != "platinum" || changed.Throttle.RateLimit != 99.5 || changed.Quota.Limit != 7 || changed.Quota.Period != types.QuotaPeriodTypeDay ||
		len(stages["prod"]) != 0 || stages["dev"]["/pets/GET"] != (types.ThrottleSettings{RateLimit: 3, BurstLimit: 4}) ||
		stages["dev"]["/pets/{id}/PUT"] != (types.ThrottleSettings{RateLimit: 5, BurstLimit: 6}) {
		t.Errorf("UpdateUsagePlan: got %+v with %+v", changed, stages)
	}

	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("k"), Enabled: true}))(t)
	joined := must(client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)
	if *joined.Id != *key.Id || *joined.Name != "k" || *joined.Type != "API_KEY" {
		t.Errorf("CreateUsagePlanKey: got %+v", joined)
	}
	must(client.GetUsagePlanKey(ctx, &apigateway.GetUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id}))(t)
	must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("other")}))(t)
	count := func(keyID *string, want int) {
		t.Helper()
		n := 0
		for p := apigateway.NewGetUsagePlansPaginator(client, &apigateway.GetUsagePlansInput{KeyId: keyID, Limit: aws.Int32(1)}); p.HasMorePages(); {
			n += len(must(p.NextPage(ctx))(t).Items)
		}
		if n != want {
			t.Errorf("GetUsagePlans: got %d plans; want %d", n, want)
		}
	}
	count(nil, 2)
	count(key.Id, 1)

	// What must not be deleted, is not.
	_, err := client.DeleteUsagePlan(ctx, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id})
	if conflict := (*types.ConflictException)(nil); !errors.As(err, &conflict) {
		t.Errorf("deleting a plan with stages: got %v; want a ConflictException", err)
	}
	must(client.DeleteUsagePlanKey(ctx, &apigateway.DeleteUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id}))(t)
	emptied := must(client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: plan.Id, PatchOperations: []types.PatchOperation{
		patching(types.OpRemove, "/apiStages", "pets:prod"), patching(types.OpRemove, "/apiStages", "pets:dev"),
		patching(types.OpRemove, "/throttle", ""), patching(types.OpRemove, "/quota", ""),
	}}))(t)
	if len(emptied.ApiStages) != 0 || emptied.Throttle != nil || emptied.Quota != nil {
		t.Errorf("UpdateUsagePlan: got %+v; want nothing left", emptied)
	}
	must(client.DeleteUsagePlan(ctx, &apigateway.DeleteUsagePlanInput{UsagePlanId: plan.Id}))(t)
	count(nil, 1)
}

func TestControlPlaneUsage(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()
	plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{
		Name: aws.String("daily"), Quota: &types.QuotaSettings{Limit: 10, Period: types.QuotaPeriodTypeDay},
		ApiStages: []types.ApiStage{{ApiId: aws.String("pets"), Stage: aws.String("prod")}},
	}))(t)
	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Enabled: true, Value: aws.String(someValue)}))(t)
	must(client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)

	now := time.Now().UTC()
	who, _ := g.Plans().Identify([]byte(someValue))
	member, ok := who.Member("pets/prod")
	if !ok {
		t.Fatal("the key is not in the plan")
	}
	for range 3 {
		member.Take(now)
	}
	today := aws.String(now.Format(time.DateOnly))
	f := func(values map[string][][]int64, used, remaining int64) {
		t.Helper()
		if days := values[*key.Id]; len(days) != 1 || !slices.Equal(days[0], []int64{used, remaining}) {
			t.Errorf("got %v; want %d used and %d remaining", values, used, remaining)
		}
	}
	got := must(client.GetUsage(ctx, &apigateway.GetUsageInput{UsagePlanId: plan.Id, KeyId: key.Id, StartDate: today, EndDate: today}))(t)
	if *got.StartDate != *today || *got.EndDate != *today || *got.UsagePlanId != *plan.Id {
		t.Errorf("GetUsage: got %+v", got)
	}
	f(got.Items, 3, 7)
	updated := must(client.UpdateUsage(ctx, &apigateway.UpdateUsageInput{UsagePlanId: plan.Id, KeyId: key.Id,
		PatchOperations: []types.PatchOperation{patching(types.OpReplace, "/remaining", "50")}}))(t)
	f(updated.Items, 3, 50)

	csv := g.ask("GET", "/usageplans/"+*plan.Id+"/usage?format=csv&startDate="+*today+"&endDate="+*today)
	want := strings.Join([]string{*plan.Id, *key.Id, *today, "3", "50"}, ",")
	if csv.Status != 200 || !strings.HasPrefix(csv.Header.Get("Content-Type"), "text/csv") || !strings.Contains(csv.Body, want) {
		t.Errorf("as CSV: got %d %q; want %q", csv.Status, csv.Body, want)
	}
	asked := g.ask("GET", "/usageplans/"+*plan.Id+"/usage?startDate="+*today+"&endDate="+*today, "Accept: text/csv")
	if asked.Body != csv.Body {
		t.Errorf("asked for by Accept: got %q; want %q", asked.Body, csv.Body)
	}
}

// Each error must come to AWS's client as its own type.
func TestControlPlaneErrors(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl)
	client, ctx := g.awsClient(), t.Context()
	nowhere := aws.String("a/../b%2F?c #☕")

	var missing *types.NotFoundException
	if _, err := client.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: nowhere}); !errors.As(err, &missing) || !strings.Contains(missing.ErrorMessage(), *nowhere) {
		t.Errorf("a key that is not there: got %v; want a NotFoundException that names it", err)
	}
	if _, err := client.UpdateUsagePlan(ctx, &apigateway.UpdateUsagePlanInput{UsagePlanId: nowhere}); !errors.As(err, &missing) {
		t.Errorf("a plan that is not there: got %v; want a NotFoundException", err)
	}

	var conflict *types.ConflictException
	must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: aws.String(someValue)}))(t)
	_, err := client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: aws.String(someValue)})
	if !errors.As(err, &conflict) || strings.Contains(err.Error(), someValue) {
		t.Errorf("a value that is there: got %v; want a ConflictException without it", err)
	}

	var bad *types.BadRequestException
	for _, err := range []error{
		second(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: aws.String("short")})),
		second(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{StageKeys: []types.StageKey{{RestApiId: aws.String("pets"), StageName: aws.String("prod")}}})),
		second(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("x"), Throttle: &types.ThrottleSettings{RateLimit: 5}})),
		second(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("x"), Quota: &types.QuotaSettings{Limit: 5, Period: "YEAR"}})),
		second(client.GetApiKeys(ctx, &apigateway.GetApiKeysInput{Limit: aws.Int32(501)})),
	} {
		if !errors.As(err, &bad) {
			t.Errorf("got %v; want a BadRequestException", err)
		}
	}

	var tooMany *types.LimitExceededException
	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{}))(t)
	for i := range 11 {
		plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("p")}))(t)
		_, err := client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")})
		if i < 10 && err != nil || i == 10 && !errors.As(err, &tooMany) {
			t.Errorf("plan %d of a key: got %v", i+1, err)
		}
	}

	var response *smithyhttp.ResponseError
	_, err = client.GetApiKey(ctx, &apigateway.GetApiKeyInput{ApiKey: aws.String("gone")})
	if !errors.As(err, &response) || len(response.HTTPResponse().Header.Get("x-amzn-RequestId")) != 36 {
		t.Errorf("got %v; want a request id", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestControlPlaneToken(t *testing.T) {
	t.Parallel()
	g := startGateway(t, twoStages, withControl, func(o *Options) { o.ControlToken = "open-sesame" })
	var refused *types.UnauthorizedException
	if _, err := g.awsClient().GetApiKeys(t.Context(), &apigateway.GetApiKeysInput{}); !errors.As(err, &refused) {
		t.Errorf("without the token: got %v; want an UnauthorizedException", err)
	}
	withToken := func(o *apigateway.Options) {
		o.Credentials = aws.CredentialsProviderFunc(func(context.Context) (aws.Credentials, error) {
			return aws.Credentials{AccessKeyID: "any", SecretAccessKey: "any", SessionToken: "open-sesame"}, nil
		})
	}
	must(g.awsClient(withToken).GetApiKeys(t.Context(), &apigateway.GetApiKeysInput{}))(t)

	// An escaped way out of the path must not be one around the guard.
	for _, path := range []string{"/apikeys/..%2Fhealthz", "/usageplans/..%2f..%2fhealthz", "/apikeys/%2e%2e%2Freadyz", "/debug/pprof/..%2F..%2Fhealthz"} {
		if a := g.ask("GET", path); a.Status != 401 {
			t.Errorf("%s: got %d; want 401", path, a.Status)
		}
	}
	if a := g.ask("GET", "/apikeys", "X-Amz-Security-Token: open-sesam"); a.Status != 401 {
		t.Errorf("a wrong token: got %d; want 401", a.Status)
	}
}

// What is made outlives the process.
func TestControlPlaneOutlives(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	withData := func(o *Options) { o.Data = data }
	g := startGateway(t, twoStages, withControl, withData)
	client, ctx := g.awsClient(), t.Context()
	plan := must(client.CreateUsagePlan(ctx, &apigateway.CreateUsagePlanInput{Name: aws.String("kept"),
		ApiStages: []types.ApiStage{{ApiId: aws.String("pets"), Stage: aws.String("dev")}}}))(t)
	key := must(client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Name: aws.String("kept"), Enabled: true}))(t)
	must(client.CreateUsagePlanKey(ctx, &apigateway.CreateUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id, KeyType: aws.String("API_KEY")}))(t)
	g.stop()

	g = startGateway(t, twoStages, withControl, withData)
	client = g.awsClient()
	got := must(client.GetUsagePlanKey(ctx, &apigateway.GetUsagePlanKeyInput{UsagePlanId: plan.Id, KeyId: key.Id}))(t)
	if *got.Name != "kept" {
		t.Errorf("got %+v; want the key in its plan", got)
	}
	if who, why := g.Plans().Identify([]byte(*key.Value)); who == nil || who.KeyID() != *key.Id {
		t.Errorf("the value after a restart: got %v, %s; want the key", who, why)
	}
	var failure smithy.APIError
	if _, err := client.CreateApiKey(ctx, &apigateway.CreateApiKeyInput{Value: key.Value}); !errors.As(err, &failure) || failure.ErrorCode() != "ConflictException" {
		t.Errorf("the value once more: got %v; want a ConflictException", err)
	}
}
