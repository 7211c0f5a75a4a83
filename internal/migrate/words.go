package migrate

import (
	"errors"
	"fmt"

	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// advice says what to do about an account that failed.
func (r *Run) advice(j *job, err error) string {
	side, name, key := "old", j.Old, "old-credentials"
	if s, ok := errors.AsType[*sideError](err); ok && s.side == "new" {
		side, name, key = "new", j.New, "new-credentials"
	}
	if full, ok := errors.AsType[*archive.FullError](err); ok {
		return fmt.Sprintf("make room at %s, then give the same command again", full.Path)
	}
	if _, ok := errors.AsType[*archive.DamagedError](err); ok || errors.Is(err, archive.ErrNotArchive) {
		return fmt.Sprintf("run `mailhaul archive reindex %s`, then `mailhaul migrate copy %s %s`", r.dir(j), r.Plan.path, j.Old)
	}
	if errors.Is(err, errNoCredentials) {
		return fmt.Sprintf("give [%s] credentials of an administrator, or the account %s", side, key)
	}
	switch jmapclient.KindOf(err) {
	case jmapclient.Unauthorized:
		return fmt.Sprintf("mend the credentials of %s for the %s server in the plan (%s, or its line in the CSV), then run the plan again: it does only what is not done", name, side, key)
	case jmapclient.NoAccount:
		if side == "new" {
			return fmt.Sprintf("make the account %s on the new server (`mailhaul migrate provision`), or say under [[account]] what it is called there, then run the plan again", name)
		}
		return "take the account out of the plan, or write its name as the old server has it, then run the plan again"
	case jmapclient.OverQuota:
		return fmt.Sprintf("raise the quota of %s on the %s server, then run the plan again: it goes on where it stopped", name, side)
	case jmapclient.Forbidden:
		return fmt.Sprintf("this sign-in may not do that on the %s server: give the credentials of an administrator, or those of %s", side, name)
	case jmapclient.Unreachable:
		return fmt.Sprintf("run the plan again when the %s server can be reached: it goes on where it stopped", side)
	}
	return "run the plan again; if it stays, try this account alone with -v"
}

// Summary is an outcome in half a sentence.
func (o Outcome) Summary() string {
	switch o.State {
	case Working, Interrupted:
		return string(o.State)
	case Failed:
		return o.Error
	case Partial:
		return fmt.Sprintf("%s failed", plural(o.Detail.ItemsAll, "item", "items"))
	case Differs:
		return fmt.Sprintf("%s differ", plural(o.Detail.ItemsAll, "item", "items"))
	}
	switch o.Step {
	case CheckStep:
		if len(o.Detail.Findings) == 0 {
			return "nothing is in the way"
		}
		return plural(int64(len(o.Detail.Findings)), "thing was found", "things were found")
	case ProvisionStep:
		return "there"
	case VerifyStep:
		return plural(o.Messages, "message", "messages") + " compared"
	}
	text := plural(o.Messages, "message", "messages")
	if o.Detail.Scope != "" {
		text += " (partial: " + o.Detail.Scope + ")"
	}
	return text
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
