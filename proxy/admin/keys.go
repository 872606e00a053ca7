package admin

import (
	"bytes"
	"errors"
	"strings"
	"time"

	"weir/proxy/plans"
)

// apiKey is a key in JSON. Value and SigningSecret are there once, in the
// answer that they are issued by.
type apiKey struct {
	ID            string            `json:"id"`
	Value         string            `json:"value,omitempty"`
	SigningSecret string            `json:"signingSecret,omitempty"`
	Name          string            `json:"name,omitempty"`
	Description   string            `json:"description,omitempty"`
	CustomerID    string            `json:"customerId,omitempty"`
	Enabled       bool              `json:"enabled"`
	Created       int64             `json:"createdDate"`
	Updated       int64             `json:"lastUpdatedDate"`
	FormerUntil   int64             `json:"formerValueUntil,omitempty"`
	StageKeys     []string          `json:"stageKeys"`
	Tags          map[string]string `json:"tags,omitempty"`
	Static        bool              `json:"static,omitempty"`
}

func showKey(k plans.Key) apiKey {
	return apiKey{
		ID: k.ID, Name: k.Name, Description: k.Description, CustomerID: k.CustomerID, Enabled: k.Enabled,
		Created: seconds(k.Created), Updated: seconds(k.Updated), FormerUntil: seconds(k.FormerUntil),
		StageKeys: []string{}, Tags: k.Tags, Static: k.Static,
	}
}

func showIssued(i plans.Issued) apiKey {
	shown := showKey(i.Key)
	shown.Value, shown.SigningSecret = i.Value, i.SigningSecret
	return shown
}

// seconds returns the time as AWS writes it, and 0 for none.
func seconds(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.Unix()
}

// list is a page of what a collection has.
type list[T any] struct {
	Items    []T      `json:"item"`
	Position string   `json:"position,omitempty"`
	Warnings []string `json:"warnings,omitempty"`
}

func show[S, T any](items []S, position string, f func(S) T) list[T] {
	shown := list[T]{Items: make([]T, len(items)), Position: position}
	for i, item := range items {
		shown.Items[i] = f(item)
	}
	return shown
}

type newKey struct {
	Name               string            `json:"name"`
	Description        string            `json:"description"`
	CustomerID         string            `json:"customerId"`
	Enabled            bool              `json:"enabled"`
	GenerateDistinctID bool              `json:"generateDistinctId"` // it always is
	Value              string            `json:"value"`
	StageKeys          []stageKey        `json:"stageKeys"`
	Tags               map[string]string `json:"tags"`
}

type stageKey struct {
	API   string `json:"restApiId"`
	Stage string `json:"stageName"`
}

func createKey(c *call) (int, any, error) {
	var n newKey
	if err := c.read(&n); err != nil {
		return 0, nil, err
	}
	if len(n.StageKeys) > 0 {
		return 0, nil, badRequest("stageKeys are not supported: put the key into a usage plan that has the stage")
	}
	issued, err := c.store.CreateKey(plans.NewKey{
		Name: n.Name, Description: n.Description, CustomerID: n.CustomerID, Value: n.Value, Enabled: n.Enabled, Tags: n.Tags,
	})
	c.key = issued.Key.ID
	return 201, showIssued(issued), err
}

type imported struct {
	IDs      []string `json:"ids"`
	Warnings []string `json:"warnings,omitempty"`
}

func importKeys(c *call) (int, any, error) {
	if mode := c.query("mode"); mode != "import" {
		return 0, nil, badRequest("mode is %q; the only one is import", mode)
	}
	if format := c.query("format"); format != "csv" {
		return 0, nil, badRequest("format is %q; the only one is csv", format)
	}
	failOnWarnings, err := c.flag("failonwarnings")
	if err != nil {
		return 0, nil, err
	}
	got, err := c.store.ImportCSV(bytes.NewReader(c.PostBody()), failOnWarnings)
	warnings := make([]string, len(got.Warnings))
	for i, w := range got.Warnings {
		warnings[i] = w.String()
	}
	if errors.Is(err, plans.ErrInvalid) && len(warnings) > 0 {
		err = badRequest("nothing is imported: %s", strings.Join(warnings, "; "))
	}
	return 201, imported{append([]string{}, got.IDs...), warnings}, err
}

const valuesAreHashes = "values are kept as hashes only: they are shown when they are issued, and never again"

func listKeys(c *call) (int, any, error) {
	page, err := c.page()
	if err != nil {
		return 0, nil, err
	}
	values, err := c.flag("includeValues")
	if err != nil {
		return 0, nil, err
	}
	keys, next, err := c.store.Keys(plans.KeyFilter{NamePrefix: c.query("name"), CustomerID: c.query("customerId")}, page)
	shown := show(keys, next, showKey)
	if values {
		shown.Warnings = []string{valuesAreHashes}
	}
	return 200, shown, err
}

func getKey(c *call) (int, any, error) {
	if _, err := c.flag("includeValue"); err != nil {
		return 0, nil, err
	}
	key, err := c.store.Key(c.key)
	return 200, showKey(key), err
}

func updateKey(c *call) (int, any, error) {
	operations, err := c.patch()
	if err != nil {
		return 0, nil, err
	}
	key, err := c.store.UpdateKey(c.key, func(k *plans.Key) error { return patchKey(k, operations) })
	return 200, showKey(key), err
}

func deleteKey(c *call) (int, any, error) { return 202, nil, c.store.DeleteKey(c.key) }

// rotation says how a key is to get a new value.
type rotation struct {
	Overlap *string `json:"overlap"`
	Value   string  `json:"value"`
}

// usualOverlap is how long the old value is good where nobody says.
const usualOverlap = 24 * time.Hour

func rotateKey(c *call) (int, any, error) {
	var r rotation
	if len(c.PostBody()) > 0 {
		if err := c.read(&r); err != nil {
			return 0, nil, err
		}
	}
	overlap := usualOverlap
	if r.Overlap != nil {
		var err error
		if overlap, err = time.ParseDuration(*r.Overlap); err != nil {
			return 0, nil, badRequest("overlap is %q; it must be a time like \"24h\" or \"0s\"", *r.Overlap)
		}
	}
	issued, err := c.store.Rotate(c.key, overlap, r.Value)
	return 200, showIssued(issued), err
}
