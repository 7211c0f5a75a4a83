package archive

import (
	"math/rand/v2"
	"testing"
)

// every is how far apart the cases lie that are tried of many: SQLite without
// cgo is ten times as slow under the race detector, and gets a part of them.
func every(n, race int) int {
	if raceDetector {
		return race
	}
	return n
}

// some says of each case whether it is one of those. Where only a part is tried,
// it is another part every time.
func some(t testing.TB, n, race int) func() bool {
	step, count := every(n, race), 0
	first := rand.IntN(step)
	if step > 1 {
		t.Logf("one case of %d, from %d", step, first)
	}
	return func() bool {
		count++
		return (count+first)%step == 0
	}
}
