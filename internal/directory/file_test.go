package directory_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/internal/directory"
	"mailhaul/jmapclient/jmaptest"
)

func TestTheFileHasThePasswordsOnlyWhenTheyAreAskedFor(t *testing.T) {
	d := read(t, dial(t, source(t, jmaptest.Stalwart06)))
	path := filepath.Join(t.TempDir(), "directory.json")
	if err := os.WriteFile(path, []byte("an older one, open to all"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, secrets := range []bool{false, true} {
		if err := d.WriteFile(path, secrets); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 && runtime.GOOS != "windows" {
			t.Errorf("the file has mode %v", info.Mode())
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if has := strings.Contains(string(data), bobHash); has != secrets {
			t.Errorf("passwords asked for: %v, written: %v", secrets, has)
		}
		back, err := directory.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if secrets {
			if diff := cmp.Diff(d, back); diff != "" {
				t.Errorf("what was read is not what was written:\n%s", diff)
			}
		}
		if len(back.Account("bob").Secrets) > 0 != secrets || len(back.Accounts) != len(d.Accounts) {
			t.Errorf("read back: %v", back)
		}
	}
}

func TestAFileThatMakesNoSenseIsRefused(t *testing.T) {
	for text, says := range map[string]string{
		`{"accounts": [{"name": "a", "kind": "individual", "colour": "red"}]}`:                "colour",
		`{"accounts": [{"name": "a", "kind": "individual"}, {"name": "A", "kind": "group"}]}`: "two accounts a",
		`{"accounts": [{"name": "a", "kind": "robot"}]}`:                                      "robot",
		`{"accounts": [{"kind": "list"}]}`:                                                    "no name",
		`{"accounts": [{"name": "a", "kind": "individual", "quota": -1}]}`:                    "quota",
		`{"accounts": [{"name": "a", "kind": "individual", "emails": ["a"]}]}`:                "without a domain",
		`{"accounts": [{"name": "a", "kind": "individual"}`:                                   "EOF",
	} {
		path := filepath.Join(t.TempDir(), "directory.json")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := directory.ReadFile(path); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

const sheet = "\ufeffName,Email,Password,Hash,Quota,Kind,Member-of,Description,Members\n" +
	"staff,staff@example.org,,,,group,,Staff,\n" +
	"alice,alice@example.org; a.alias@example.net,secret,,1G,,staff,Alice,\n" +
	"bob,bob@example.org,," + bobHash + ",,individual,,\"Bob, the builder\",\n" +
	"team,team@example.org,,,,list,,,alice bob\n"

func TestASpreadsheetStandsForAServerWithoutAnAPI(t *testing.T) {
	want, err := directory.FromCSV(strings.NewReader(sheet))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart07, jmaptest.Stalwart016} { // from 0.4, which has none
		s := target(t, p)
		provision(t, want, dial(t, s))
		at := ""
		if p.Management == jmaptest.ManagementObjects {
			at = "@example.org"
		}
		var got []string
		for _, u := range s.Users() {
			got = append(got, fmt.Sprint(u.Login, u.Emails, u.MemberOf, u.Quota, u.Group, u.List))
		}
		should := []string{
			"alice" + at + "[alice@example.org a.alias@example.net] [staff" + at + " team" + at + "] 1073741824 false false",
			"bob" + at + "[bob@example.org] [team" + at + "] 0 false false",
			"staff" + at + "[staff@example.org] [] 0 true false",
			"team" + at + "[team@example.org] [] 0 false true",
		}
		if diff := cmp.Diff(should, got); diff != "" {
			t.Errorf("%s (-should +is):\n%s", p.Name, diff)
		}
		if !s.Opens("alice"+at, "secret") || !s.Opens("bob"+at, "secret") {
			t.Errorf("%s: the passwords do not sign in", p.Name)
		}
	}
}

func TestASheetsErrorsNameTheLine(t *testing.T) {
	for text, says := range map[string]string{
		"":                           "empty",
		"email\na@example.org":       "no column name",
		"name,colour\na,red":         `"colour"`,
		"name,quota\na,1\nb,many":    "line 3",
		"name,quota\na,99999999T":    "line 2",
		"name,quota\na,-1":           "line 2",
		"name,quota\na,G":            "line 2",
		"name,hash\na,secret":        "line 2",
		"name,kind\na,robot":         "robot",
		"name,email\n,a@example.org": "line 2",
		"name,email\na":              "wrong number of fields",
		"name\na\nA":                 "two accounts",
		"name,email\na,nonsense":     "without a domain",
	} {
		if _, err := directory.FromCSV(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// FuzzCSV: whatever is in a spreadsheet, it is a directory that a file can hold, or an error.
func FuzzCSV(f *testing.F) {
	f.Add(sheet)
	f.Add("name,quota\na,1K")
	f.Fuzz(func(t *testing.T, text string) {
		d, err := directory.FromCSV(strings.NewReader(text))
		if err != nil {
			return
		}
		for _, a := range d.Accounts {
			if a.Name == "" || a.Quota < 0 {
				t.Errorf("an account %+v", a)
			}
		}
	})
}

// FuzzFile: whatever is in a file, it is a directory that can be compared, or an error.
func FuzzFile(f *testing.F) {
	f.Add([]byte(`{"domains": [{"name": "example.org"}], "accounts": [{"name": "a", "kind": "individual", "emails": ["a@example.org", "@example.org"], "memberOf": ["g"]}, {"name": "g", "kind": "group", "memberOf": ["g"]}]}`))
	f.Add([]byte(`{"accounts": [{"name": "@", "kind": "list", "members": ["@", "x", "@@", "y@z"]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "directory.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := directory.ReadFile(path)
		if err != nil {
			return
		}
		for _, v := range []directory.Version{directory.V07, directory.V010, directory.V016} {
			if _, err := directory.Compare(d, &directory.Directory{Version: v}, v); err != nil {
				t.Error(err)
			}
		}
	})
}
