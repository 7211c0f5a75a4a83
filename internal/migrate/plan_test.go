package migrate

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/zalando/go-keyring"

	"mailhaul/jmapclient"
)

const servers = "[old]\nurl = \"https://old.example.org\"\n[new]\nurl = \"https://new.example.org\"\n"

// planOf writes a plan, and a CSV beside it.
func planOf(t *testing.T, text, csv string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{"plan.toml": text, "accounts.csv": csv} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "plan.toml")
}

func TestAPlanThatCanNotBeMeantSaysWhere(t *testing.T) {
	for text, want := range map[string]string{
		"":                               "[old] needs url",
		servers:                          "no accounts",
		servers + "[accounts]\nal = 1":   "plan.toml:6: a plan has no accounts.al",
		"concurrency = true\n" + servers: "plan.toml:1:",
		"concurrency = -1\n" + servers + "[accounts]\nall = true":                         "above zero",
		servers + "[accounts]\nmatch = [\"[\"]":                                           "no pattern",
		servers + "[accounts]\ncsv = \"nowhere.csv\"":                                     "nowhere.csv",
		servers + "[[account]]\nnew = \"x\"":                                              "needs old",
		servers + "[[account]]\nold = \"x\"\nnew-credentials = \"swordfish\"":             "a reference",
		strings.Replace(servers, "https://old", "https://me:swordfish@old", 1):            "no place for a password",
		servers + "[accounts]\nall = true\n[provision]\nskip = 1":                         "plan.toml:8:",
		strings.Replace(servers, "[new]", "give-up-after = \"soon\"\n[new]", 1):           "30s or 5m",
		strings.Replace(servers, "[new]", "imap-url = \"imaps://x\"\n[new]", 1):           "for the new server",
		servers + "[accounts]\ncsv = \"accounts.csv\"\n[[account]]\nold = \"ALICE\"\n":    "the account alice is in accounts.csv, too",
		strings.Replace(servers, "[new]", "credentials = \"keyring:mailhaul\"\n[new]", 1): "keyring:SERVICE/USER",
		strings.Replace(servers, "[new]", "auth = \"digest\"\n[new]", 1) + "[accounts]\n": "basic or bearer",
		strings.Replace(servers, "[new]", "connections = -4\n[new]", 1) + "[accounts]\n":  "above zero",
		servers + "[accounts]\nall = true\nall = true\n":                                  "already defined",
	} {
		_, err := ReadPlan(planOf(t, text, "old\nalice\n"))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error of\n%s\nis %v, and should hold %q", text, err, want)
		} else if strings.Contains(err.Error(), "swordfish") {
			t.Errorf("the error holds a password: %v", err)
		}
	}
}

