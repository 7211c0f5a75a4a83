package importer

import (
	"context"
	"errors"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/account"
)

// appender brings in over IMAP what the server's Email/import drops: APPEND
// (RFC 9051 §6.3.12) takes a message whatever its Message-ID.
//
// Messages are appended into a mailbox that is made over JMAP for them, under a
// name that nobody else has. That it is there over IMAP as well proves that
// both are the same account. From it they are claimed like any message whose
// request was in flight, and reading back moves them to where they belong.
type appender struct {
	r       *run
	conn    *imapclient.Client // nil: not connected
	name    string             // of the mailbox, "" while none was asked for
	useless string             // why it can't be used (any more)
	none    bool               // nobody asked for it
	fails   int                // connections that failed in a row
	refused []*item            // that were appended in vain, with the reason
	brought int64
}

// appendNote is the journal's note of the mailbox's name, "" for none.
const appendNote = "append mailbox"

func (r *run) newAppender() *appender {
	return &appender{r: r, none: r.o.IMAP == nil || !r.to.Own}
}

// bring appends messages until each is done or refused. It yields those for
// which it can't be, or was refused, which then say why.
func (a *appender) bring(ctx context.Context, items []*item) (left []*item, err error) {
	if a.none {
		return items, nil
	}
	for _, it := range items {
		it.detours, it.said = 0, ""
	}
	a.refused = nil
	for len(items) > 0 && a.useless == "" {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := a.open(ctx); err != nil {
			return nil, err
		}
		if a.conn == nil {
			continue
		}
		n := min(len(items), batchItems)
		again, err := a.appendAll(ctx, items[:n])
		if err != nil {
			return nil, err
		}
		items = slices.Concat(items[n:], again) // what had trouble last
	}
	return slices.Concat(items, a.refused), nil
}

// appendAll appends messages and looks for them in the account.
func (a *appender) appendAll(ctx context.Context, items []*item) (again []*item, err error) {
	r := a.r
	var sent []*item
	why := map[*item]string{}
	for i, it := range items {
		if a.conn == nil { // lost with the one before
			again = slices.Clone(items[i:])
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err // what is in flight is looked for by the next import
		}
		if err := r.readable(it); err != nil {
			if !isDamage(err) {
				return nil, err
			}
			if err := r.uploadFailed(it, err); err != nil {
				return nil, err
			}
			continue
		}
		if err := r.markInFlight([]*item{it}); err != nil {
			return nil, err
		}
		sent = append(sent, it)
		if err := a.append(it); err != nil {
			why[it] = err.Error()
			if _, refused := errors.AsType[*imap.Error](err); !refused {
				a.failed(err)
			}
			continue
		}
		a.fails = 0
		r.count(account.Email, func(c *Counts) { c.Bytes += it.size })
	}
	missing, err := r.reconcile(ctx, sent)
	if err != nil {
		return nil, err
	}
	a.brought += int64(len(sent) - len(missing))
	for _, it := range missing {
		said := why[it]
		if said == "" {
			said = "the server took it and does not show it"
		}
		if it.detours++; it.detours < mostDetours {
			again = append(again, it)
			continue
		}
		it.said = "appending it over IMAP failed: " + said
		a.refused = append(a.refused, it)
	}
	return again, nil
}

// readable finds damage before a message is on its way: a literal that breaks
// off takes the connection with it.
func (r *run) readable(it *item) error {
	src, _, err := r.ar.OpenBlob(it.blob)
	if err != nil {
		return err
	}
	defer src.Close()
	_, err = io.Copy(io.Discard, src)
	return err
}

// systemFlags are the keywords that are flags in IMAP (RFC 8621 §4.1.1). The
// others are set when the message is read back.
var systemFlags = map[string]imap.Flag{
	"$seen": imap.FlagSeen, "$flagged": imap.FlagFlagged, "$answered": imap.FlagAnswered, "$draft": imap.FlagDraft,
}

// append is one APPEND.
func (a *appender) append(it *item) error {
	src, _, err := a.r.ar.OpenBlob(it.blob)
	if err != nil {
		return err
	}
	defer src.Close()
	o := &imap.AppendOptions{Time: it.object.Time("receivedAt")}
	for _, k := range it.place.keywords {
		if f, ok := systemFlags[k]; ok {
			o.Flags = append(o.Flags, f)
		}
	}
	cmd := a.conn.Append(a.name, it.size, o)
	_, err = io.Copy(cmd, src)
	err = errors.Join(err, cmd.Close())
	_, said := cmd.Wait()
	if _, refused := errors.AsType[*imap.Error](said); refused || err == nil {
		return said
	}
	return err
}

// openBox makes the mailbox; an earlier run's is used again.
func (a *appender) openBox(ctx context.Context) error {
	r := a.r
	if a.name != "" {
		return nil
	}
	var name string
	if _, err := r.j.Note(appendNote, &name); err != nil {
		return err
	}
	if name == "" {
		name = scratchName()
		if err := r.j.SetNote(appendNote, name); err != nil {
			return err
		}
	}
	id, _, err := findScratchBox(ctx, r.to, name)
	why := ""
	if err == nil && id == "" {
		id, why, err = makeScratchBox(ctx, r.to, name)
	}
	if err != nil {
		return err
	}
	if id == "" {
		a.useless = "no mailbox can be made in the account: " + why
		return nil
	}
	a.name = name
	return nil
}

// removeAppendBox removes the mailbox that messages were appended into, once
// they were moved to where they belong. What is still in it stays.
func (r *run) removeAppendBox(ctx context.Context) error {
	var name string
	if _, err := r.j.Note(appendNote, &name); err != nil || name == "" {
		return err
	}
	why, err := "", error(nil)
	for range 3 { // the state may have changed under it
		if why, err = removeScratchBox(ctx, r.to, name, false); err == nil && why == "" {
			return r.j.SetNote(appendNote, "")
		}
		if err != nil && endsRun(err) {
			return err
		}
	}
	if err != nil {
		why = err.Error()
	}
	r.warn("the mailbox %q, through which messages came in over IMAP, is still there: %s; look at what is in it, then remove it", name, why)
	return nil
}
