//go:build race

package exporter

// raced says whether the race detector is at work.
const raced = true

// manyMessages is how large an account tests make where a large one counts: SQLite
// without cgo is ten times as slow under the race detector.
const manyMessages = 1000

// largeMessages is how many large messages there are where they count, and
// mostResident the memory that their export may take: the race detector takes some
// times as much as the program, and all of these would be more.
const largeMessages, mostResident = 8, 350 << 20
