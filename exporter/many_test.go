//go:build !race

package exporter

// manyMessages is how large an account tests make where a large one counts.
const manyMessages = 5000
