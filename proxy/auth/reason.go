package auth

import "strconv"

// Reason is why a signed request is refused: for the log, never for the
// client. It is immutable.
type Reason struct {
	Name      string // stable, one of SignatureReasons
	Component string // which one, where one is at fault
}

// Error returns the name, and the component where there is one.
func (r *Reason) Error() string {
	if r.Component == "" {
		return r.Name
	}
	return r.Name + " " + strconv.Quote(r.Component)
}

// Why a signed request is refused.
var (
	missing              = &Reason{Name: "missing"}
	malformed            = &Reason{Name: "malformed"}
	tooLong              = &Reason{Name: "too_long"}
	noKeyID              = &Reason{Name: "no_key_id"}
	noCreated            = &Reason{Name: "no_created"}
	noNonce              = &Reason{Name: "no_nonce"}
	wrongAlgorithm       = &Reason{Name: "wrong_algorithm"}
	unsupportedComponent = &Reason{Name: "unsupported_component"}
	absentComponent      = &Reason{Name: "absent_component"}
	uncoveredComponent   = &Reason{Name: "uncovered_component"}
	expired              = &Reason{Name: "expired"}
	fromTheFuture        = &Reason{Name: "from_the_future"}
	unknownKey           = &Reason{Name: "unknown_key"}
	mismatch             = &Reason{Name: "mismatch"}
	replayed             = &Reason{Name: "replayed"}
	noncesFull           = &Reason{Name: "nonces_full"}
	badDigest            = &Reason{Name: "bad_digest"}

	// DigestMismatch is the reason when CheckBody says no.
	DigestMismatch = &Reason{Name: "digest_mismatch"}
)

// SignatureReasons lists the names of all reasons.
func SignatureReasons() []string {
	var names []string
	for _, r := range []*Reason{
		missing, malformed, tooLong, noKeyID, noCreated, noNonce, wrongAlgorithm, unsupportedComponent, absentComponent,
		uncoveredComponent, expired, fromTheFuture, unknownKey, mismatch, replayed, noncesFull, badDigest, DigestMismatch,
	} {
		names = append(names, r.Name)
	}
	return names
}

// of returns r for one component.
func (r *Reason) of(component []byte) *Reason {
	return &Reason{Name: r.Name, Component: string(component)}
}
