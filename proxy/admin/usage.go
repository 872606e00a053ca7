package admin

import (
	"bytes"
	"strings"
	"time"

	"weir/proxy/plans"
)

// usage is what keys used of a plan in JSON: for each day how much, and how
// much remained, which is -1 where the plan had no quota.
type usage struct {
	Plan     string                `json:"usagePlanId"`
	From     string                `json:"startDate"`
	To       string                `json:"endDate"`
	Position string                `json:"position,omitempty"`
	Values   map[string][][2]int64 `json:"values"`
}

func showUsage(u plans.Usage) usage {
	shown := usage{
		Plan: u.Plan, From: u.From.Format(time.DateOnly), To: u.To.Format(time.DateOnly),
		Position: u.Next, Values: make(map[string][][2]int64, len(u.Keys)),
	}
	for _, k := range u.Keys {
		shown.Values[k.Key] = k.Days
	}
	return shown
}

func getUsage(c *call) (int, any, error) {
	page, err := c.page()
	if err != nil {
		return 0, nil, err
	}
	from, err := c.day("startDate")
	if err != nil {
		return 0, nil, err
	}
	to, err := c.day("endDate")
	if err != nil {
		return 0, nil, err
	}
	csv, err := c.wantsCSV()
	if err != nil {
		return 0, nil, err
	}
	if csv {
		return c.usageCSV(from, to)
	}
	u, err := c.store.Usage(c.plan, c.query("keyId"), from, to, page)
	return 200, showUsage(u), err
}

func (c *call) day(name string) (time.Time, error) {
	day, err := time.Parse(time.DateOnly, c.query(name))
	if err != nil {
		return day, badRequest("%s is %q; it must be a day like 2026-01-31", name, c.query(name))
	}
	return day, nil
}

func (c *call) wantsCSV() (bool, error) {
	switch format := c.query("format"); format {
	case "csv":
		return true, nil
	case "json":
		return false, nil
	case "":
		return strings.HasPrefix(string(c.Request.Header.Peek("Accept")), "text/csv"), nil
	default:
		return false, badRequest("format is %q; there are csv and json", format)
	}
}

// usageCSV answers with all keys, which AWS's form has by pages.
func (c *call) usageCSV(from, to time.Time) (int, any, error) {
	for _, name := range []string{"keyId", "limit", "position"} {
		if c.QueryArgs().Has(name) {
			return 0, nil, badRequest("%s is for JSON; as CSV all keys are written", name)
		}
	}
	var out bytes.Buffer
	if err := c.store.UsageCSV(&out, c.plan, from, to); err != nil {
		return 0, nil, err
	}
	c.SetContentType("text/csv; charset=utf-8")
	c.SetBody(out.Bytes())
	return 200, nil, nil
}

func updateUsage(c *call) (int, any, error) {
	operations, err := c.patch()
	if err != nil {
		return 0, nil, err
	}
	for _, o := range operations {
		remaining, err := o.remaining()
		if err != nil {
			return 0, nil, err
		}
		if err := c.store.SetRemaining(c.plan, c.key, remaining); err != nil {
			return 0, nil, err
		}
	}
	today := time.Now().UTC()
	u, err := c.store.Usage(c.plan, c.key, today, today, plans.Page{})
	return 200, showUsage(u), err
}