func TestSelectingAccounts(t *testing.T) {
	listed := []string{"alice@example.org", "bob@example.org", "carol@example.com", "sales/north", "admin"}
	for text, want := range map[string]map[string]string{
		"[accounts]\nall = true\nexcept = [\"ADMIN\", \"carol@*\"]":                                                            {"alice@example.org": "alice@example.org", "bob@example.org": "bob@example.org", "sales/north": "sales/north"},
		"[accounts]\nmatch = [\"*@example.org\", \"s*\"]":                                                                      {"alice@example.org": "alice@example.org", "bob@example.org": "bob@example.org", "sales/north": "sales/north"},
		"[accounts]\nlist = [\"dave\"]":                                                                                        {"dave": "dave"},
		"[accounts]\nlist = [\"dave\", \"Dave\"]\n[[account]]\nold = \"DAVE\"\nnew = \"d\"":                                    {"dave": "d"},
		"[accounts]\nmatch = [\"alice*\"]\n[[account]]\nold = \"erin\"\n[[account]]\nold = \"alice@example.org\"\nskip = true": {"erin": "erin"},
		"[accounts]\ncsv = \"accounts.csv\"":                                                                                   {"alice": "alice@example.org", "bob": "bob"},
	} {
		p, err := ReadPlan(planOf(t, servers+text, "old;new\nalice;alice@example.org\nbob;\n"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		all, err := p.Select(listed)
		got := map[string]string{}
		for _, w := range all {
			got[w.Old] = w.New
		}
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", text, err, diff)
		}
	}
}

// Two accounts in one could never be taken apart again.
func TestTwoAccountsNeverBecomeOne(t *testing.T) {
	p, err := ReadPlan(planOf(t, servers+"[accounts]\nlist = [\"alice\"]\n[[account]]\nold = \"bob\"\nnew = \"Alice\"\n", ""))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Select(nil); err == nil || !strings.Contains(err.Error(), "would both go into") {
		t.Errorf("error: %v", err)
	}
}

func TestReferencesStandForSecrets(t *testing.T) {
	keyring.MockInit()
	if err := keyring.Set("mailhaul", "admin", "from-keyring"); err != nil {
		t.Fatal(err)
	}
	file := planOf(t, servers+"[accounts]\nall = true", "")
	for name, mode := range map[string]os.FileMode{"secret": 0o600, "open": 0o644} {
		if err := os.WriteFile(filepath.Join(filepath.Dir(file), name), []byte("bob:from:file\nrest"), mode); err != nil {
			t.Fatal(err)
		}
	}
	p, err := ReadPlan(file)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s := &Secrets{
		Env: func(name string) string { return map[string]string{"SET": "from-env"}[name] },
		Prompt: func(context.Context, string) (string, bool, error) {
			asked++
			return "typed", true, nil
		},
	}
	for ref, want := range map[string]jmapclient.Auth{
		"env:SET":                {Username: "alice", Password: "from-env"},
		"file:secret":            {Username: "bob", Password: "from:file"},
		"keyring:mailhaul/admin": {Username: "alice", Password: "from-keyring"},
		"prompt":                 {Username: "alice", Password: "typed"},
	} {
		for range 2 {
			secret, err := s.resolve(t.Context(), p, ref, "alice")
			if got := auth(secret, "alice", false); err != nil || got != want {
				t.Errorf("%s is not what it stands for (%v)", ref, err)
			}
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for the same", asked)
	}
	for _, ref := range []string{"env:UNSET", "file:nowhere", "file:open", "keyring:mailhaul/nobody"} {
		if _, err := s.resolve(t.Context(), p, ref, "alice"); err == nil || !strings.Contains(err.Error(), ref) {
			t.Errorf("%s: %v", ref, err)
		}
	}
	s.Prompt = func(context.Context, string) (string, bool, error) { return "", false, nil }
	if _, err := s.resolve(t.Context(), p, "prompt", "bob"); err == nil || !strings.Contains(err.Error(), "no terminal") {
		t.Errorf("a prompt without a terminal: %v", err)
	}
}

func TestACSVOthersMayReadIsRefused(t *testing.T) {
	file := planOf(t, servers+"[accounts]\ncsv = \"accounts.csv\"", "old,old-password\nalice,swordfish\n")
	if err := os.Chmod(filepath.Join(filepath.Dir(file), "accounts.csv"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPlan(file); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("error: %v", err)
	}
}

// Whatever a spreadsheet holds, its errors say where and quote no cell.
func FuzzCSV(f *testing.F) {
	f.Add("old,new\nalice,bob\n")
	f.Add("\uFEFFold;old-password\r\nalice;\"swo\"rdfish\"\r\n")
	f.Add("old,old-credentials\nalice,swordfish\n")
	f.Add("new\nx")
	f.Fuzz(func(t *testing.T, text string) {
		rows, _, err := parseCSV(strings.NewReader(text))
		if err != nil && strings.Contains(err.Error(), "swordfish") && !strings.Contains(strings.SplitN(text, "\n", 2)[0], "swordfish") {
			t.Errorf("the error quotes a cell: %v", err)
		}
		for _, r := range rows {
			if r.Old == "" {
				t.Error("an account without a name")
			}
		}
	})
}

// Whatever a file holds, it is a plan that can be meant or an error.
func FuzzPlan(f *testing.F) {
	f.Add(servers + "[accounts]\nall = true\n")
	f.Add("concurrency = 99999999999999999999")
	f.Add("[[account]]\nold = 1979-05-27\n")
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "plan.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := ReadPlan(file)
		if err != nil {
			return
		}
		if p.Concurrency < 1 || p.Old.URL == "" || p.New.URL == "" || p.Old.Wait() <= 0 {
			t.Errorf("taken for a plan: %+v", p)
		}
		if _, err := p.Select([]string{"alice"}); errors.Is(err, os.ErrNotExist) {
			t.Error(err)
		}
	})
}
