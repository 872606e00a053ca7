package config

import (
	"math"
	"strconv"
	"strings"
)

// Rate is a number of requests a second, written plainly or with another time:
// 100, 0.5, 30/m, 1000/h.
type Rate float64

const (
	rateExamples = "write 100, 0.5, 30/m, 1000/h or 5000/d"
	ratePattern  = `^[0-9]+(\.[0-9]+)?(/[smhd])?$`

	minRate = 1.0 / (31 * 24 * 3600)
	maxRate = 10_000_000
)

// String returns r in the largest number of requests that needs no fraction,
// or a second.
func (r Rate) String() string {
	for _, unit := range []byte("smhd") {
		if n := float64(r) * rateSeconds(unit); n == math.Trunc(n) && n >= 1 {
			return strconv.FormatFloat(n, 'f', -1, 64) + "/" + string(unit)
		}
	}
	return strconv.FormatFloat(float64(r), 'f', -1, 64)
}

// BurstOr returns burst, or what comes in one second where that is 0.
func (r Rate) BurstOr(burst int) int {
	if burst > 0 {
		return burst
	}
	return max(1, int(math.Ceil(float64(r))))
}

func parseRate(text string) (Rate, *complaint) {
	number, unit, named := strings.Cut(text, "/")
	seconds := 1.0
	if named {
		if len(unit) != 1 || rateSeconds(unit[0]) == 0 {
			return 0, complain("unknown time "+quote(unit)+" of a rate", "it is s, m, h or d, as in 30/m")
		}
		seconds = rateSeconds(unit[0])
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, complain("expected a rate, found "+quote(text), rateExamples)
	}
	switch r := n / seconds; {
	case n == 0:
		return 0, complain("a rate of 0 lets nothing through", "to serve nothing, leave the route away")
	case n < 0:
		return 0, complain("a rate cannot be negative", rateExamples)
	case r < minRate:
		return 0, complain("a rate of "+text+" is too small", "the least is one request in 31 days")
	case r > maxRate:
		return 0, complain("a rate of "+text+" is too large", "the most is 10000000 a second; without a rate nothing is limited")
	default:
		return Rate(r), nil
	}
}

// rateSeconds returns the seconds of a unit, and 0 for one there is not.
func rateSeconds(unit byte) float64 {
	switch unit {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	}
	return 0
}
