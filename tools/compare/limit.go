package main

import (
	"context"
	"fmt"
	"strconv"
)

// budget is what one address may send in a second to /budget/, and budgetBurst what of it at once.
const (
	budget      = 400
	budgetBurst = 40
)

// refused sends as fast as answers come back, nearly all of which are refusals.
func refused(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	return l.costed(t, func() (sample, error) {
		measured, err := l.load(ctx, t, s, "-mode", "saturate", "-limited", "-duration", fmt.Sprint(l.order.seconds)+"s")
		switch {
		case err != nil:
			return measured, err
		case measured.Failures > 0:
			return measured, fmt.Errorf("%d requests failed", measured.Failures)
		case measured.Refused < measured.Requests*99/100:
			return measured, fmt.Errorf("%d of %d requests were refused; want nearly all", measured.Refused, measured.Requests)
		}
		return measured, nil
	})
}

// overload sends first what the budget holds, then ten times as much, and compares the accepted ones.
func overload(ctx context.Context, l *lab, s scenario, t *target) (sample, error) {
	at := func(rate int) (sample, error) {
		measured, err := l.load(ctx, t, s, "-mode", "steady", "-limited", "-rate", strconv.Itoa(rate), "-duration", fmt.Sprint(l.order.seconds)+"s")
		if err == nil && measured.Failures > 0 {
			err = fmt.Errorf("%d requests failed", measured.Failures)
		}
		return measured, err
	}
	unloaded, err := at(budget / 2)
	if err != nil {
		return sample{}, err
	}
	if unloaded.Refused > 0 {
		return sample{}, fmt.Errorf("%d requests within the budget were refused", unloaded.Refused)
	}
	return l.costed(t, func() (sample, error) {
		measured, err := at(budget * 10)
		if err == nil && measured.Refused < measured.Requests/2 {
			err = fmt.Errorf("only %d of %d requests were refused", measured.Refused, measured.Requests)
		}
		measured.Unloaded99 = unloaded.P99
		return measured, err
	})
}
