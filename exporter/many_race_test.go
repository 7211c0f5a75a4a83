//go:build race

package exporter

// manyMessages is how large an account tests make where a large one counts: SQLite
// without cgo is ten times as slow under the race detector.
const manyMessages = 1000
