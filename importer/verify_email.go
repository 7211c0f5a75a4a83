package importer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
)

// serversOwn are keywords that servers set by themselves: one more of them on a
// message is no difference.
var serversOwn = account.SetOf("$hasattachment", "$hasnoattachment", "$recent")

// bytesToCheck is a matched message whose bytes are to be compared.
type bytesToCheck struct {
	object account.Object
	blob   archive.Hash
	blobID string
	size   int64
}

// emails compares each archived message with the one that stands for it.
func (v *verifier) emails(ctx context.Context) error {
	n, _, err := v.ar.Count(v.at, account.Email)
	if err != nil {
		return err
	}
	st := v.stage("verify "+account.Email.Name, n, 0)
	defer st.finish()
	b := &byteCheck{v: v, most: v.o.Sample, rnd: rand.New(rand.NewPCG(uint64(n), 1))}
	if b.most == 0 {
		b.most = defaultSample
	}
	for rec, err := range v.ar.Objects(v.at, account.Email) {
		if err != nil {
			return fmt.Errorf("read the archive's messages: %w", err)
		}
		if err := v.email(ctx, rec, b); err != nil {
			return err
		}
		st.add(1, 0)
	}
	return b.finish(ctx)
}

func (v *verifier) email(ctx context.Context, rec archive.Record, b *byteCheck) error {
	o := rec.Object
	v.counts(account.Email, func(c *Counts) { c.Total++ })
	rows := v.rowsOf(o)
	for _, m := range rows {
		m.Archive++
	}
	id, err := v.c.targetOf(ctx, o.ID())
	if err != nil {
		return err
	}
	if id == "" {
		for _, m := range rows {
			m.Missing++
		}
		return v.missing(ctx, rec)
	}
	t, _, err := v.c.row(ctx, id)
	if err != nil {
		return err
	}
	same, err := v.compareEmail(ctx, o, t)
	if err != nil {
		return err
	}
	for _, m := range rows {
		m.Matched++
		if !same {
			m.Differ++
		}
	}
	if same {
		v.counts(account.Email, func(c *Counts) { c.Present++ })
	}
	return b.add(ctx, bytesToCheck{o, rec.Blob, t.BlobID, t.size})
}

// missing reports a message for which none on the server stands. A copy of one
// that is there may have no place of its own: some servers (Cyrus) keep
// identical messages of an account once.
func (v *verifier) missing(ctx context.Context, rec archive.Record) error {
	o := rec.Object
	what, detail := "missing", "it is not on the server"
	if rec.Blob == "" {
		detail = "the archive has no content for it, and it is not on the server"
	} else {
		twin, err := v.c.twinOf(ctx, rec.Blob)
		if err != nil {
			return err
		}
		merged, err := v.mergedInto(o.ID(), twin)
		switch {
		case err != nil:
			return err
		case merged:
			what, detail = "copy", "the server has its bytes once, for this message and an identical one: it keeps identical messages of an account as one"
		case twin != "":
			detail = "this copy is not on the server, an identical message is (some servers keep identical messages of an account as one)"
		}
	}
	v.differs(account.Email, o.ID(), v.describe(o), what, "%s", detail)
	return nil
}

// mergedInto says whether an import was told by the server that this message
// stands for a source message as well as for another one.
func (v *verifier) mergedInto(sourceID, targetID string) (bool, error) {
	if v.j == nil || targetID == "" {
		return false, nil
	}
	e, ok, err := v.j.Get(account.Email.Name, sourceID)
	if err != nil {
		return false, fmt.Errorf("read the journal: %w", err)
	}
	return ok && e.State == archive.Done && e.TargetID == targetID, nil
}

// rowsOf are the rows of the mailboxes that a message belongs to.
func (v *verifier) rowsOf(o account.Object) (rows []*MailboxTally) {
	for _, id := range o.Set("mailboxIds") {
		m := v.tally["source "+id]
		if t := v.boxes.target(id); t != "" {
			m = v.tally[t]
		}
		if m != nil && !slices.Contains(rows, m) {
			rows = append(rows, m)
		}
	}
	if len(rows) == 0 && v.boxes.recovered != "" {
		rows = append(rows, v.row(v.boxes.recovered))
	}
	return rows
}

// compareEmail reports what differs between a message and the one that stands
// for it, bytes aside.
func (v *verifier) compareEmail(ctx context.Context, o account.Object, t targetRow) (same bool, err error) {
	same = true
	report := func(what, format string, args ...any) {
		same = false
		v.differs(account.Email, o.ID(), v.describe(o), what, format, args...)
	}
	want := v.placeNow(o.Set("mailboxIds"), o.Set("keywords"))
	all, err := v.c.wantedOf(ctx, t.ID)
	if err != nil {
		return false, err
	}
	shared := len(all) > len(want.mailboxes)
	lacks := missingIn(t.boxes, want.mailboxes)
	extra := missingIn(all, t.boxes)
	if len(lacks) > 0 {
		report("mailboxes", "not in %s", v.paths(lacks))
	} else if len(extra) > 0 {
		report("mailboxes", "also in %s", v.paths(extra))
	}
	have := account.SetOf(t.words...)
	var lost, more []string
	for _, k := range want.keywords {
		if !hasWord(have, k) {
			lost = append(lost, k)
		}
	}
	for _, k := range t.words {
		if !hasWord(account.SetOf(want.keywords...), k) && !serversOwn[strings.ToLower(k)] && !shared {
			more = append(more, k)
		}
	}
	if len(lost)+len(more) > 0 {
		report("keywords", "lacks %q, has %q beside", lost, more)
	}
	if at := o.Time("receivedAt").Unix(); at != t.received {
		report("receivedAt", "received %s in the archive, %s on the server", date(at), date(t.received))
	}
	if n := o.Int("size"); n != t.size {
		report("size", "%d bytes in the archive, %d on the server", n, t.size)
	}
	return same, nil
}

func date(unix int64) string { return time.Unix(unix, 0).UTC().Format(time.RFC3339) }

// missingIn are those of want that have has not.
func missingIn(have, want []string) (lacks []string) {
	for _, w := range want {
		if !slices.Contains(have, w) {
			lacks = append(lacks, w)
		}
	}
	return lacks
}

func (v *verifier) paths(ids []string) string {
	var paths []string
	for _, id := range ids {
		paths = append(paths, v.boxes.targetPath(id))
	}
	return strings.Join(paths, ", ")
}

// extras counts what the server holds, and what of it is beyond the archive.
func (v *verifier) extras(ctx context.Context) error {
	return v.c.each(ctx, func(scan func(...any) error) error {
		var boxes string
		var claims int64
		if err := scan(&boxes, &claims); err != nil {
			return err
		}
		if claims == 0 {
			v.rep.Extra++
		}
		for _, id := range decodeList(boxes) {
			m := v.row(id)
			m.Server++
			if claims == 0 {
				m.Extra++
			}
		}
		return nil
	}, "SELECT boxes, claims FROM target")
}
