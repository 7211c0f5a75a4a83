package directory

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Directory is what a server knows of its accounts.
type Directory struct {
	Version  Version   `json:"version,omitempty"` // of the API that it was read over, "" for none
	Server   string    `json:"server,omitempty"`  // origin
	ReadAs   string    `json:"readAs,omitempty"`  // login of the administrator who read it
	Domains  []Domain  `json:"domains"`
	Accounts []Account `json:"accounts"`
}

// Domain is one that accounts have addresses in.
type Domain struct {
	Name string `json:"name"`
}

// Kind is what an account is.
type Kind string

// The kinds of accounts.
const (
	Individual Kind = "individual"
	Admin      Kind = "admin" // a user who may do everything: superuser, or the role admin
	Group      Kind = "group" // has mail of its own, which its members share
	List       Kind = "list"  // hands mail on to its members
)

// user says whether somebody signs in as it.
func (k Kind) user() bool { return k == Individual || k == Admin }

// Account is a user, a group or a mailing list.
type Account struct {
	Name        string   `json:"name"` // as one signs in, or as management calls it
	Kind        Kind     `json:"kind"`
	Emails      []string `json:"emails,omitempty"` // the first is the main one; "@domain" takes what nobody else does
	Description string   `json:"description,omitempty"`
	Quota       int64    `json:"quota,omitempty"`    // octets, 0 for none
	MemberOf    []string `json:"memberOf,omitempty"` // groups, by name
	Members     []string `json:"members,omitempty"`  // of a list: names of accounts, or addresses elsewhere
	Roles       []string `json:"roles,omitempty"`    // beside those of every user and of administrators
	Secrets     []string `json:"secrets,omitempty"`  // as the server keeps them: hashes, plain passwords, app passwords
	Notes       []string `json:"notes,omitempty"`    // what cannot be carried
}

// tidy puts everything into the one order and form in which directories are
// compared: memberships of lists are the lists' members.
func (d *Directory) tidy() {
	kinds := map[string]Kind{}
	members := map[string][]string{}
	for _, a := range d.Accounts {
		kinds[a.Name] = a.Kind
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		for _, of := range a.MemberOf {
			if kinds[of] == List {
				members[of] = append(members[of], a.Name)
			}
		}
		a.MemberOf = slices.DeleteFunc(a.MemberOf, func(of string) bool { return kinds[of] == List })
		a.MemberOf = sorted(a.MemberOf)
	}
	for i := range d.Accounts {
		a := &d.Accounts[i]
		if a.Kind == List {
			a.Members = sorted(append(a.Members, members[a.Name]...))
		} else {
			a.Members = nil
		}
	}
	slices.SortFunc(d.Accounts, func(a, b Account) int { return strings.Compare(a.Name, b.Name) })
	slices.SortFunc(d.Domains, func(a, b Domain) int { return strings.Compare(a.Name, b.Name) })
	d.Domains = slices.Compact(d.Domains)
}

// sorted is the list in order and without repetitions, nil when it is empty.
func sorted(list []string) []string {
	slices.Sort(list)
	return slices.Clip(append([]string(nil), slices.Compact(list)...))
}

// Account is the one of that name, nil if there is none.
func (d *Directory) Account(name string) *Account {
	for i := range d.Accounts {
		if strings.EqualFold(d.Accounts[i].Name, name) {
			return &d.Accounts[i]
		}
	}
	return nil
}

// WriteFile writes the directory as JSON, readable for its owner alone. The
// passwords are left out unless they are asked for.
func (d *Directory) WriteFile(path string, includeSecrets bool) error {
	out := *d
	if !includeSecrets {
		out.Accounts = slices.Clone(d.Accounts)
		for i := range out.Accounts {
			out.Accounts[i].Secrets = nil
		}
	}
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(out); err != nil {
		return fmt.Errorf("writing the directory: %w", err)
	}
	// A new file (0600) in place of the old: that may be readable for others.
	f, err := os.CreateTemp(filepath.Dir(path), ".directory-*")
	if err != nil {
		return fmt.Errorf("writing the directory: %w", err)
	}
	_, err = f.Write(b.Bytes())
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name()) // what matters is the first error
		return fmt.Errorf("writing the directory: %w", err)
	}
	return nil
}

// ReadFile reads a directory that WriteFile wrote, and that may have been edited
// since: what it does not know is an error.
func ReadFile(path string) (*Directory, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("reading the directory: %w", err)
	}
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("reading the directory %s: %w", path, err)
	}
	return d, nil
}

func parse(data []byte) (*Directory, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var d Directory
	if err := dec.Decode(&d); err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	d.tidy()
	return &d, nil
}

// check finds what would make no sense on any server.
func (d *Directory) check() error {
	seen := map[string]bool{}
	for _, a := range d.Accounts {
		name := strings.ToLower(a.Name)
		switch {
		case name == "":
			return fmt.Errorf("an account has no name")
		case seen[name]:
			return fmt.Errorf("there are two accounts %s", name)
		case a.Quota < 0:
			return fmt.Errorf("the quota of %s is below 0", name)
		case !a.Kind.user() && a.Kind != Group && a.Kind != List:
			return fmt.Errorf("%s is a %q; there are individual, admin, group and list", name, a.Kind)
		}
		for _, e := range a.Emails {
			if domainOf(e) == "" {
				return fmt.Errorf("%s has an address %q without a domain", name, e)
			}
		}
		seen[name] = true
	}
	return nil
}

func domainOf(address string) string {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return ""
	}
	return strings.ToLower(address[i+1:])
}

func localOf(address string) string {
	return strings.TrimSuffix(strings.ToLower(address), "@"+domainOf(address))
}
