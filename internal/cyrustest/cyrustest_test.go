package cyrustest_test

import (
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"

	"mailhaul/internal/cyrustest"
)

func session(t *testing.T, s *cyrustest.Server, u cyrustest.User) (status int, accounts []string) {
	t.Helper()
	req, err := http.NewRequest(http.MethodGet, s.URL+"/jmap/", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth(u.Login, u.Password)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer struct{ Accounts map[string]any }
	if resp.StatusCode == http.StatusOK {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
	}
	for id := range answer.Accounts {
		accounts = append(accounts, id)
	}
	return resp.StatusCode, accounts
}

func TestTwoServersSideBySide(t *testing.T) {
	alice := cyrustest.User{Login: "alice@example.org", Password: "one"}
	bob := cyrustest.User{Login: "bob", Password: "two"}
	a, b := cyrustest.Start(t, alice), cyrustest.Start(t, bob)
	if status, accounts := session(t, a, alice); status != 200 || len(accounts) != 1 || accounts[0] != "alice@example.org" {
		t.Errorf("alice on the first: %d %q", status, accounts)
	}
	if status, accounts := session(t, b, bob); status != 200 || len(accounts) != 1 || accounts[0] != "bob" {
		t.Errorf("bob on the second: %d %q", status, accounts)
	}
	if status, _ := session(t, b, alice); status != 401 {
		t.Errorf("alice signs in to the second, which does not know her: %d", status)
	}
	boxes, err := a.IMAP(t, alice).List("", "*", nil).Collect()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range boxes {
		names = append(names, m.Mailbox)
	}
	if got := strings.Join(names, " "); got != "INBOX Archive Drafts Junk Sent Trash" {
		t.Errorf("a new account has %s", got)
	}
	a.Stop()
	if c, err := net.Dial("tcp", a.IMAPAddr); err == nil {
		c.Close()
		t.Error("the first still listens after Stop")
	}
	if status, _ := session(t, b, bob); status != 200 {
		t.Errorf("the second went with the first: %d", status)
	}
}
