package migrate

import (
	"slices"
	"time"

	"mailhaul/importer"
)

// Step is one of the things that are done for every account.
type Step string

// The steps, in their order.
const (
	CheckStep     Step = "check"
	ProvisionStep Step = "provision"
	CopyStep      Step = "copy"
	CutoverStep   Step = "cutover"
	VerifyStep    Step = "verify"
)

// Steps are those that are noted account by account.
var Steps = []Step{CheckStep, ProvisionStep, CopyStep, CutoverStep, VerifyStep}

// later are the steps whose outcome a step makes old.
func (s Step) later() []Step {
	if s == CheckStep || s == VerifyStep {
		return nil
	}
	return Steps[slices.Index(Steps, s)+1:]
}

// State is how far an account is with a step.
type State string

// The states. No state: it was not begun.
const (
	Working     State = "working"     // at it, or killed at it
	Interrupted State = "interrupted" // stopped, the same command goes on
	Done        State = "done"
	Partial     State = "partial" // done, but some items failed
	Differs     State = "differs" // verify found differences
	Failed      State = "failed"
	Blocked     State = "blocked" // not tried, for an earlier step failed
)

// bad says whether a run that ends so is to be told of it.
func (s State) bad() bool { return s == Partial || s == Differs || s == Failed || s == Blocked }

// Outcome is what became of a step of an account.
type Outcome struct {
	Step     Step      `json:"step"`
	State    State     `json:"state"`
	Started  time.Time `json:"started,omitzero"`
	Ended    time.Time `json:"ended,omitzero"`
	Runs     int       `json:"runs"`
	Messages int64     `json:"messages"` // in the account
	Bytes    int64     `json:"bytes"`    // fetched and sent
	Error    string    `json:"error,omitempty"`
	Advice   string    `json:"advice,omitempty"`
	Detail   Detail    `json:"detail,omitzero"`
}

// Detail is what there is to tell of a step beyond its state.
type Detail struct {
	Fetched  int64                      `json:"fetched,omitempty"` // blobs
	Types    map[string]importer.Counts `json:"types,omitempty"`
	Items    []Item                     `json:"items,omitempty"` // what failed or differs, the first of them
	ItemsAll int64                      `json:"itemsAll,omitempty"`
	Warnings []string                   `json:"warnings,omitempty"`
	Findings []Finding                  `json:"findings,omitempty"` // of check
	// Unsubscribed: whether folders are subscribed could not be carried over.
	Unsubscribed bool `json:"unsubscribed,omitempty"`
	// Scope is what was moved, in words, where the plan narrows that; "" is all.
	Scope string `json:"scope,omitempty"`
	// Snapshot of the archive that was written, sent or compared.
	Snapshot int   `json:"snapshot,omitempty"`
	Extra    int64 `json:"extra,omitempty"` // messages on the new server beyond the archive's
}

// Item is one thing that did not go well.
type Item struct {
	Type   string `json:"type,omitempty"`
	Item   string `json:"item"`
	Reason string `json:"reason"`
	Advice string `json:"advice,omitempty"`
}

// mostItems bounds what is kept by name of one account and step. All of them
// are in the archive and its journal.
const mostItems = 50

func (d *Detail) item(i Item) {
	d.ItemsAll++
	if len(d.Items) < mostItems {
		d.Items = append(d.Items, i)
	}
}

func (d *Detail) warn(text string) {
	if len(d.Warnings) < mostItems {
		d.Warnings = append(d.Warnings, text)
	}
}
