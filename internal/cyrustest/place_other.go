//go:build !linux

package cyrustest

// place is the directory for servers, "" the system's.
func place() string { return "" }
