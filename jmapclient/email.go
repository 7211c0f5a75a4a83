package jmapclient

import (
	"context"
	"encoding/json"

	"mailhaul/account"
)

// EmailImport is one message to import; ReceivedAt is a UTCDate, and left out
// means now.
type EmailImport struct {
	BlobID     string          `json:"blobId"`
	MailboxIDs map[string]bool `json:"mailboxIds"`
	Keywords   map[string]bool `json:"keywords"`
	ReceivedAt string          `json:"receivedAt,omitempty"`
}

// ImportResult is what Email/import answers, by creation id.
type ImportResult struct {
	OldState, NewState string
	Created            map[string]ImportedEmail
	NotCreated         map[string]SetError
}

// ImportedEmail is a message as the server took it. A Size that is not the
// blob's, 0 above all, means that it was not stored (Stalwart 0.5 to 0.8 drop
// duplicates that way).
type ImportedEmail struct {
	ID       string `json:"id"`
	BlobID   string `json:"blobId"`
	ThreadID string `json:"threadId"`
	Size     int64  `json:"size"`
}

// Import is one Email/import call (RFC 8621 §4.8). It never splits: the caller
// batches within Limits. It is not sent again once it may have been carried out
// (kind Unknown); servers exist that store half of it and answer serverFail.
func (a *Account) Import(ctx context.Context, emails map[string]EmailImport) (*ImportResult, error) {
	const method = "Email/import"
	using, err := a.using(account.Email, method)
	if err != nil {
		return nil, err
	}
	k := a.call(method, map[string]any{"emails": emails})
	r := a.request(using, k)
	r.creates = true
	var said importAnswer
	k.read = into(&said)
	if err := a.Client.send(ctx, r); err != nil {
		return nil, err
	}
	return said.result(), nil
}

// importAnswer is Email/import's answer as servers send it.
type importAnswer struct {
	OldState, NewState string
	Created            map[string]account.Object
	NotCreated         map[string]SetError
}

func (said *importAnswer) result() *ImportResult {
	res := &ImportResult{OldState: said.OldState, NewState: said.NewState, Created: map[string]ImportedEmail{}, NotCreated: orEmpty(said.NotCreated)}
	for key, o := range said.Created {
		res.Created[key] = ImportedEmail{ID: o.ID(), BlobID: o.Text("blobId"), ThreadID: o.Text("threadId"), Size: o.Int("size")}
	}
	return res
}

func orEmpty(m map[string]SetError) map[string]SetError {
	if m == nil {
		return map[string]SetError{}
	}
	return m
}

// CopyEmails is Email/copy (RFC 8621 §4.7) from another account of the same
// server. Each object of create has the source's id in `id` (or, without one, as
// its key), and mailboxIds, keywords and receivedAt as wanted. keyedBySource
// selects the shape of Stalwart up to 0.15, where the key of create is the
// source's id and `id` is refused; the result has the caller's keys either way.
// What destroyOriginals could not destroy is in NotDestroyed. It is not sent
// again once it may have been carried out (kind Unknown).
func (a *Account) CopyEmails(ctx context.Context, fromAccountID string, create map[string]account.Object, destroyOriginals, keyedBySource bool) (*SetResult, error) {
	const method = "Email/copy"
	using, err := a.using(account.Email, method)
	if err != nil {
		return nil, err
	}
	keyOf := map[string]string{} // what the server will call it → what the caller calls it
	wanted := map[string]account.Object{}
	for key, o := range create {
		source := o.ID()
		if source == "" {
			source = key
		}
		if keyedBySource {
			keyOf[source], wanted[source] = key, o.Without("id")
		} else {
			o = o.Without()
			o.Put("id", source)
			keyOf[key], wanted[key] = key, o
		}
	}
	k := a.call(method, map[string]any{
		"fromAccountId": fromAccountID, "create": wanted, "onSuccessDestroyOriginal": destroyOriginals,
	})
	r := a.request(using, k)
	r.creates = true
	var said, destroyed setAnswer
	k.read = into(&said)
	if err := a.Client.send(ctx, r); err != nil {
		return nil, err
	}
	if raw, ok := r.extra["Email/set"]; ok { // the implicit destroy
		if err := json.Unmarshal(raw, &destroyed); err != nil {
			return nil, &Error{Kind: Unknown, Op: method, Account: a.label(), Detail: "the answer makes no sense: " + quote(err.Error()), Err: err}
		}
	}
	res := newSetResult()
	res.add(&setAnswer{OldState: said.OldState, NewState: said.NewState, Created: rekey(said.Created, keyOf), NotCreated: rekey(said.NotCreated, keyOf),
		Destroyed: destroyed.Destroyed, NotDestroyed: destroyed.NotDestroyed}, false)
	return res, nil
}

func rekey[V any](m map[string]V, names map[string]string) map[string]V {
	out := make(map[string]V, len(m))
	for k, v := range m {
		if name, ok := names[k]; ok {
			k = name
		}
		out[k] = v
	}
	return out
}
