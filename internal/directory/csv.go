package directory

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
)

// columns of a spreadsheet, by the names that its first line may give them.
var columns = map[string]func(a *Account, v string) error{
	"name":        func(a *Account, v string) error { a.Name = strings.ToLower(v); return nil },
	"kind":        setKind,
	"email":       func(a *Account, v string) error { a.Emails = lower(words(v)); return nil },
	"emails":      func(a *Account, v string) error { a.Emails = lower(words(v)); return nil },
	"description": func(a *Account, v string) error { a.Description = v; return nil },
	"password":    func(a *Account, v string) error { a.Secrets = append(a.Secrets, v); return nil },
	"hash":        setHash,
	"quota":       setQuota,
	"member-of":   func(a *Account, v string) error { a.MemberOf = lower(words(v)); return nil },
	"members":     func(a *Account, v string) error { a.Members = lower(words(v)); return nil },
}

// FromCSV reads a directory from a spreadsheet. Its first line names the columns:
// name, email (several parted by spaces or semicolons), description, password or
// hash, quota (octets, or 500M, 2G), kind (individual, which is the default,
// admin, group, list), member-of, members (of a list). The domains are those of
// the addresses. Errors name the line.
func FromCSV(r io.Reader) (*Directory, error) {
	in := csv.NewReader(r)
	in.TrimLeadingSpace = true
	head, err := in.Read()
	if err == io.EOF {
		return nil, errors.New("reading the accounts: the file is empty")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the accounts: %w", err)
	}
	named := false
	for i, c := range head {
		head[i] = strings.ToLower(strings.TrimSpace(strings.TrimPrefix(c, "\ufeff"))) // spreadsheets begin with it
		if columns[head[i]] == nil {
			return nil, fmt.Errorf("reading the accounts: line 1: there is no column %q; there are name, email, description, password, hash, quota, kind, member-of, members", c)
		}
		named = named || head[i] == "name"
	}
	if !named {
		return nil, errors.New("reading the accounts: line 1: there is no column name")
	}
	d := &Directory{}
	for {
		row, err := in.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("reading the accounts: %w", err)
		}
		line, _ := in.FieldPos(0)
		a := Account{Kind: Individual}
		for i, v := range row {
			if v = strings.TrimSpace(v); v == "" {
				continue
			}
			if err := columns[head[i]](&a, v); err != nil {
				return nil, fmt.Errorf("reading the accounts: line %d: %w", line, err)
			}
		}
		if a.Name == "" {
			return nil, fmt.Errorf("reading the accounts: line %d: there is no name", line)
		}
		d.Accounts = append(d.Accounts, a)
		for _, e := range a.Emails {
			if domain := domainOf(e); domain != "" {
				d.Domains = append(d.Domains, Domain{domain})
			}
		}
	}
	if err := d.check(); err != nil {
		return nil, fmt.Errorf("reading the accounts: %w", err)
	}
	d.tidy()
	return d, nil
}

func words(v string) []string {
	return strings.FieldsFunc(v, func(r rune) bool { return r == ' ' || r == ';' || r == ',' || r == '\n' })
}

func lower(list []string) []string {
	for i, v := range list {
		list[i] = strings.ToLower(v)
	}
	return list
}

func setKind(a *Account, v string) error {
	a.Kind = Kind(strings.ToLower(v))
	if a.Kind == "superuser" {
		a.Kind = Admin
	}
	return nil
}

func setHash(a *Account, v string) error {
	if !isHash(v) {
		return errors.New("the hash begins with no scheme, as $6$… or {SSHA}… do; a password goes into the column password")
	}
	a.Secrets = append(a.Secrets, v)
	return nil
}

// setQuota reads octets, or a number with K, M, G or T, powers of 1024.
func setQuota(a *Account, v string) error {
	number, factor := strings.ToUpper(strings.TrimSuffix(strings.ToUpper(v), "B")), int64(1)
	if i := strings.IndexAny("KMGT", number[len(number)-min(1, len(number)):]); number != "" && i >= 0 {
		factor = 1 << (10 * (i + 1))
		number = number[:len(number)-1]
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64/factor {
		return fmt.Errorf("the quota %q is no number of octets, nor one with K, M, G or T", v)
	}
	a.Quota = n * factor
	return nil
}
