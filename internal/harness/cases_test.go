//go:build !race

package harness

// shortCases is how many cases run when no number is asked for.
const shortCases = "30"
