package importer

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

var (
	saysDepth = regexp.MustCompile(`(?i)\b(too deep|depth|nest|level)`)
	saysRole  = regexp.MustCompile(`(?i)\brole\b`)
	saysName  = regexp.MustCompile(`(?i)\bname\b`)
	saysClash = regexp.MustCompile(`(?i)already exists|same name|duplicate`)
)

// gentler changes a refused draft to what the server may take. It is false, and
// the mailbox a failure, when there is nothing left to try.
func (r *run) gentler(d *draft, e jmapclient.SetError) bool {
	d.tries++
	says := func(prop string, words *regexp.Regexp) bool {
		return slices.Contains(e.Properties, prop) || words.MatchString(e.Description)
	}
	switch {
	case d.tries > mostTries || e.Type == "forbidden" || e.Type == "overQuota" || e.Type == "accountReadOnly":
	case !d.again && serverTrouble(e) && !saysName.MatchString(e.Description):
		d.again = true
		return true
	case d.role && says("role", saysRole):
		r.dropRole(d)
		return true
	case d.extras && (slices.Contains(e.Properties, "isSubscribed") || slices.Contains(e.Properties, "sortOrder")):
		d.extras = false
		return true
	case d.parent != "" && says("parentId", saysDepth):
		r.flatten(d)
		return true
	case e.Type == "alreadyExists" || saysClash.MatchString(e.Description) || r.boxes.taken(d.parent, d.nameNow()):
		if d.suffix == 0 {
			d.suffix = 1
		}
		d.suffix++
		return true
	case len(d.names) > 1:
		d.names = d.names[1:]
		d.suffix = 0
		return true
	case d.role: // perhaps it was the role, and the server did not say so
		r.dropRole(d)
		d.names = attempts(d.name())
		return true
	}
	r.fail(account.Mailbox, d.id, d.path, "the server refused to make it: "+e.String(),
		"make a mailbox of that name by hand and run the import again; until then its messages go to "+recoveredName)
	return false
}

// taken says whether a mailbox of that name is there: not every server says that
// this is why it refuses another (Cyrus 3.6).
func (m *boxMap) taken(parent, name string) bool {
	for _, o := range m.targets {
		if o.Text("parentId") == parent && strings.EqualFold(o.Text("name"), name) {
			return true
		}
	}
	return false
}

func (r *run) dropRole(d *draft) {
	d.role = false
	d.why = fmt.Sprintf("without the role %q, which the server refuses for it", d.obj.Text("role"))
}

// serverTrouble says whether a refusal is the server's own failure: the same
// request may well be taken a moment later.
func serverTrouble(e jmapclient.SetError) bool {
	return e.Type == "serverFail" || e.Type == "serverUnavailable" || e.Type == "rateLimit" || e.Type == "stateMismatch"
}
