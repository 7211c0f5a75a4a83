package migrate

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
)

// columns of a CSV of accounts, by the names in its first line. Those with a
// password hold the secret itself, as spreadsheets have it; then nobody else may
// be able to read the file.
var columns = map[string]func(*Override, string){
	"old":             func(o *Override, s string) { o.Old = s },
	"new":             func(o *Override, s string) { o.New = s },
	"old-credentials": func(o *Override, s string) { o.OldCredentials = s },
	"new-credentials": func(o *Override, s string) { o.NewCredentials = s },
	"old-password":    func(o *Override, s string) { o.oldPassword = s },
	"new-password":    func(o *Override, s string) { o.newPassword = s },
}

// mostRows bounds what a CSV of accounts may hold.
const mostRows = 1_000_000

// readCSV reads the accounts of a spreadsheet.
func readCSV(file string) ([]Override, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("could not read the accounts: %w", err)
	}
	defer f.Close()
	rows, secret, err := parseCSV(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	if st, err := f.Stat(); secret && runtime.GOOS != "windows" && (err != nil || st.Mode().Perm()&0o077 != 0) {
		return nil, fmt.Errorf("%s holds passwords and others may read it: chmod 600 %[1]s", file)
	}
	return rows, nil
}

// parseCSV reads lines of columns that the first line names; secret says
// whether passwords are among them. Semicolons separate as well as commas do.
func parseCSV(in io.Reader) (rows []Override, secret bool, err error) {
	text, err := io.ReadAll(io.LimitReader(in, 256<<20))
	if err != nil {
		return nil, false, err
	}
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\uFEFF")))
	r.TrimLeadingSpace, r.Comment = true, '#'
	if head, _, _ := strings.Cut(string(text), "\n"); strings.Contains(head, ";") && !strings.Contains(head, ",") {
		r.Comma = ';'
	}
	head, err := r.Read()
	if err != nil {
		return nil, false, errors.New("the first line names the columns: old,new,old-credentials,new-credentials")
	}
	for i, name := range head {
		head[i] = strings.ToLower(strings.TrimSpace(name))
		if columns[head[i]] == nil {
			return nil, false, fmt.Errorf("line 1: there is no column %q; there are old, new, old-credentials, new-credentials, old-password, new-password", name)
		}
		secret = secret || strings.HasSuffix(head[i], "-password")
	}
	if !slices.Contains(head, "old") {
		return nil, false, errors.New("line 1: a column is missing: old, the account's name on the old server")
	}
	seen := map[string]bool{}
	for {
		cells, err := r.Read()
		if err == io.EOF {
			return rows, secret, nil
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			// The reader's own text may quote the line, and with it a password.
			return nil, false, fmt.Errorf("line %d: %w", parse.Line, parse.Err)
		} else if err != nil {
			return nil, false, err
		}
		line, _ := r.FieldPos(0)
		var o Override
		for i, cell := range cells {
			columns[head[i]](&o, strings.TrimSpace(cell))
		}
		for _, ref := range []string{o.OldCredentials, o.NewCredentials} {
			if err := checkReference(ref); err != nil {
				return nil, false, fmt.Errorf("line %d: %w", line, err)
			}
		}
		switch key := strings.ToLower(o.Old); {
		case o.Old == "":
			return nil, false, fmt.Errorf("line %d: the account has no old name", line)
		case seen[key]:
			return nil, false, fmt.Errorf("line %d: the account %s was there before", line, o.Old)
		case len(rows) >= mostRows:
			return nil, false, fmt.Errorf("line %d: more than %d accounts", line, mostRows)
		default:
			seen[key] = true
		}
		rows = append(rows, o)
	}
}
