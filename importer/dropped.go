package importer

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
)

// putAside keeps a message that the server dropped for later. Stalwart 0.5 to
// 0.8.1 skip a message whose Message-ID the account holds already, and answer
// "created" with size 0.
func (r *run) putAside(it *item) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.dropped = append(r.dropped, archive.PendingItem{SourceID: it.id, Blob: it.blob, Size: it.size})
}

// bringDropped brings in another way what the server dropped: through another
// account, or over IMAP.
// Where there is no such way the messages are failed by name. It answers how
// many are there now.
func (r *run) bringDropped(ctx context.Context) (brought int64, err error) {
	dropped := r.dropped
	r.dropped = nil
	if len(dropped) == 0 {
		return 0, nil
	}
	r.fresh = false
	var bytes int64
	for _, p := range dropped {
		bytes += p.Size
	}
	st := r.stage("Email, dropped", int64(len(dropped)), bytes)
	defer st.finish()
	s, err := r.newScratch(ctx)
	if err != nil {
		return 0, err
	}
	a, before := r.imap, r.imap.brought
	for part := range slices.Chunk(dropped, r.pageSize()) {
		if err = r.bringSome(ctx, part, s, a); err != nil {
			break
		}
		for _, p := range part {
			st.add(1, p.Size)
		}
	}
	appended := a.brought - before
	if err != nil {
		return s.brought + appended, s.closeAfter(ctx, err)
	}
	if err := s.close(ctx); err != nil {
		return s.brought + appended, err
	}
	const shares = "%s a Message-ID with another one; the server drops such copies, they were brought in "
	if s.brought > 0 {
		r.warn(shares+"through the account of %s (nothing of them is left there)", counted(s.brought, "message shares", "messages share"), s.acc.Name)
	}
	if appended > 0 {
		r.warn(shares+"over IMAP", counted(appended, "message shares", "messages share"))
	}
	return s.brought + appended, nil
}

// bringSome tries the ways there are, one after the other.
func (r *run) bringSome(ctx context.Context, dropped []archive.PendingItem, s *scratch, a *appender) error {
	items, err := r.stillMissing(ctx, dropped)
	if err == nil {
		items, err = s.bring(ctx, items)
	}
	if err == nil {
		items, err = a.bring(ctx, items)
	}
	if err != nil {
		return err
	}
	for _, it := range items {
		why := strings.Trim(s.useless+"; "+cmp.Or(it.said, a.useless), "; ")
		if err := r.failDropped([]*item{it}, why); err != nil {
			return err
		}
	}
	return nil
}

// stillMissing makes dropped messages ready to be sent another way. One that is
// in the account after all is not among them. Those that are not are no longer
// in flight.
func (r *run) stillMissing(ctx context.Context, dropped []archive.PendingItem) ([]*item, error) {
	var items []*item
	for _, p := range dropped {
		it, err := r.prepare(ctx, p)
		if err != nil {
			return nil, err
		}
		if it != nil {
			items = append(items, it)
		}
	}
	missing, err := r.reconcile(ctx, items)
	if err != nil || len(missing) == 0 {
		return nil, err
	}
	ids := make([]string, len(missing))
	for i, it := range missing {
		ids[i] = it.id
	}
	return missing, r.j.Delete(account.Email.Name, ids...)
}

// failDropped names messages for which there is no other way.
func (r *run) failDropped(items []*item, why string) error {
	advice := adviceDropped
	if !r.to.Own {
		advice = adviceDroppedForeign
	}
	for _, it := range items {
		reason := "the server dropped it: it keeps only one message of a Message-ID (Stalwart 0.5 to 0.8.1 do) and has one with " +
			fmt.Sprint(it.object.Strings("messageId"))
		if why != "" {
			reason += "; " + why
		}
		if err := r.failEmail(it.object, it.blob, reason, advice); err != nil {
			return err
		}
	}
	return nil
}

const (
	adviceDropped = "run the import again with --imap-url imaps://HOST, which appends it over IMAP, or with an administrator's credentials, " +
		"which bring it in through the administrator's own account"
	adviceDroppedForeign = "run the import again; if it stays, run it with the user's own credentials and --imap-url imaps://HOST, which appends it over IMAP"
)

// nextRound takes what can go through the scratch account together: it too
// takes a Message-ID only once. What had trouble before goes alone.
func nextRound(items []*item) (round, rest []*item) {
	if items[0].detours > 0 {
		return items[:1], items[1:]
	}
	taken := map[string]bool{}
	var bytes int64
	for _, it := range items {
		ids := it.object.Strings("messageId")
		if len(ids) == 0 {
			ids = []string{""} // the archive does not tell: any two of them may clash
		}
		clash := slices.ContainsFunc(ids, func(id string) bool { return taken[id] })
		if clash || it.detours > 0 || len(round) >= batchItems || len(round) > 0 && bytes+it.size > batchBytes {
			rest = append(rest, it)
			continue
		}
		for _, id := range ids {
			taken[id] = true
		}
		round = append(round, it)
		bytes += it.size
	}
	return round, rest
}
