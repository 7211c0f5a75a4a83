package exporter

import (
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
)

// fail puts an object without its blob, or with one that is in doubt, and says so.
func (k *taker) fail(o account.Object, h archive.Hash, reason string) error {
	changed, err := k.run.PutObject(k.t, o, h)
	if err != nil {
		return kept(err)
	}
	item := describe(k.t, o)
	if whose := k.whose[o.ID()]; whose != "" {
		item += ", of " + whose
	}
	k.failed(o.ID(), item, reason, changed)
	k.stage.add(1, 0)
	return nil
}

// failed notes and reports an item that could not be taken.
func (k *taker) failed(id, item, reason string, changed bool) {
	k.tally.fail(archive.Failure{ID: id, Item: item, Reason: reason}, changed)
	k.stage.report.emit(progress.Event{Kind: progress.Failure, Stage: k.t.Name, Item: item, Text: reason,
		Advice: "run the same export again: it tries what failed once more"})
}

// describe names an object for a person.
func describe(t account.Type, o account.Object) string {
	if t.Name == account.Email.Name {
		return account.Describe(o)
	}
	name := o.Text("name")
	if name == "" {
		name = o.Text("title") // an event's
	}
	if name != "" {
		return fmt.Sprintf("%s %q, id %s", t.Name, name, o.ID())
	}
	return fmt.Sprintf("%s id %s", t.Name, o.ID())
}
