package importer

import (
	"context"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// outcome is what an answer to Email/import means for each of a batch's
// messages.
type outcome struct {
	done     []archive.Entry
	merges   []merge
	doubtful []*item // the answer does not fit or does not name them
	expired  []*item // their blobs are no longer there
	alone    []*item // to be tried once more, each by itself
	full     *item   // the first that the account has no room for, and what was said
	fullSaid string
	unsent   []string // source ids of the others
}

// clean says whether all of a batch was stored or failed for good.
func (out *outcome) clean() bool {
	return len(out.merges)+len(out.doubtful)+len(out.expired)+len(out.alone) == 0 && out.full == nil
}

// settle does what an answer leaves to do: it merges what was there, looks for
// what is in doubt, and sends again what may be taken then. It answers how many
// of the batch were stored.
func (r *run) settle(ctx context.Context, out *outcome) (stored int64, err error) {
	stored = int64(len(out.done))
	// Merging belongs to the request that is out: it is finished.
	if err := r.mergeAll(context.WithoutCancel(ctx), out.merges); err != nil {
		return stored, err
	}
	n, err := r.settleDoubts(ctx, out.doubtful)
	stored += n
	if err != nil {
		return stored, err
	}
	if out.full != nil {
		if err := r.j.Delete(account.Email.Name, out.unsent...); err != nil { // planned again
			return stored, err
		}
		return stored, r.full(out.full, out.fullSaid)
	}
	for _, it := range out.alone {
		n, err := r.again(ctx, []*item{it})
		stored += n
		if err != nil {
			return stored, err
		}
	}
	// Fewer at once: they may have driven each other out.
	for part := range slices.Chunk(out.expired, max(1, len(out.expired)/4)) {
		n, err := r.carry(ctx, part)
		stored += n
		if err != nil {
			return stored, err
		}
	}
	return stored, nil
}

// judge reads what the answer says of one message.
func (r *run) judge(out *outcome, it *item, key string, res *jmapclient.ImportResult) error {
	if got, ok := res.Created[key]; ok {
		if got.Size == 0 && it.size > 0 {
			r.putAside(it)
			return nil
		}
		if got.Size != it.size || got.ID == "" {
			out.doubtful = append(out.doubtful, it)
			return nil
		}
		out.done = append(out.done, archive.Entry{Type: account.Email.Name, SourceID: it.id, Blob: it.blob, State: archive.Done,
			TargetID: got.ID, TargetBlobID: got.BlobID, Applied: it.applied().encode()})
		return nil
	}
	e, ok := res.NotCreated[key]
	if !ok {
		out.doubtful = append(out.doubtful, it)
		return nil
	}
	switch {
	case e.Type == "alreadyExists" && e.ExistingID != "":
		out.merges = append(out.merges, merge{object: it.object, existing: true, size: it.size,
			entry: archive.Entry{Type: account.Email.Name, SourceID: it.id, Blob: it.blob, State: archive.Done, TargetID: e.ExistingID}})
	case e.Type == "overQuota":
		if out.full == nil {
			out.full, out.fullSaid = it, e.String()
		} else {
			out.unsent = append(out.unsent, it.id)
		}
	case blobGone(e) && it.tries < 3:
		it.tries++
		it.byItself = it.byItself || len(it.raw) > 0 || e.Type != "blobNotFound"
		out.expired = append(out.expired, it)
	case it.gentlerKeywords(e):
		r.warn("%s: the server refused its keywords (%s); it goes with %v", r.describe(it.object), e, it.place.keywords)
		out.alone = append(out.alone, it)
	case refusals[e.Type] == "" && it.tries < 1:
		it.tries++
		out.alone = append(out.alone, it)
	default:
		advice := refusals[e.Type]
		if advice == "" {
			advice = "run the import again; if it stays, look at the server's log"
		}
		return r.failEmail(it.object, it.blob, "the server refused it: "+e.String(), advice)
	}
	return nil
}

// blobGone says whether the server does not know the blob that it was sent.
func blobGone(e jmapclient.SetError) bool {
	return e.Type == "blobNotFound" || e.Type == "invalidProperties" && slices.Equal(e.Properties, []string{"blobId"})
}

// refusals are the reasons that stay, with what to do about each. What is not
// here is taken for the server's own trouble and tried again (Cyrus refuses
// some of many imports at once that it takes one by one).
var refusals = map[string]string{
	"tooLarge":          "raise the server's limit for the size of a message and run the import again",
	"invalidEmail":      "the server does not take these bytes for a message; they stay in the archive (mailhaul inspect … cat)",
	"invalidProperties": "see the server's reason; the message stays in the archive",
	"forbidden":         "sign in as a user who may write to that mailbox",
	"accountReadOnly":   "sign in as a user who may write to the account",
}

// settleDoubts looks for messages whose answer does not fit: some servers count
// wrongly.
func (r *run) settleDoubts(ctx context.Context, items []*item) (stored int64, err error) {
	if len(items) == 0 {
		return 0, nil
	}
	missing, err := r.reconcile(ctx, items)
	if err != nil {
		return 0, err
	}
	for _, it := range missing {
		if err := r.failEmail(it.object, it.blob, "the server said it stored the message, with another size than it has, and it is not in the account",
			"run the import again; if it stays, look at the server's log"); err != nil {
			return 0, err
		}
	}
	return int64(len(items) - len(missing)), nil
}

// keywordSets are the keywords to ask for when a server refuses a message's
// own: those of RFC 8621's alphabet (§4.1.1), then the four that every server has.
var keywordSets = []func(string) bool{
	func(k string) bool {
		if k == "" || len(k) > 255 {
			return false
		}
		return !slices.ContainsFunc([]byte(k), func(c byte) bool { return c <= ' ' || c > '~' || slices.Contains([]byte(`(){]%*"\`), c) })
	},
	func(k string) bool { return slices.Contains([]string{"$seen", "$flagged", "$answered", "$draft"}, k) },
}

// refusesKeywords says whether a refusal is about the keywords.
func refusesKeywords(e jmapclient.SetError) bool {
	return e.Type == "invalidProperties" && slices.ContainsFunc(e.Properties, func(p string) bool {
		return p == "keywords" || strings.HasPrefix(p, "keywords/")
	})
}

// gentlerKeywords gives up keywords that the server refuses rather than the
// message. It is false when the refusal was for something else.
func (it *item) gentlerKeywords(e jmapclient.SetError) bool {
	if !refusesKeywords(e) {
		return false
	}
	for it.keywords < len(keywordSets) {
		keep := keywordSets[it.keywords]
		it.keywords++
		fewer := slices.DeleteFunc(slices.Clone(it.place.keywords), func(k string) bool { return !keep(k) })
		if len(fewer) < len(it.place.keywords) {
			it.place.keywords = fewer
			return true
		}
	}
	return false
}
