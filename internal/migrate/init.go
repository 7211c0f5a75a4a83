package migrate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"mailhaul/jmapclient"
)

// InitOptions are what is known when a plan is written.
type InitOptions struct{ Old, New Server }

// Made is what Init found.
type Made struct {
	Plan     string   `json:"plan"`
	Old      string   `json:"old"` // what the servers say they are
	New      string   `json:"new"`
	Accounts []string `json:"accounts"` // that the old server lists
	SignedIn string   `json:"signedIn"` // the old server's name for who asked
}

// Init asks both servers and writes a plan with comments into a new file.
func Init(ctx context.Context, file string, o InitOptions, h Hooks) (*Made, error) {
	p := &Plan{path: file, Old: o.Old, New: o.New, Accounts: Selection{All: true}}
	if err := p.check(); err != nil {
		return nil, err
	}
	if h.Events == nil {
		h.Events = func(Event) {}
	}
	made := &Made{Plan: file}
	for _, s := range []struct {
		side *side
		is   *string
	}{{newSide("old", &p.Old, p, &h), &made.Old}, {newSide("new", &p.New, p, &h), &made.New}} {
		c, err := s.side.client(ctx)
		if err != nil {
			return nil, err
		}
		defer s.side.close()
		*s.is = software(c.Session())
		if s.side.name == "old" {
			if made.Accounts, err = s.side.listed(ctx); err != nil {
				return nil, err
			}
			own, err := c.Account(ctx, "")
			if err != nil {
				return nil, err
			}
			made.SignedIn = own.Name
		}
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("could not write the plan: %w", err)
	}
	_, err = f.WriteString(made.text(p))
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("could not write the plan: %w", err)
	}
	return made, nil
}

func software(s *jmapclient.Session) string {
	if text := implementation(s); text != "" {
		return text
	}
	return "it does not say what it is"
}

// text is the plan as it is written.
func (m *Made) text(p *Plan) string {
	const shown = 200
	var accounts strings.Builder
	for _, name := range m.Accounts[:min(len(m.Accounts), shown)] {
		fmt.Fprintf(&accounts, "#   %s\n", strings.Map(visible, name))
	}
	if n := len(m.Accounts); n > shown {
		fmt.Fprintf(&accounts, "#   and %d more\n", n-shown)
	}
	return fmt.Sprintf(`# What is moved, from where, to where: a plan for `+"`mailhaul migrate`"+`.
# Paths are relative to this file.

archives = "archives"      # the directory of the archives, the state and the report
concurrency = %d            # accounts at work at once
#delete = true             # cutover also removes what is gone from the old server
#full-verify = true        # compare all bytes, also where that takes downloads
#types = ["Mailbox", "Email"]  # of data; without it all that there are

# Credentials are references: env:NAME, file:PATH (first line, mode 0600),
# keyring:SERVICE/USER, or prompt. They stand for user:password, or for the
# password of the user admin.

[old]                      # %s
url = %q
credentials = %q
#connections = 4           # requests at once, for all accounts together
#rate = "2M"               # bytes a second, for all accounts together
#give-up-after = "5m"      # how long to try while it can't be reached
#ca-file = "ca.pem"

[new]                      # %s
url = %q
credentials = %q
#imap-url = "imaps://HOST" # for accounts with credentials of their own

[accounts]
all = true                 # all that the old server lists; or some of them:
#match = ["*@example.org", "sales-*"]
#list = ["alice", "bob"]
%s
#csv = "accounts.csv"      # old,new,old-credentials,new-credentials

# What is different for one account:
#[[account]]
#old = "alice"
#new = "alice@example.org"
#old-credentials = "file:secrets/alice"
#new-credentials = "file:secrets/alice"
#skip = true

[provision]                # the accounts themselves, on the new server
#skip = true               # they are there, or made by other means
#directory = "directory.json"  # made from this file in place of the old server

# %d accounts that the old server lists:
%s`, p.Concurrency, strings.Map(visible, m.Old), p.Old.URL, p.Old.Credentials, strings.Map(visible, m.New), p.New.URL, p.New.Credentials, m.except(), len(m.Accounts), accounts.String())
}

// except leaves out who signs in here, where that is one of the accounts.
func (m *Made) except() string {
	if slices.Contains(m.Accounts, m.SignedIn) {
		return fmt.Sprintf("except = [%q]        # who signs in here", m.SignedIn)
	}
	return `#except = ["test-*"]`
}

// visible keeps text from a server within its comment.
func visible(r rune) rune {
	if r < ' ' || r == 0x7f {
		return ' '
	}
	return r
}
