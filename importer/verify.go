package importer

import (
	"context"
	"fmt"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// VerifyOptions for a comparison with a server.
type VerifyOptions struct {
	At     int
	Full   bool // compare all bytes, downloading where the server has no digest
	Sample int  // otherwise how many downloads (0: 50)
	Events progress.Func
}

// VerifyReport is what Verify found.
type VerifyReport struct {
	Snapshot  int            `json:"snapshot"`
	Mailboxes []MailboxTally `json:"mailboxes"`
	// Bytes checked: by the server's digest, by download, by size alone.
	ByDigest   int64 `json:"byDigest"`
	ByDownload int64 `json:"byDownload"`
	BySize     int64 `json:"bySize"`
	// Differences name at most 10 000 items; Types counts them all, as Failed.
	Differences []Difference      `json:"differences,omitempty"`
	Extra       int64             `json:"extra"` // messages on the server beyond the archive's
	Types       map[string]Counts `json:"types"`
}

// MailboxTally is a row of verify's table.
type MailboxTally struct {
	Path    string `json:"path"`   // in the archive, "" for one that only the server has
	Target  string `json:"target"` // on the server
	Archive int64  `json:"archive"`
	Server  int64  `json:"server"`
	Matched int64  `json:"matched"`
	Missing int64  `json:"missing"`
	Differ  int64  `json:"differ"`
	Extra   int64  `json:"extra"`
}

// Difference is one thing that is not on the server as it is in the archive.
type Difference struct {
	Type   string `json:"type"`
	ID     string `json:"id"`
	Item   string `json:"item"`
	What   string `json:"what"` // "missing", "copy" (there, but as one with an identical message), "keywords", "mailboxes", "receivedAt", "bytes", …
	Detail string `json:"detail"`
}

// defaultSample is how many messages are downloaded where the server has no
// digests.
const defaultSample = 50

// verifier is a comparison in progress.
type verifier struct {
	*run
	o      VerifyOptions
	c      *comparison
	rep    *VerifyReport
	tally  map[string]*MailboxTally // by target id, or "source " and source id
	order  []*MailboxTally
	differ map[string]bool // source ids that were counted as differing
}

// Verify compares an archive with the account on the server; it changes
// nothing. It uses the journal of an import if there is one, and needs none.
// An error says that the comparison could not be made; differences are in the
// report.
func Verify(ctx context.Context, ar *archive.Archive, target *jmapclient.Account, o VerifyOptions) (*VerifyReport, error) {
	r, err := newRun(ar, target, Options{At: o.At, Events: o.Events})
	if err != nil {
		return nil, err
	}
	v := &verifier{run: r, o: o, rep: &VerifyReport{Snapshot: r.res.Snapshot, Types: map[string]Counts{}},
		tally: map[string]*MailboxTally{}, differ: map[string]bool{}}
	if _, ok := target.Using(account.Email); !ok {
		return nil, r.lacking(account.Email, 0)
	}
	if err := r.borrowJournal(); err != nil {
		return nil, err
	}
	defer r.returnJournal()
	if err := v.compareAll(ctx); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	return v.rep, nil
}

func (v *verifier) compareAll(ctx context.Context) error {
	if err := v.findBoxes(ctx); err != nil {
		return err
	}
	v.mailboxes()
	err := v.sharing(ctx)
	if err != nil {
		return err
	}
	if v.c, err = v.compare(ctx); err != nil {
		return err
	}
	defer v.c.close()
	if err := v.emails(ctx); err != nil {
		return err
	}
	if err := v.extras(ctx); err != nil {
		return err
	}
	for _, t := range account.Types[2:] {
		if err := v.small(ctx, t); err != nil {
			return err
		}
	}
	for _, m := range v.order {
		v.rep.Mailboxes = append(v.rep.Mailboxes, *m)
	}
	return nil
}

// differs reports a difference and counts its item once.
func (v *verifier) differs(t account.Type, id, item, what, format string, args ...any) {
	if key := t.Name + " " + id; !v.differ[key] {
		if len(v.differ) < mostFailures {
			v.differ[key] = true
		}
		v.counts(t, func(c *Counts) { c.Failed++ })
	}
	if len(v.rep.Differences) < mostFailures {
		v.rep.Differences = append(v.rep.Differences, Difference{Type: t.Name, ID: id, Item: item, What: what, Detail: fmt.Sprintf(format, args...)})
	}
}

func (v *verifier) counts(t account.Type, change func(*Counts)) {
	c := v.rep.Types[t.Name]
	change(&c)
	v.rep.Types[t.Name] = c
}

// mailboxes compares the mailboxes themselves and begins the table.
func (v *verifier) mailboxes() {
	for _, b := range v.boxes.boxes {
		row := &MailboxTally{Path: b.path}
		v.order = append(v.order, row)
		v.counts(account.Mailbox, func(c *Counts) { c.Total++ })
		if b.target == "" {
			v.tally["source "+b.id] = row
			v.differs(account.Mailbox, b.id, b.path, "missing", "there is no such mailbox on the server")
			continue
		}
		row.Target = v.boxes.targetPath(b.target)
		v.tally[b.target] = row
		t := v.boxes.targets[b.target]
		if sub := v.subscription(b.obj); sub != nil && *sub != t.Bool("isSubscribed") {
			v.differs(account.Mailbox, b.id, b.path, "subscription", "subscribed in the archive: %t, on the server: %t", *sub, t.Bool("isSubscribed"))
			continue
		}
		v.counts(account.Mailbox, func(c *Counts) { c.Present++ })
	}
}

// row is a mailbox's row of the table.
func (v *verifier) row(targetID string) *MailboxTally {
	if m := v.tally[targetID]; m != nil {
		return m
	}
	m := &MailboxTally{Target: v.boxes.targetPath(targetID)}
	v.tally[targetID] = m
	v.order = append(v.order, m)
	return m
}

// small compares a type that is no mail.
func (v *verifier) small(ctx context.Context, t account.Type) error {
	n, err := v.restorable(t)
	if err != nil || n == 0 {
		return err
	}
	v.counts(t, func(c *Counts) { c.Total = n })
	if !v.has(t) {
		if v.needless(t) != "" {
			return nil
		}
		if o, ok, err := v.sourceVacation(); t.Singleton && (err != nil || !ok || emptyVacation(o)) {
			return err
		}
		v.differs(t, "", plural[t.Name], "missing", "the server has no %s", plural[t.Name])
		return nil
	}
	same, diffs, err := v.compareSmall(ctx, t)
	if err != nil {
		if err := v.orGoOn(t, err); err != nil {
			return err
		}
		v.differs(t, "", plural[t.Name], "unreadable", "%v", err)
		return nil
	}
	v.counts(t, func(c *Counts) { c.Present = same })
	for _, d := range diffs {
		v.differs(t, d.ID, d.Item, d.What, "%s", d.Detail)
	}
	return nil
}
