package exporter

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

// oldCLISource is the Source of the manifest's Origin for such directories.
const oldCLISource = "stalwart-cli"

// oldCLIFiles are the files of an export by Stalwart's old CLI (0.4 to 0.15):
// each is one JSON array of JMAP objects, with properties left out when unset.
// The blobs that they name are files of that name in blobs/.
var oldCLIFiles = map[string]string{
	account.Mailbox.Name:          "mailboxes.json",
	account.Email.Name:            "emails.json",
	account.Identity.Name:         "identities.json",
	account.SieveScript.Name:      "sieve.json",
	account.VacationResponse.Name: "vacation.json",
}

// vacationScript is the name under which Stalwart shows the vacation response
// among the scripts; no script may be given it.
const vacationScript = "vacation"

// oldCLI is such a directory as a source.
type oldCLI struct {
	dir  string
	name string
	// root keeps every name that comes from the files inside the directory,
	// symbolic links included.
	root *os.Root
	tell func(progress.Event)

	mu        sync.Mutex
	state     string
	index     *mailIndex
	mailboxes map[string]bool // nil: not known
	cursor    *mailCursor
}

// OldCLI is a directory that Stalwart's old CLI exported as a source. What is
// wrong with it becomes failures and warnings that name the item.
func OldCLI(dir string) (Source, error) {
	full, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if !IsOldCLI(full) {
		return nil, fmt.Errorf("%s is no account export of the old CLI: it has neither emails.json nor mailboxes.json", dir)
	}
	root, err := os.OpenRoot(full)
	if err != nil {
		return nil, err
	}
	return &oldCLI{dir: full, name: filepath.Base(full), root: root, tell: func(progress.Event) {}}, nil
}

// IsOldCLI says whether a directory looks like an account export of the old CLI.
func IsOldCLI(dir string) bool {
	has := func(name string) bool {
		st, err := os.Stat(filepath.Join(dir, name))
		return err == nil && st.Mode().IsRegular()
	}
	return !has("mailhaul.json") && (has("emails.json") || has("mailboxes.json"))
}

// Close closes the files that are open.
func (s *oldCLI) Close() error {
	if s.cursor != nil {
		s.cursor.close()
	}
	return s.root.Close()
}

func (s *oldCLI) tellFaults(tell func(progress.Event)) { s.tell = tell }

func (s *oldCLI) warn(t account.Type, item, text string) {
	s.tell(progress.Event{Kind: progress.Warning, Stage: t.Name, Item: item, Text: text})
}

func (s *oldCLI) Origin() archive.Origin {
	return archive.Origin{Name: s.name, Source: oldCLISource}
}

// Own is false: the old CLI exports as administrator, so the subscriptions in
// its files are the administrator's.
func (s *oldCLI) Own() bool { return false }

// Has is true for every type: a file that is missing was not written because
// the export was interrupted.
func (s *oldCLI) Has(t account.Type) bool { return oldCLIFiles[t.Name] != "" }

func (s *oldCLI) open(t account.Type) (*os.File, error) {
	name := oldCLIFiles[t.Name]
	f, err := s.regular(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s is missing in %s: the export it comes from was not finished", name, s.dir)
	}
	return f, err
}

// regular opens a file inside the directory; nothing but a regular file.
func (s *oldCLI) regular(name string) (*os.File, error) {
	st, err := s.root.Stat(name)
	if err != nil {
		return nil, err
	}
	if !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s in %s is no regular file", name, s.dir)
	}
	return s.root.Open(name)
}

// All reads the whole file of a small type.
func (s *oldCLI) All(ctx context.Context, t account.Type) ([]account.Object, string, error) {
	f, err := s.open(t)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	const most = 256 << 20
	if st, err := f.Stat(); err != nil || st.Size() > most {
		return nil, "", errors.Join(err, fmt.Errorf("%s has more than %d bytes, which no list of %s objects has", f.Name(), most, t.Name))
	}
	var list []account.Object
	r := newArrayReader(f, oldCLIFiles[t.Name])
	for {
		o, err := r.next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, "", err
		}
		list = append(list, o)
	}
	return s.tidy(ctx, t, list), "", nil
}

// tidy looks for the faults that such files are known to have.
func (s *oldCLI) tidy(_ context.Context, t account.Type, list []account.Object) []account.Object {
	ids := map[string]bool{}
	var kept []account.Object
	for i, o := range list {
		if t.Singleton && o.ID() == "" {
			o.Put("id", "singleton")
		}
		switch {
		case o.ID() == "":
			s.warn(t, fmt.Sprintf("entry %d of %s", i+1, oldCLIFiles[t.Name]), "it is no object with an id and is left out")
		case ids[o.ID()]:
			s.warn(t, describe(t, o), oldCLIFiles[t.Name]+" lists this id a second time: the first entry is taken")
		case t.Name == account.SieveScript.Name && o.Text("name") == vacationScript:
			s.tell(progress.Event{Kind: progress.Note, Stage: t.Name, Item: describe(t, o),
				Text: "this script belongs to the vacation response, which carries it: it is left out"})
		default:
			ids[o.ID()] = true
			kept = append(kept, o)
		}
	}
	if t.Name == account.Mailbox.Name {
		for _, o := range kept {
			if p := o.Text("parentId"); p != "" && !ids[p] {
				s.warn(t, describe(t, o), fmt.Sprintf("the mailbox that contains it (%q) is not listed: it stands at the top level", p))
			}
		}
		s.mu.Lock()
		s.mailboxes = ids
		s.mu.Unlock()
	}
	return kept
}

// Changes knows two cases: the files are as they were, or all must be read.
func (s *oldCLI) Changes(ctx context.Context, t account.Type, since string) (*jmapclient.Changes, error) {
	state, err := s.State(ctx, t)
	if err != nil {
		return nil, err
	}
	if state != since {
		return nil, ErrNoHistory
	}
	return &jmapclient.Changes{OldState: since, NewState: state}, nil
}
