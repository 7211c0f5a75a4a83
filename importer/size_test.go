//go:build !race

package importer

const (
	rationedMails = 5000
	rationedHours = 5
	moveMails     = 120
	fewRequests   = 5000
	manyMails     = 1000
	manyGroups    = 50
	detourMails   = 300
	detourGroups  = 15
	everyNth      = 1
	detourNth     = 1
	lateImports   = 3
	largeMails    = 8
	anyFaults     = "12"
	raced         = false
)
