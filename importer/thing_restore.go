package importer

import (
	"context"
	"slices"
	"strconv"

	"mailhaul/account"
	"mailhaul/archive"
	js "mailhaul/internal/jsschema"
	"mailhaul/jmapclient"
)

// thingsAtOnce is how many things one request makes or changes, at most.
const thingsAtOnce = 100

// mostUnknown is how many answers may get lost while a type is restored.
const mostUnknown = 4

// restoreThings makes or updates a type's objects.
func (r *run) restoreThings(ctx context.Context, t account.Type) error {
	for n := 1; ; n++ {
		err := r.restoreOnce(ctx, t)
		if jmapclient.KindOf(err) != jmapclient.Unknown || n == mostUnknown {
			return err
		}
		if err := pause(ctx, 3*settlePause); err != nil {
			return err
		}
		r.startAgain(t)
	}
}

func (r *run) restoreOnce(ctx context.Context, t account.Type) error {
	list, err := r.match(ctx, t)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(list, lost) { // its request may be at work yet
		if err := pause(ctx, 3*settlePause); err != nil {
			return err
		}
		if list, err = r.match(ctx, t); err != nil {
			return err
		}
	}
	st := r.stage(t.Name, int64(len(list)), 0)
	defer st.finish()
	defer r.tellReports(t)
	var create, update []*thing
	for _, w := range list {
		if shares, _ := readShares(w.rec.Object); len(shares) > 0 && w.state != archive.Done {
			r.tell(w, js.Problem{Property: "shareWith", Reason: "it was shared with others, which the archive keeps: share it by hand"})
		}
		switch {
		case w.bad != "":
			r.fail(t, w.rec.Object.ID(), w.name(), w.bad, "set it up by hand; the archive keeps it as it was")
		case w.target == nil:
			create = append(create, w)
		case w.ours && w.state == archive.Done, fills(w.to):
			update = append(update, w)
		default:
			if err := r.found(ctx, w); err != nil {
				return err
			}
		}
	}
	for _, part := range layers(create) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := r.createThings(ctx, list, part); err != nil {
			return err
		}
		st.add(int64(len(part)), 0)
	}
	for _, part := range layers(update) {
		if err := r.updateThings(ctx, part); err != nil {
			return err
		}
		st.add(int64(len(part)), 0)
	}
	if isContainer(t) {
		_, _, err = r.contained(ctx, t, list)
		return err
	}
	return r.removeThings(ctx, t)
}

func lost(w *thing) bool { return w.state == archive.InFlight && w.target == nil && w.bad == "" }

// layers are batches of one target type each, of files such that no file is in
// the batch of its directory.
func layers(list []*thing) (parts [][]*thing) {
	var part []*thing
	in := map[string]bool{}
	for _, w := range list {
		if len(part) > 0 && (len(part) == thingsAtOnce || part[0].to.Name != w.to.Name || w.up != "" && in[w.up]) {
			parts, part = append(parts, part), nil
			clear(in)
		}
		part = append(part, w)
		in[w.rec.Object.ID()] = true
	}
	if len(part) > 0 {
		parts = append(parts, part)
	}
	return parts
}

// found claims an object that was there before this import, and leaves it as it
// is; one that an answer got lost of is like made.
func (r *run) found(ctx context.Context, w *thing) error {
	if w.ours {
		r.tell(w, w.told...)
	}
	if !w.ours && !isContainer(w.to) {
		diffs, err := r.unlike(ctx, w)
		if err != nil {
			return err
		}
		if len(diffs) > 0 {
			if w.to.Name == account.FileNode.Name && slices.Contains(diffs, "blobId") {
				r.fail(w.t, w.rec.Object.ID(), w.name(), "another file of that name is on the server", "give that one another name and run the import again")
				return nil
			}
			r.tell(w, js.Problem{Property: "", Reason: "was there already and differs: left as it is"})
		}
	}
	r.count(w.t, func(c *Counts) { c.Present++ })
	return r.thingDone(w)
}

// thingDone journals what a thing is on the target.
func (r *run) thingDone(w *thing) error {
	want, err := r.wants(w)
	if err != nil {
		return err
	}
	a := wrote{Source: mark(w.rec.Object), Want: js.Encode(want), Told: w.was.Told, Got: marks(w.target)}
	if a.Made = w.was.Made; w.made || w.ours && w.state == archive.InFlight {
		a.Made = w.to.Name
	}
	for _, p := range w.kept {
		a.Source = "" // it is compared again
		delete(a.Want, p)
		if v, ok := w.was.Want[p]; ok {
			a.Want[p] = v
		}
		a.Got[p] = w.was.Got[p]
	}
	slices.Sort(a.Told)
	a.Told = slices.Compact(a.Told)
	return r.done(w.t, w.rec, w.target.ID(), string(account.Marshal(a)))
}

