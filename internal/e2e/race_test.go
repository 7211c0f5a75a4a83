//go:build race

package e2e

// raced: the race detector is at work, and what it slows down most is tested without it, too.
const raced = true
