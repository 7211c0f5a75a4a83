//go:build race

package importer

// The race detector makes everything ten times slower: fewer messages, and not
// every step.
const (
	rationedMails = 1200
	rationedHours = 2
	manyMails     = 200
	manyGroups    = 10
	detourMails   = 80
	detourGroups  = 5
	everyNth      = 4
	anyFaults     = "5"
)
