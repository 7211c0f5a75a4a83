package importer

import (
	"context"
	"errors"
	"slices"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// mostDetours is how often a message is tried one such way, and mostTroubles
// how often when it is for requests that fail, which is not the message's fault.
const (
	mostDetours  = 3
	mostTroubles = 6
)

// bring sends messages through the scratch account, round by round, until each
// is done or failed. It yields those for which that can't be.
func (s *scratch) bring(ctx context.Context, items []*item) (left []*item, err error) {
	for len(items) > 0 && s.useless == "" {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		round, rest := nextRound(items)
		again, err := s.round(ctx, round)
		if err != nil {
			return nil, err
		}
		if s.dirty && s.name != "" {
			if err := s.wipe(context.WithoutCancel(ctx)); err != nil {
				return nil, err
			}
		}
		items = append(rest, again...)
	}
	return items, nil
}

// round sends messages of different Message-IDs through the scratch account,
// and yields those to be tried again. The mailbox is empty before it, and
// afterwards unless it is marked dirty.
func (s *scratch) round(ctx context.Context, items []*item) (again []*item, err error) {
	if err := s.open(ctx); err != nil {
		return s.trouble(items, err)
	}
	if s.useless != "" {
		return items, nil
	}
	ready, again, err := s.upload(ctx, items)
	if err != nil || len(ready) == 0 {
		return again, err
	}
	if err := s.r.markInFlight(ready); err != nil {
		return nil, err
	}
	// From here requests are out: an interruption waits for them.
	ctx = context.WithoutCancel(ctx)
	there, more, err := s.importAll(ctx, ready)
	again = append(again, more...)
	if err != nil || len(there) == 0 {
		return again, err
	}
	more, err = s.copyAll(ctx, there)
	return append(again, more...), err
}

// trouble decides about messages for which a request failed: the error ends the
// run, or this way, or they are tried again.
func (s *scratch) trouble(items []*item, err error) ([]*item, error) {
	if endsScratch(err) {
		return nil, err
	}
	s.dirty = true
	switch jmapclient.KindOf(err) {
	case jmapclient.Forbidden, jmapclient.NoAccount, jmapclient.OverQuota, jmapclient.Unsupported:
		s.useless = "the account of " + s.acc.Name + " can't be used to bring it in: " + err.Error()
		return items, nil
	}
	return s.retryUpTo(mostTroubles, items, err.Error())
}

func (s *scratch) retry(items []*item, why string) (again []*item, err error) {
	return s.retryUpTo(mostDetours, items, why)
}

// retryUpTo yields what is to be tried again, and fails what was tried enough.
func (s *scratch) retryUpTo(most int, items []*item, why string) (again []*item, err error) {
	why = "bringing it in through the account of " + s.acc.Name + " failed: " + why
	for _, it := range items {
		if it.detours++; it.detours < most {
			again = append(again, it)
			continue
		}
		if err := s.r.failDropped([]*item{it}, why); err != nil {
			return nil, err
		}
	}
	return again, nil
}

// upload sends blobs to the scratch account. What is damaged in the archive is
// failed.
func (s *scratch) upload(ctx context.Context, items []*item) (ready, again []*item, err error) {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(int(min(uploadsAtOnce, max(1, s.acc.Client.Limits().MaxConcurrentUpload))))
	failed := make([]error, len(items))
	for i, it := range items {
		g.Go(func() error {
			up, err := s.r.sendBlob(gctx, s.acc, "message/rfc822", it.blob, it.size)
			if err == nil {
				it.blobID = up.BlobID
				s.r.count(account.Email, func(c *Counts) { c.Bytes += it.size })
				return nil
			}
			failed[i] = err
			if isDamage(err) || !endsScratch(err) {
				return nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, nil, err
	}
	for i, it := range items {
		switch {
		case failed[i] == nil:
			ready = append(ready, it)
			continue
		case isDamage(failed[i]):
			if err := s.r.uploadFailed(it, failed[i]); err != nil {
				return nil, nil, err
			}
			continue
		}
		more, err := s.trouble([]*item{it}, failed[i])
		if err != nil {
			return nil, nil, err
		}
		again = append(again, more...)
	}
	return ready, again, nil
}

func isDamage(err error) bool {
	_, damaged := errors.AsType[*archive.DamagedError](err)
	return damaged || errors.Is(err, archive.ErrNotFound)
}

// importAll puts messages into the scratch mailbox.
func (s *scratch) importAll(ctx context.Context, items []*item) (there, again []*item, err error) {
	emails := make(map[string]jmapclient.EmailImport, len(items))
	for i, it := range items {
		emails[creationID(i)] = jmapclient.EmailImport{BlobID: it.blobID, MailboxIDs: account.SetOf(s.box),
			Keywords: map[string]bool{}, ReceivedAt: it.object.Text("receivedAt")}
	}
	res, err := s.acc.Import(ctx, emails)
	if err != nil {
		again, err = s.trouble(items, err)
		return nil, again, err
	}
	for i, it := range items {
		got, ok := res.Created[creationID(i)]
		why := res.NotCreated[creationID(i)].String()
		switch {
		case ok && got.Size == it.size && got.ID != "":
			it.original = got.ID
			there = append(there, it)
			continue
		case ok && got.Size == 0:
			why = "that account, or another import that goes through it, holds a message of the same Message-ID"
		case ok:
			why = "the server stored it with another size than it has"
		case res.NotCreated[creationID(i)].Type == "overQuota":
			s.useless = "the account of " + s.acc.Name + " is full: " + why
		}
		s.dirty = true
		more, err := s.retry([]*item{it}, why)
		if err != nil {
			return nil, nil, err
		}
		again = append(again, more...)
	}
	return there, again, nil
}

// copyAll copies messages from the scratch mailbox to where they belong, and
// has the originals destroyed.
func (s *scratch) copyAll(ctx context.Context, items []*item) (again []*item, err error) {
	r := s.r
	res, err := s.copyCall(ctx, items)
	if err != nil {
		s.dirty = true
		if endsScratch(err) {
			return nil, err
		}
		missing, rerr := r.reconcile(ctx, items)
		if rerr != nil {
			return nil, rerr
		}
		s.brought += int64(len(items) - len(missing))
		if len(missing) > 0 && jmapclient.KindOf(err) == jmapclient.OverQuota {
			return nil, r.full(missing[0], err.Error())
		}
		return s.trouble(missing, err)
	}
	return s.settleCopy(ctx, items, res)
}

// copyCall is Email/copy in the server's shape. Stalwart up to 0.15 takes the
// key for the original's id. The key is that id in either shape: a server that
// reads the other one than is meant still finds the same message, or none.
func (s *scratch) copyCall(ctx context.Context, items []*item) (*jmapclient.SetResult, error) {
	create := make(map[string]account.Object, len(items))
	for _, it := range items {
		o := it.object.Only("receivedAt")
		o.Put("mailboxIds", account.SetOf(it.place.mailboxes...))
		o.Put("keywords", account.SetOf(it.place.keywords...))
		create[it.original] = o
	}
	res, err := s.r.to.CopyEmails(ctx, s.acc.ID, create, true, !s.rfcCopy)
	if err != nil || s.rfcCopy || len(res.Created) > 0 {
		return res, err
	}
	for _, e := range res.NotCreated {
		if e.Type != "notFound" && !slices.Contains(e.Properties, "id") {
			return res, nil
		}
	}
	s.rfcCopy = true
	return s.r.to.CopyEmails(ctx, s.acc.ID, create, true, false)
}

// settleCopy takes the answer to Email/copy.
func (s *scratch) settleCopy(ctx context.Context, items []*item, res *jmapclient.SetResult) (again []*item, err error) {
	r := s.r
	var done []archive.Entry
	var doubtful, refused []*item
	var full *item
	for _, it := range items {
		got, ok := res.Created[it.original]
		e := res.NotCreated[it.original]
		s.dirty = s.dirty || !slices.Contains(res.Destroyed, it.original)
		switch {
		case ok && got.ID() != "" && got.Int("size") == it.size:
			done = append(done, archive.Entry{Type: account.Email.Name, SourceID: it.id, Blob: it.blob, State: archive.Done,
				TargetID: got.ID(), TargetBlobID: got.Text("blobId"), Applied: it.applied().encode()})
		case ok || e.Type == "":
			doubtful = append(doubtful, it)
		case e.Type == "overQuota":
			full = it
		case it.gentlerKeywords(e):
			r.warn("%s: the server refused its keywords (%s); it goes with %v", r.describe(it.object), e, it.place.keywords)
			again = append(again, it)
		default:
			refused = append(refused, it)
		}
	}
	if len(done) > 0 {
		if err := r.j.Put(done...); err != nil {
			return nil, err
		}
		s.brought += int64(len(done))
		r.count(account.Email, func(c *Counts) { c.Created += int64(len(done)) })
	}
	if len(doubtful) > 0 {
		missing, err := r.reconcile(ctx, doubtful)
		if err != nil {
			return nil, err
		}
		s.brought += int64(len(doubtful) - len(missing))
		more, err := s.retry(missing, "the server said that it copied the message, but it is not in the account")
		if err != nil {
			return nil, err
		}
		again = append(again, more...)
	}
	if full != nil {
		return nil, r.full(full, res.NotCreated[full.original].String())
	}
	for _, it := range refused {
		more, err := s.retry([]*item{it}, "the server refused the copy: "+res.NotCreated[it.original].String())
		if err != nil {
			return nil, err
		}
		again = append(again, more...)
	}
	return again, nil
}
