package importer

import (
	"context"
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// listProps are what is known of a message that is listed.
var listProps = []string{"id", "blobId", "size", "receivedAt", "messageId"}

// listingNote is the journal's note of the state that the listing is for.
const listingNote = "listing state"

// pageSize is how many messages are asked for at once.
func (r *run) pageSize() int {
	return int(min(500, max(1, r.to.Client.Limits().MaxObjectsInGet)))
}

// list has the target listed as it is when the import begins. That needs nothing
// else and is under way already, but where the messages are begun anew.
func (r *run) list(ctx context.Context) error {
	if l := r.listing; l != nil {
		r.listing = nil
		return l.wait()
	}
	return r.refresh(ctx, true)
}

// refresh brings the journal's listing of the target up to date: by what
// changed since its state, else by listing everything. thorough also compares
// the number of messages, because some servers purge their history without
// saying so (Stalwart 0.8.5 to 0.11).
func (r *run) refresh(ctx context.Context, thorough bool) error {
	var state string
	ok, err := r.j.Note(listingNote, &state)
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	if !ok || state == "" {
		return r.listAll(ctx)
	}
	err = r.listChanges(ctx, state, listProps, nil)
	if jmapclient.KindOf(err) == jmapclient.CannotCalculateChanges {
		return r.listAll(ctx)
	}
	if err != nil || !thorough {
		return err
	}
	whole, err := r.listingIsWhole(ctx)
	if err != nil || whole {
		return err
	}
	return r.listAll(ctx)
}

func (r *run) listingIsWhole(ctx context.Context) (bool, error) {
	p, err := r.to.Page(ctx, account.Email, jmapclient.PageArgs{Sort: byReceived, Limit: 1, Props: []string{"id"}, Total: true})
	if err != nil {
		return false, err
	}
	n, err := r.j.ListCount()
	return p.Total < 0 || p.Total == n, err
}

var byReceived = []jmapclient.Comparator{{Property: "receivedAt", IsAscending: true}}

// listAll lists every message of the target, then what changed meanwhile.
func (r *run) listAll(ctx context.Context) error {
	state, err := r.to.State(ctx, account.Email)
	if err != nil {
		return err
	}
	if err := r.j.SetNote(listingNote, ""); err != nil {
		return err
	}
	st := r.stage("listing "+r.to.Name, 0, 0)
	defer st.finish()
	err = eachPage(ctx, r.to, r.pageSize(), listProps, r.j.ListReset, func(list []account.Object) error {
		st.add(int64(len(list)), 0)
		return r.j.ListPut(listed(list)...)
	})
	if err != nil {
		return err
	}
	if err := r.j.SetNote(listingNote, state); err != nil {
		return err
	}
	err = r.listChanges(ctx, state, listProps, nil)
	if jmapclient.KindOf(err) == jmapclient.CannotCalculateChanges {
		return nil // a server without a history: what was listed has to do
	}
	return err
}

// eachPage pages through all messages of an account by anchor, which neither
// skips nor repeats while mail arrives. When the anchor itself goes it begins
// again, with reset.
func eachPage(ctx context.Context, a *jmapclient.Account, limit int, props []string, reset func() error, take func([]account.Object) error) error {
	for restarts := 0; ; restarts++ {
		if err := reset(); err != nil {
			return err
		}
		err := onePass(ctx, a, limit, props, take)
		if jmapclient.KindOf(err) != jmapclient.AnchorNotFound || restarts >= 5 {
			return err
		}
	}
}

func onePass(ctx context.Context, a *jmapclient.Account, limit int, props []string, take func([]account.Object) error) error {
	after := ""
	for {
		p, err := a.Page(ctx, account.Email, jmapclient.PageArgs{Sort: byReceived, After: after, Limit: limit, Props: props})
		if err != nil {
			return err
		}
		if len(p.IDs) == 0 {
			return nil
		}
		if next := p.IDs[len(p.IDs)-1]; next != after {
			after = next
		} else {
			return &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "Email/query", Account: a.Name, Item: after,
				Detail: "the page after a message begins with that message again; the list can't be read"}
		}
		if err := take(p.List); err != nil {
			return err
		}
	}
}

// listChanges applies what changed since a state. Ids are used again by some
// servers, so what goes is taken away before what comes is put there.
// see, if there is one, is shown what is there now.
func (r *run) listChanges(ctx context.Context, since string, props []string, see func([]account.Object)) error {
	for {
		c, err := r.to.Changes(ctx, account.Email, since)
		if err != nil {
			return err
		}
		if err := r.j.ListDelete(c.Destroyed...); err != nil {
			return err
		}
		if ids := append(append([]string{}, c.Created...), c.Updated...); len(ids) > 0 {
			got, err := r.to.Get(ctx, account.Email, ids, props)
			if err != nil {
				return err
			}
			if err := r.j.ListPut(listed(got.List)...); err != nil {
				return err
			}
			if err := r.j.ListDelete(got.NotFound...); err != nil {
				return err
			}
			if see != nil {
				see(got.List)
			}
		}
		if c.NewState != since {
			if err := r.j.SetNote(listingNote, c.NewState); err != nil {
				return err
			}
		}
		if !c.HasMore || c.NewState == since {
			return nil
		}
		since = c.NewState
	}
}

func listed(list []account.Object) []archive.Listed {
	rows := make([]archive.Listed, 0, len(list))
	for _, o := range list {
		rows = append(rows, archive.Listed{ID: o.ID(), BlobID: o.Text("blobId"), Key: account.MatchKey(o), MessageIDs: account.MessageIDs(o)})
	}
	return rows
}