// createThings makes one batch.
func (r *run) createThings(ctx context.Context, all, part []*thing) error {
	var list []*thing
	for _, w := range part {
		if ok, err := r.ready(ctx, all, w); err != nil {
			return err
		} else if ok {
			list = append(list, w)
		}
	}
	var made []*thing
	for try := 0; len(list) > 0; try++ {
		if err := r.leave(list); err != nil {
			return err
		}
		set := jmapclient.SetArgs{Create: map[string]account.Object{}, Extra: r.quietly(list[0].to)}
		for i, w := range list {
			set.Create["o"+strconv.Itoa(i)] = w.target
		}
		// From here the request is out: an interruption waits for its answer.
		res, err := r.to.Set(context.WithoutCancel(ctx), list[0].to, set)
		var again []*thing
		for i, w := range list {
			key := "o" + strconv.Itoa(i)
			o, ok := account.Object(nil), false
			if res != nil {
				o, ok = res.Created[key]
			}
			switch {
			case ok:
				w.target, w.made = account.Object{"id": o["id"]}, true
				r.count(w.t, func(c *Counts) { c.Created++ })
				r.tell(w, w.told...)
				made = append(made, w)
				if derr := r.thingDone(w); derr != nil {
					return derr
				}
			case err != nil:
			case try < mostAdapts && r.adapt(ctx, w, res.NotCreated[key]):
				again = append(again, w)
			default:
				if ferr := r.refused(w, res.NotCreated[key].String()); ferr != nil {
					return ferr
				}
			}
		}
		if err != nil {
			return r.alone(ctx, all, list, err)
		}
		list = again
	}
	return r.look(ctx, made)
}

// leave marks things as on their way, with what is left out of them.
func (r *run) leave(list []*thing) error {
	entries := make([]archive.Entry, len(list))
	for i, w := range list {
		entries[i] = archive.Entry{Type: w.t.Name, SourceID: w.rec.Object.ID(), Blob: w.rec.Blob, State: archive.InFlight,
			Applied: string(account.Marshal(wrote{Told: w.was.Told}))}
	}
	return r.j.Put(entries...)
}

// mostAdapts bounds how often an object is sent with less of it.
const mostAdapts = 20

// alone goes on after a request that failed as a whole: one thing at a time finds
// the one to blame.
func (r *run) alone(ctx context.Context, all, list []*thing, err error) error {
	kind := jmapclient.KindOf(err)
	if endsRun(err) || kind == jmapclient.Unknown || kind == jmapclient.OverQuota || kind == jmapclient.Unsupported {
		return err
	}
	if len(list) == 1 {
		return r.refused(list[0], err.Error())
	}
	for _, w := range list {
		if !w.target.Has("id") { // not made
			if err := r.createThings(ctx, all, []*thing{w}); err != nil {
				return err
			}
		}
	}
	return nil
}

// refused reports a thing that the server does not take.
func (r *run) refused(w *thing, reason string) error {
	w.target = nil
	r.fail(w.t, w.rec.Object.ID(), w.name(), "the server refused it: "+reason, "set it up by hand; the archive keeps it as it was")
	return r.j.Put(archive.Entry{Type: w.t.Name, SourceID: w.rec.Object.ID(), Blob: w.rec.Blob, State: archive.Failed, Reason: reason})
}

// quietly are the arguments that keep a server from writing to people
// (draft-ietf-jmap-calendars §5.8). Cyrus has none: see jscalendar.Quiet.
func (r *run) quietly(t account.Type) map[string]any {
	if t.Name != account.CalendarEvent.Name || r.cyrusCalendars() {
		return nil
	}
	return map[string]any{"sendSchedulingMessages": false}
}

// look reads back what was made, for the journal.
func (r *run) look(ctx context.Context, made []*thing) error {
	if len(made) == 0 {
		return nil
	}
	by := map[string]*thing{}
	ids := make([]string, len(made))
	for i, w := range made {
		ids[i] = w.target.ID()
		by[ids[i]] = w
	}
	got, err := r.to.Get(ctx, made[0].to, ids, nil)
	if err != nil {
		if endsRun(err) {
			return err
		}
		return nil // a later import then takes it that nobody changed them
	}
	for _, o := range got.List {
		if w := by[o.ID()]; w != nil {
			w.target = o
			if err := r.thingDone(w); err != nil {
				return err
			}
		}
	}
	return nil
}
