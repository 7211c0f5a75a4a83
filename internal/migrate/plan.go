package migrate

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	toml "github.com/pelletier/go-toml/v2"

	"mailhaul/account"
)

// Plan says what is to be moved, from where, to where. It is a TOML file; paths
// in it are relative to its own directory.
type Plan struct {
	Archives    string     `toml:"archives"`    // directory
	Concurrency int        `toml:"concurrency"` // accounts at work at once
	Delete      bool       `toml:"delete"`      // cutover also removes what is gone from the old server
	FullVerify  bool       `toml:"full-verify"` // compare all bytes, also where that takes downloads
	Types       []string   `toml:"types"`       // of data, none: all
	Provision   Provision  `toml:"provision"`
	Old         Server     `toml:"old"`
	New         Server     `toml:"new"`
	Accounts    Selection  `toml:"accounts"`
	Overrides   []Override `toml:"account"`

	path string
}

// Provision says how the accounts are made on the new server.
type Provision struct {
	Directory string `toml:"directory"` // file that is read in place of the old server
	Skip      bool   `toml:"skip"`      // the accounts are there, or made by other means
}

// Server is one of the two.
type Server struct {
	URL              string `toml:"url"`
	Credentials      string `toml:"credentials"` // a reference, see [Secrets]
	Auth             string `toml:"auth"`        // "basic" or "bearer"
	CAFile           string `toml:"ca-file"`
	Insecure         bool   `toml:"insecure"`
	TrustSessionURLs bool   `toml:"trust-session-urls"`
	Connections      int    `toml:"connections"`   // requests at once, of all accounts together; 0: what the server allows
	Rate             string `toml:"rate"`          // bytes a second of all accounts together, "2M"
	GiveUpAfter      string `toml:"give-up-after"` // how long to try while it can't be reached, "5m"
	IMAPURL          string `toml:"imap-url"`      // of the new server, see importer.IMAP

	giveUpAfter time.Duration
}

// Selection says which accounts.
type Selection struct {
	All    bool     `toml:"all"`    // all that the old server lists
	Match  []string `toml:"match"`  // globs over what it lists
	Except []string `toml:"except"` // globs over what is not wanted of all these
	List   []string `toml:"list"`
	CSV    string   `toml:"csv"` // file, see csv.go
}

// Override is what is different for one account.
type Override struct {
	Old            string `toml:"old"`
	New            string `toml:"new"`
	OldCredentials string `toml:"old-credentials"`
	NewCredentials string `toml:"new-credentials"`
	Skip           bool   `toml:"skip"`
	// Types of data that are moved, in place of the plan's.
	Types []string `toml:"types"`

	oldPassword, newPassword string // of the CSV alone
}

const defaultConcurrency = 4

// ReadPlan reads and checks a plan. Errors name the line.
func ReadPlan(file string) (*Plan, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("could not read the plan: %w", err)
	}
	p := &Plan{path: file}
	if err := decode(string(b), p); err != nil {
		return nil, planError(file, err)
	}
	if err := p.check(); err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if p.Accounts.CSV != "" {
		rows, err := readCSV(p.beside(p.Accounts.CSV))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			if slices.ContainsFunc(p.Overrides, func(o Override) bool { return strings.EqualFold(o.Old, row.Old) }) {
				return nil, fmt.Errorf("%s: the account %s is in %s, too", file, row.Old, p.Accounts.CSV)
			}
			p.Overrides = append(p.Overrides, row)
		}
	}
	return p, nil
}

// decode reads TOML. The library panics where a date stands for a text (2.2.4).
func decode(text string, p *Plan) (err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("a value is of another kind than it has to be: texts are in quotation marks")
		}
	}()
	return toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(p)
}

// planError has the line of each mistake.
func planError(file string, err error) error {
	if strict, ok := errors.AsType[*toml.StrictMissingError](err); ok {
		var errs []error
		for _, e := range strict.Errors {
			line, _ := e.Position()
			errs = append(errs, fmt.Errorf("%s:%d: a plan has no %s", file, line, strings.Join(e.Key(), ".")))
		}
		return errors.Join(errs...)
	}
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		line, _ := e.Position()
		return fmt.Errorf("%s:%d: %s", file, line, strings.TrimPrefix(e.Error(), "toml: "))
	}
	return fmt.Errorf("%s: %s", file, strings.TrimPrefix(err.Error(), "toml: "))
}

