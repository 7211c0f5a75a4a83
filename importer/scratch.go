package importer

import (
	"cmp"
	"context"
	"crypto/rand"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// scratch is the signed-in user's own account as a way into the target for what
// the target's Email/import drops: import there, then Email/copy, which takes a
// message whatever its Message-ID (seen on Stalwart 0.6.0 and 0.7.3).
//
// The messages lie in a mailbox made for them, under a name that nobody else
// has: nothing else in the account is read, changed or removed. The name is
// journalled before the mailbox is asked for, so that a run that was killed is
// cleaned up by the next one.
type scratch struct {
	r       *run
	acc     *jmapclient.Account // nil: there is none
	useless string              // why it can't be used (any more)
	name    string              // of the mailbox, "" while none was asked for
	box     string              // its id, "" while there is none
	dirty   bool                // the mailbox may hold messages
	rfcCopy bool                // Email/copy in RFC 8621's shape
	brought int64
}

// scratchNote is the journal's note of the mailbox that there may be.
const scratchNote = "scratch mailbox"

type scratchLeft struct {
	AccountID string `json:"accountId"`
	Account   string `json:"account"`
	Mailbox   string `json:"mailbox"` // its name, "" for none
}

// newScratch finds the account to go through. It asks the server for nothing.
func (r *run) newScratch(ctx context.Context) (*scratch, error) {
	s := &scratch{r: r}
	own, err := r.to.Client.Account(ctx, "")
	switch {
	case jmapclient.KindOf(err) == jmapclient.NoAccount:
		s.useless = "the signed-in user has no account of its own to bring it in through"
		return s, nil
	case err != nil:
		return nil, err
	}
	_, mail := own.Using(account.Email)
	switch {
	case own.ID == r.to.ID: // nothing to add to the advice
		s.useless = "a user's own sign-in can't bring it in over JMAP"
	case !mail || own.ReadOnly:
		s.useless = "the signed-in user's own account takes no mail that it could be brought in through"
	default:
		s.acc = own
	}
	return s, nil
}

// clearLeftovers removes what an import that was killed left in a scratch
// account.
func (r *run) clearLeftovers(ctx context.Context) error {
	var left scratchLeft
	if _, err := r.j.Note(scratchNote, &left); err != nil || left.Mailbox == "" {
		return err
	}
	s, err := r.newScratch(ctx)
	if err != nil {
		return err
	}
	if s.acc == nil || s.acc.ID != left.AccountID {
		r.warn("an earlier import left the mailbox %q in the account of %s: an import signed in as that user removes it", left.Mailbox, left.Account)
		return nil
	}
	s.name = left.Mailbox
	return s.close(ctx)
}

// open makes the mailbox, if it is not there.
func (s *scratch) open(ctx context.Context) error {
	if s.box != "" {
		return nil
	}
	if s.name == "" {
		name := scratchName()
		if err := s.r.j.SetNote(scratchNote, scratchLeft{AccountID: s.acc.ID, Account: s.acc.Name, Mailbox: name}); err != nil {
			return err
		}
		s.name = name
	}
	s.dirty = true
	id, why, err := makeScratchBox(ctx, s.acc, s.name)
	if err != nil {
		return err
	}
	if id == "" {
		s.useless = "no mailbox can be made in the account of " + s.acc.Name + ": " + why
		return nil
	}
	s.box, s.dirty = id, false
	return nil
}

// scratchName is a name for a mailbox that nobody else gives to one.
func scratchName() string { return "mailhaul scratch " + strings.ToLower(rand.Text()[:10]) }

// makeScratchBox makes a mailbox; when the server refuses that, it says why.
func makeScratchBox(ctx context.Context, acc *jmapclient.Account, name string) (id, why string, err error) {
	res, err := acc.Set(context.WithoutCancel(ctx), account.Mailbox, jmapclient.SetArgs{Create: map[string]account.Object{
		"s": {"name": account.Marshal(name), "parentId": account.Marshal(nil)},
	}})
	if err != nil {
		return "", "", err
	}
	return res.Created["s"].ID(), res.NotCreated["s"].String(), nil
}

// wipe removes the mailbox and what is in it. Ids of mailboxes are used again
// by some servers: a second try must not meet another mailbox, which the state
// sees to.
func (s *scratch) wipe(ctx context.Context) error {
	if s.name == "" {
		return nil
	}
	const most = 5
	s.dirty = true
	for try := 1; ; try++ {
		why, err := s.remove(ctx)
		if err != nil && endsScratch(err) {
			return err
		}
		if err != nil {
			why = err.Error()
		}
		if why == "" {
			s.box, s.dirty = "", false
			return nil
		}
		if try == most {
			s.useless = "the mailbox " + s.name + " in the account of " + s.acc.Name + " can't be removed: " + why
			return nil
		}
	}
}

// remove is one try of wipe. It says why the mailbox is still there, "" when it
// is not.
func (s *scratch) remove(ctx context.Context) (why string, err error) {
	if s.box == "" { // it was asked for, and no answer came: the server may still be at it
		id, _, err := findScratchBox(ctx, s.acc, s.name)
		if err != nil {
			return "", err
		}
		if id == "" {
			if err := pause(ctx, 3*settlePause); err != nil {
				return "", err
			}
		}
	}
	return removeScratchBox(ctx, s.acc, s.name, true)
}

// removeScratchBox removes a mailbox by its name, and what is in it if that is
// wanted. It says why the mailbox is still there.
func removeScratchBox(ctx context.Context, acc *jmapclient.Account, name string, full bool) (why string, err error) {
	id, state, err := findScratchBox(ctx, acc, name)
	if err != nil || id == "" {
		return "", err
	}
	res, err := acc.Set(ctx, account.Mailbox, jmapclient.SetArgs{Destroy: []string{id},
		Extra: map[string]any{"ifInState": state, "onDestroyRemoveEmails": full}})
	if err != nil {
		return "", err
	}
	if slices.Contains(res.Destroyed, id) {
		return "", nil
	}
	return cmp.Or(res.NotDestroyed[id].String(), "the server does not say why"), nil
}

// findScratchBox finds a mailbox by its name: its id, "" when there is none,
// and the state of the mailboxes.
func findScratchBox(ctx context.Context, acc *jmapclient.Account, name string) (id, state string, err error) {
	got, err := acc.All(ctx, account.Mailbox, []string{"id", "name"})
	if err != nil {
		return "", "", err
	}
	for _, o := range got.List {
		if o.Text("name") == name {
			id = o.ID()
		}
	}
	return id, got.State, nil
}

// close removes the mailbox for good, also when the run was interrupted.
func (s *scratch) close(ctx context.Context) error {
	if s.name == "" {
		return nil
	}
	if err := s.wipe(context.WithoutCancel(ctx)); err != nil {
		return err
	}
	if s.dirty {
		s.r.warn("%s; the next import tries it again, or remove it by hand", s.useless)
		return nil
	}
	s.name = ""
	return s.r.j.SetNote(scratchNote, scratchLeft{})
}

// closeAfter is close when the run ends in an error. An interruption still
// leaves nothing behind; where the server can't be reached the next run cleans
// up.
func (s *scratch) closeAfter(ctx context.Context, err error) error {
	if ctx.Err() != nil || jmapclient.KindOf(err) == jmapclient.OverQuota {
		if cerr := s.close(ctx); cerr != nil {
			s.r.note("the mailbox %q stays in the account of %s until the next import: %v", s.name, s.acc.Name, cerr)
		}
	}
	return err
}

// endsScratch says whether an error ends the run and not only this way.
func endsScratch(err error) bool {
	return endsRun(err) && jmapclient.KindOf(err) != jmapclient.Forbidden && jmapclient.KindOf(err) != jmapclient.NoAccount
}
