package importer

import "golang.org/x/sync/semaphore"

// locks are what batches on their way keep to. They are semaphores, for they
// are held while hours are waited for, and an interruption ends that. Who holds
// serial may take the others, not the other way round.
type locks struct {
	serial  *semaphore.Weighted // held while something is put right
	out     *semaphore.Weighted // one: an import is out, from its journal rows to those of its answer; allOut: none is
	holding *semaphore.Weighted // held while the hourly quota is waited for
}

const allOut = 1 << 20

func newLocks() locks {
	return locks{serial: semaphore.NewWeighted(1), out: semaphore.NewWeighted(allOut), holding: semaphore.NewWeighted(1)}
}