func (p *Plan) check() error {
	p.Archives = cmp.Or(p.Archives, "archives")
	p.Concurrency = cmp.Or(p.Concurrency, defaultConcurrency)
	if p.Concurrency < 1 {
		return fmt.Errorf("concurrency is a number of accounts above zero, not %d", p.Concurrency)
	}
	if err := checkTypes(p.Types); err != nil {
		return err
	}
	for _, s := range []struct {
		name string
		*Server
	}{{"old", &p.Old}, {"new", &p.New}} {
		if err := s.check(); err != nil {
			return fmt.Errorf("[%s] %w", s.name, err)
		}
	}
	if p.Old.IMAPURL != "" {
		return errors.New("[old] imap-url is for the new server")
	}
	sel := p.Accounts
	if !sel.All && len(sel.Match)+len(sel.List)+len(p.Overrides) == 0 && sel.CSV == "" {
		return errors.New("no accounts: [accounts] takes all, match, list or csv")
	}
	for _, glob := range slices.Concat(sel.Match, sel.Except) {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("[accounts] %q is no pattern: * stands for anything, ? for one character, [ab] for one of these", glob)
		}
	}
	for _, o := range p.Overrides {
		if o.Old == "" {
			return errors.New("[[account]] needs old, the account's name on the old server")
		}
		for _, ref := range []string{o.OldCredentials, o.NewCredentials} {
			if err := checkReference(ref); err != nil {
				return fmt.Errorf("[[account]] %s: %w", o.Old, err)
			}
		}
		if err := checkTypes(o.Types); err != nil {
			return fmt.Errorf("[[account]] %s: %w", o.Old, err)
		}
	}
	return nil
}

func checkTypes(types []string) error {
	for _, name := range types {
		if _, ok := account.TypeByName(name); !ok {
			var all []string
			for _, t := range account.Types {
				all = append(all, t.Name)
			}
			return fmt.Errorf("types: there is no %s; there are %s", name, strings.Join(all, ", "))
		}
	}
	return nil
}

func (s *Server) check() error {
	if s.URL == "" {
		return errors.New("needs url")
	}
	if u, err := url.Parse(s.URL); err == nil && u.User != nil && u.Host != "" {
		return errors.New("url: a URL is no place for a password: give a reference in credentials")
	}
	if s.Auth = cmp.Or(s.Auth, "basic"); s.Auth != "basic" && s.Auth != "bearer" {
		return fmt.Errorf("auth is basic or bearer, not %q", s.Auth)
	}
	if s.Connections < 0 {
		return fmt.Errorf("connections is a number above zero, not %d", s.Connections)
	}
	var err error
	if s.giveUpAfter, err = time.ParseDuration(cmp.Or(s.GiveUpAfter, "5m")); err != nil || s.giveUpAfter <= 0 {
		return fmt.Errorf("give-up-after takes a time like 30s or 5m, not %q", s.GiveUpAfter)
	}
	if err := checkReference(s.Credentials); err != nil {
		return fmt.Errorf("credentials: %w", err)
	}
	return nil
}

// Path is the plan's file.
func (p *Plan) Path() string { return p.path }

// Directory is where the archives and the state are.
func (p *Plan) Directory() string { return p.beside(p.Archives) }

// beside is a path of the plan as one of this process.
func (p *Plan) beside(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(p.path), name)
}

// Wanted is an account of the plan.
type Wanted struct {
	Old, New string
	Override
}

// Listing says whether the old server has to be asked which accounts there are.
func (p *Plan) Listing() bool { return p.Accounts.All || len(p.Accounts.Match) > 0 }

// Select are the plan's accounts, by name, when the old server lists these. Two
// that would become one are an error: nobody could take them apart again.
func (p *Plan) Select(listed []string) ([]Wanted, error) {
	var names []string
	for _, name := range listed {
		if p.Accounts.All || matches(p.Accounts.Match, name) {
			names = append(names, name)
		}
	}
	names = append(names, p.Accounts.List...)
	for _, o := range p.Overrides {
		names = append(names, o.Old)
	}
	seen, taken := map[string]bool{}, map[string]string{}
	var all []Wanted
	for _, name := range names {
		key := strings.ToLower(name)
		o := p.override(name)
		if seen[key] || o.Skip || matches(p.Accounts.Except, name) {
			continue
		}
		seen[key] = true
		w := Wanted{Old: name, New: cmp.Or(o.New, name), Override: o}
		if other := taken[strings.ToLower(w.New)]; other != "" {
			return nil, fmt.Errorf("%s: %s and %s would both go into %s", p.path, other, w.Old, w.New)
		}
		taken[strings.ToLower(w.New)] = w.Old
		all = append(all, w)
	}
	slices.SortFunc(all, func(a, b Wanted) int { return cmp.Compare(a.Old, b.Old) })
	return all, nil
}

func (p *Plan) override(name string) Override {
	for _, o := range p.Overrides {
		if strings.EqualFold(o.Old, name) {
			return o
		}
	}
	return Override{Old: name}
}

// matches says whether a name is meant by one of the patterns, in any case.
func matches(globs []string, name string) bool {
	return slices.ContainsFunc(globs, func(glob string) bool {
		// A name has no levels, so a slash in it is a letter like others.
		flat := func(s string) string { return strings.ToLower(strings.ReplaceAll(s, "/", "\x00")) }
		ok, err := path.Match(flat(glob), flat(name))
		return ok && err == nil
	})
}

// Wait is how long to try while the server can't be reached.
func (s *Server) Wait() time.Duration { return s.giveUpAfter }
