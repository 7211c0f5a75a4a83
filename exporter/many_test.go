//go:build !race

package exporter

// raced says whether the race detector is at work.
const raced = false

// manyMessages is how large an account tests make where a large one counts.
const manyMessages = 5000

// largeMessages is how many large messages there are where they count, and
// mostResident the memory that their export may take.
const largeMessages, mostResident = 16, 150 << 20
