//go:build race

package importer

// The race detector makes everything ten times slower: fewer messages, and not
// every step.
const (
	rationedMails = 1020
	rationedHours = 2
	moveMails     = 25
	fewRequests   = 600
	manyMails     = 100
	manyGroups    = 5
	detourMails   = 50
	detourGroups  = 5
	everyNth      = 6
	detourNth     = 12
	lateImports   = 1
	largeMails    = 4
	anyFaults     = "5"
	raced         = true
)
