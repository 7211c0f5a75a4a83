//go:build !linux

package main

import "errors"

// canApart: only on Linux a process can be kept to some processors.
const canApart = false

func apart() error { return errors.New("-apart works on Linux alone") }

func onServers(f func() error) error { return f() }
