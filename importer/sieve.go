package importer

import (
	"context"
	"errors"
	"io"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// vacationScript is the name under which Stalwart shows the vacation response
// among the scripts, and which it reserves.
const vacationScript = "vacation"

// mostScript bounds the size of a script that is read for comparison.
const mostScript = 16 << 20

// scripts imports Sieve scripts, inactive (RFC 9661 §2.4); activate comes last.
func (r *run) scripts(ctx context.Context) error {
	recs, err := r.sources(account.SieveScript)
	if err != nil {
		return err
	}
	got, err := r.to.All(ctx, account.SieveScript, nil)
	if err != nil {
		return err
	}
	byName := map[string]account.Object{}
	for _, o := range got.List {
		byName[o.Text("name")] = o
	}
	st := r.stage(account.SieveScript.Name, int64(len(recs)), 0)
	defer st.finish()
	for _, rec := range recs {
		if err := r.script(ctx, rec, byName[rec.Object.Text("name")]); err != nil {
			return err
		}
		st.add(1, 0)
	}
	return nil
}

// script makes one script, or updates the one of its name.
func (r *run) script(ctx context.Context, rec archive.Record, target account.Object) error {
	o := rec.Object
	if rec.Blob == "" {
		r.fail(account.SieveScript, o.ID(), o.Text("name"), "the archive has no content for it: the export could not fetch it",
			"run the export again while the old server is there, then the import")
		return nil
	}
	if target == nil {
		return r.makeScript(ctx, rec)
	}
	there, err := r.hashOf(ctx, target.Text("blobId"), -1)
	if err != nil {
		return err
	}
	e, known, err := r.before(account.SieveScript, o.ID())
	if err != nil {
		return err
	}
	switch {
	case there == rec.Blob, known && e.Blob == rec.Blob: // equal, or the target's user changed it since
		r.count(account.SieveScript, func(c *Counts) { c.Present++ })
		return r.done(account.SieveScript, rec, target.ID(), "")
	case known && e.Blob != there && r.o.Conflict != ConflictSource:
		r.count(account.SieveScript, func(c *Counts) { c.Present++ })
		if r.clashed(Clash{Type: account.SieveScript.Name, ID: o.ID(), Item: o.Text("name"), What: "content"}) {
			return nil
		}
		return r.done(account.SieveScript, rec, target.ID(), "")
	}
	blobID, err := r.scriptBlob(ctx, rec)
	if err != nil || blobID == "" {
		return err
	}
	res, err := r.to.Set(ctx, account.SieveScript, jmapclient.SetArgs{Update: map[string]map[string]any{target.ID(): {"blobId": blobID}}})
	if err != nil {
		return err
	}
	if se, ok := res.NotUpdated[target.ID()]; ok {
		r.scriptRefused(rec, se)
		return nil
	}
	r.count(account.SieveScript, func(c *Counts) { c.Updated++ })
	return r.done(account.SieveScript, rec, target.ID(), "")
}

func (r *run) makeScript(ctx context.Context, rec archive.Record) error {
	blobID, err := r.scriptBlob(ctx, rec)
	if err != nil || blobID == "" {
		return err
	}
	name := rec.Object.Text("name")
	create := account.Object{"name": account.Marshal(name), "blobId": account.Marshal(blobID)}
	res, err := r.to.Set(ctx, account.SieveScript, jmapclient.SetArgs{Create: map[string]account.Object{"s": create}})
	if err != nil {
		return err
	}
	made, ok := res.Created["s"]
	if !ok {
		r.scriptRefused(rec, res.NotCreated["s"])
		return nil
	}
	r.count(account.SieveScript, func(c *Counts) { c.Created++ })
	return r.done(account.SieveScript, rec, made.ID(), "")
}

// scriptBlob uploads a script; "" when it failed, and said so.
func (r *run) scriptBlob(ctx context.Context, rec archive.Record) (string, error) {
	src, size, err := r.ar.OpenBlob(rec.Blob)
	if err == nil {
		_, err = io.Copy(io.Discard, io.LimitReader(src, mostScript))
		src.Close()
	}
	var up *jmapclient.Uploaded
	if err == nil {
		up, err = r.sendBlob(ctx, r.to, "application/sieve", rec.Blob, size)
	}
	if err == nil {
		r.count(account.SieveScript, func(c *Counts) { c.Bytes += size })
		return up.BlobID, nil
	}
	var damaged *archive.DamagedError
	if errors.As(err, &damaged) || errors.Is(err, archive.ErrNotFound) {
		r.fail(account.SieveScript, rec.Object.ID(), rec.Object.Text("name"), "damaged in the archive: "+err.Error(), adviceDamaged)
		return "", nil
	}
	return "", err
}

// scriptRefused reports a script that the server does not take. That of the
// vacation response is no loss: the response itself is imported.
func (r *run) scriptRefused(rec archive.Record, se jmapclient.SetError) {
	name := rec.Object.Text("name")
	if strings.EqualFold(name, vacationScript) {
		if o, ok, err := r.sourceVacation(); err == nil && ok && !emptyVacation(o) {
			r.note("the Sieve script %q is the vacation response's own and comes with it", name)
			r.count(account.SieveScript, func(c *Counts) { c.Present++ })
			return
		}
	}
	r.fail(account.SieveScript, rec.Object.ID(), name, "the server refused it: "+se.String(),
		"correct the script and add it by hand; the archive keeps it as it was")
}

// activeNote is the journal's note of the source script that was activated.
const activeNote = "active script"

// activate switches the source's active script on, after everything else:
// servers have one active script in all, and the vacation response may be it.
func (r *run) activate(ctx context.Context) error {
	if _, ok := r.to.Using(account.SieveScript); !ok {
		return nil
	}
	recs, err := r.sources(account.SieveScript)
	if err != nil {
		return err
	}
	for _, rec := range recs {
		if rec.Object.Bool("isActive") && !strings.EqualFold(rec.Object.Text("name"), vacationScript) {
			return r.activateOne(ctx, rec)
		}
	}
	return nil
}

func (r *run) activateOne(ctx context.Context, rec archive.Record) error {
	name, id := rec.Object.Text("name"), rec.Object.ID()
	e, ok, err := r.before(account.SieveScript, id)
	if err != nil || !ok { // it failed, and said so
		return err
	}
	var last string
	if _, err := r.j.Note(activeNote, &last); err != nil || last == id {
		return err // activated once: what is active now is the user's choice
	}
	got, err := r.to.Get(ctx, account.SieveScript, []string{e.TargetID}, nil)
	if err != nil {
		return err
	}
	if len(got.List) == 1 && !got.List[0].Bool("isActive") {
		res, err := r.to.Set(ctx, account.SieveScript, jmapclient.SetArgs{Extra: map[string]any{"onSuccessActivateScript": e.TargetID}})
		if err != nil {
			return err
		}
		if len(res.NotUpdated) > 0 {
			r.warn("Sieve script %q could not be activated: %s; activate it by hand", name, res.NotUpdated[e.TargetID])
			return nil
		}
		if err := r.tellOneOnly(ctx, name, e.TargetID); err != nil {
			return err
		}
	}
	return r.j.SetNote(activeNote, id)
}

// tellOneOnly says so when the target can't have both the script and the
// vacation response switched on, as the source had.
func (r *run) tellOneOnly(ctx context.Context, name, targetID string) error {
	got, err := r.to.Get(ctx, account.SieveScript, []string{targetID}, nil)
	if err != nil {
		return err
	}
	if len(got.List) == 1 && !got.List[0].Bool("isActive") {
		r.warn("Sieve script %q is not active: the server did not activate it; activate it by hand", name)
	}
	source, ok, err := r.sourceVacation()
	if err != nil || !ok || !source.Bool("isEnabled") {
		return err
	}
	if _, ok := r.to.Using(account.VacationResponse); !ok {
		return nil
	}
	v, err := r.targetVacation(ctx)
	if err != nil {
		return err
	}
	if v != nil && !v.Bool("isEnabled") {
		r.warn("the server has either the vacation response or a Sieve script switched on: script %q is active now and the vacation response, "+
			"which the source had enabled too, is not", name)
	}
	return nil
}
