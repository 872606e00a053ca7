package proxy

import "fmt"

// explanation gathers why the steps did what they did with one request. It is
// nil for all requests but those that an operator asks about; a step looks at
// that before it puts its reasons together.
type explanation struct{ reasons []reason }

// reason is what one step did, and why.
type reason struct {
	Step string `json:"step"`
	Why  string `json:"why"`
}

func (e *explanation) add(step, format string, a ...any) {
	e.reasons = append(e.reasons, reason{step, fmt.Sprintf(format, a...)})
}
