package plans

import (
	"errors"
	"fmt"
)

// What an error of a Store is, for errors.Is; its text says the rest.
var (
	ErrNotFound    = errors.New("not found")
	ErrConflict    = errors.New("conflict")
	ErrInvalid     = errors.New("invalid") // an *InvalidError tells which field
	ErrStatic      = errors.New("stands in the document")
	ErrUnavailable = errors.New("cannot be kept now")
	ErrLocked      = errors.New("used by another process")
	ErrCorrupt     = errors.New("damaged")
	ErrVersion     = errors.New("written by a newer weir")
)

// InvalidError says what is wrong with which field of a change.
type InvalidError struct{ Field, Reason string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Reason }

// Is makes every InvalidError an ErrInvalid.
func (e *InvalidError) Is(target error) bool { return target == ErrInvalid }

func invalid(field, format string, args ...any) error {
	return &InvalidError{field, fmt.Sprintf(format, args...)}
}

// refusal is an error of a kind, in its own words.
type refusal struct {
	kind error
	text string
}

func (r *refusal) Error() string { return r.text }
func (r *refusal) Unwrap() error { return r.kind }

func refuse(kind error, format string, args ...any) error {
	return &refusal{kind, fmt.Sprintf(format, args...)}
}

func noKey(id string) error  { return refuse(ErrNotFound, "there is no API key %q", id) }
func noPlan(id string) error { return refuse(ErrNotFound, "there is no usage plan %q", id) }
