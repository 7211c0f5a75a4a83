package exporter

import (
	"context"
	"errors"

	"mailhaul/jmapclient"
)

// stopError is an error that ends the run, whatever it came from: the archive
// can't be written or read.
type stopError struct{ err error }

func (e *stopError) Error() string { return e.err.Error() }
func (e *stopError) Unwrap() error { return e.err }

// kept marks an error of the archive; nil stays nil.
func kept(err error) error {
	if err == nil {
		return nil
	}
	return &stopError{err}
}

// stops says whether an error makes going on pointless. All others cost an
// item or a type.
func stops(err error) bool {
	var s *stopError
	if errors.As(err, &s) {
		return true
	}
	switch jmapclient.KindOf(err) {
	case 0:
		return errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	case jmapclient.Unauthorized, jmapclient.Unreachable, jmapclient.Cancelled:
		return true
	}
	return false
}
