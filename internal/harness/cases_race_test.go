//go:build race

package harness

// shortCases is how many cases run when no number is asked for: SQLite without
// cgo is ten times as slow under the race detector.
const shortCases = "8"
