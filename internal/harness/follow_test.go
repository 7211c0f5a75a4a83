package harness

import (
	"context"
	"time"

	"mailhaul/exporter"
	"mailhaul/importer"
)

// far is how long the source's answers take while an import follows the export:
// so there is time for both.
const far = 150 * time.Millisecond

// follow has an import follow the export that is about to begin. What is wrong
// with the way to the target is its own affair: the import proper comes later. It
// is of the same process, and dies with it. end waits until it has ended.
func (w *way) follow(ctx context.Context, from *line, o *exporter.Options) (end func(failed error)) {
	if !w.plan.Follow {
		return func(error) {}
	}
	from.pause = far
	w.ar.CommitEvery(far)
	to := newLine(w.to, disturbance{Troubles: w.plan.FollowTroubles})
	to.Process = from.Process
	mailboxes, ended, followed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	o.Mailboxes = func() { close(mailboxes) }
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		defer close(followed)
		target, err := dial(ctx, to, "http://target.test", w.plan.ImportsAs)
		if err != nil {
			return
		}
		w.target = target // it may have messages from now on
		res, _ := importer.Follow(ctx, w.ar, target, importer.Options{Delete: w.plan.Delete}, importer.Export{Mailboxes: mailboxes, Ended: ended, Enough: 1})
		if res.Types["Email"].Created > 0 {
			count("a head start")
		}
	}()
	return func(failed error) {
		if failed != nil {
			cancel()
		}
		close(ended)
		<-followed
		cancel()
	}
}
