package exporter

import (
	"context"
	"errors"
	"io"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// Source is an account that can be read.
type Source interface {
	// Origin describes it for the archive's manifest.
	Origin() archive.Origin
	// Own: the per-caller properties are the account owner's.
	Own() bool
	// Has says whether the source has the type at all.
	Has(t account.Type) bool
	// All lists every object of a small type, with the state ("" if it keeps none).
	All(ctx context.Context, t account.Type) ([]account.Object, string, error)
	// State, Page, Get and Changes serve Email. State is what Changes counts
	// from, "" if the source keeps none.
	State(ctx context.Context, t account.Type) (string, error)
	// Page lists the Emails behind the one with the id after ("" from the
	// start), oldest first; ErrAnchorGone when there is none with that id.
	Page(ctx context.Context, t account.Type, after string) (*SourcePage, error)
	// Get reads objects by id and leaves out what is not there.
	Get(ctx context.Context, t account.Type, ids []string) ([]account.Object, error)
	// Changes is one page of what changed since a state; ErrNoHistory when the
	// source can't tell.
	Changes(ctx context.Context, t account.Type, since string) (*jmapclient.Changes, error)
	// Count is the number of Emails there are, -1 if it can't tell.
	Count(ctx context.Context, t account.Type) (int64, error)
	// Fetch streams a blob of size octets (-1 unknown) into take, which is
	// called anew when a transfer is tried again; ErrBlobGone when the source
	// has no such blob any more.
	Fetch(ctx context.Context, blobID string, size int64, take func(io.Reader) error) error
}

// SourcePage is one page of an enumeration in a stable order. A page of no ids
// is the end.
type SourcePage struct {
	IDs   []string
	List  []account.Object // may lack ids that went while the page was read
	Total int64            // -1 unknown
	Last  bool             // nothing comes after this page
}

// ErrNoHistory: the source can't tell what changed since that state.
var ErrNoHistory = errors.New("the source keeps no history that far back")

// ErrAnchorGone: the id to go on behind is no longer there.
var ErrAnchorGone = errors.New("the place to go on from is gone")

// ErrBlobGone: the source has no blob with that id now. The object that named
// it may name another one by now.
var ErrBlobGone = errors.New("the blob is not there")

// blobBatcher is a source that can hand out many small blobs for one request.
type blobBatcher interface {
	// batches says whether asking is worth while.
	batches() bool
	// batchLimit is how many it takes to be asked for at once.
	batchLimit() int
	// sizes are blobs' sizes in octets, as far as the source tells them.
	sizes(ctx context.Context, blobIDs []string) (map[string]int64, error)
	// fetchBatch hands blobs to take in any order. What it does not hand out,
	// for whatever reason, is fetched one by one.
	fetchBatch(ctx context.Context, blobIDs []string, take func(blobID string, data []byte) error) error
}

// combiner is a source that answers several questions for one request: far away
// each costs a round trip.
type combiner interface {
	// lists is All for several types, head for those that are Large, and Changes for
	// those for which there is a state to count from.
	lists(ctx context.Context, types []account.Type, since map[string]string) map[string]*listed
	// begin is State and then the first Page of Emails.
	begin(ctx context.Context) (state string, first func(ctx context.Context) (*SourcePage, error), err error)
	// closing is Changes of Email, then Count and, if wanted, All of Mailbox as they
	// are after these changes.
	closing(ctx context.Context, since string, mailboxes bool) (*closing, error)
}

// listed is what All answers.
type listed struct {
	list    []account.Object
	state   string
	err     error
	cut     bool                // of a Large type: there may be more
	changes *jmapclient.Changes // in the place of the list; nil: it is the list
}

// pager is a source that lists a Large type page by page.
type pager interface {
	// head are the objects that the source gives out at once.
	head(ctx context.Context, t account.Type) *listed
	// pages hands all objects to take, page by page, and answers the state that was
	// the first page's. take may hold objects back, but gets some twice.
	pages(ctx context.Context, t account.Type, take func([]account.Object) error) (state string, err error)
}

// narrower is a source that can list fewer Emails than there are. Page and Count
// are then of those in the scope, and perhaps of some more; Count is -1 where it
// would be of all. mailboxes are those of the scope that there are. A nil scope is
// all there is.
type narrower interface {
	narrow(scope *archive.Scope, mailboxes []string)
}

// unknowner is a source that may have what nobody here knows.
type unknowner interface{ unknown() []string }

// closing is what is known at the end of an export, if nothing changed any more.
type closing struct {
	*jmapclient.Changes
	count     func() (int64, error)
	mailboxes *listed // nil: not asked for
}

// faultTeller is a source that finds things to tell about while it is read.
type faultTeller interface {
	tellFaults(tell func(progress.Event))
}

// sharer is a source that may be a mailbox of several users, as whom nobody
// signs in.
type sharer interface{ shared() bool }

// limiter is a source that says how many requests it takes at once.
type limiter interface{ atOnce() int }
