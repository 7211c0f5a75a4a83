// Package failpoint is where a test takes hold of a program's writes to disk:
// to look at the disk ahead of one and after it, to let it fail, to tear it, or
// to let the program end there. Outside of tests a point costs one load.
package failpoint

import "sync/atomic"

// A Hook stands in for the write at a point. It decides whether and when write
// is carried out, and what comes of it. doing is the point's name; path is what
// is written, with its full path.
type Hook func(doing, path string, write func() error) error

var hook atomic.Pointer[Hook]

// Do carries out a write to path.
func Do(doing, path string, write func() error) error {
	if h := hook.Load(); h != nil {
		return (*h)(doing, path, write)
	}
	return write()
}

// Set makes h stand in for all writes from now on, of any goroutine. For tests.
func Set(h Hook) { hook.Store(&h) }

// Clear takes the hook away.
func Clear() { hook.Store(nil) }
