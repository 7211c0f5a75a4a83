package importer

import (
	"context"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// recoveredBox is the mailbox for messages that are in none the archive knows.
func (r *run) recoveredBox(ctx context.Context) (string, error) {
	m := r.boxes
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.recovered != "" {
		return m.recovered, nil
	}
	b := &box{obj: account.Object{"name": account.Marshal(recoveredName)}, path: recoveredName, parent: m.root}
	m.findByPath([]*box{b})
	if b.target == "" {
		if err := r.makeBoxes(ctx, []*box{b}); err != nil {
			return "", err
		}
	}
	if b.target == "" {
		return "", &jmapclient.Error{Kind: jmapclient.Invalid, Op: "Mailbox/set", Account: r.to.Name, Item: recoveredName,
			Detail: "the mailbox for messages that are in no known mailbox could not be made; make one of that name by hand"}
	}
	m.recovered = b.target
	return b.target, nil
}
