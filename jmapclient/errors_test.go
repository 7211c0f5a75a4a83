package jmapclient

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mailhaul/account"
)

func TestNothingPrintsTheSecret(t *testing.T) {
	for _, auth := range []Auth{{Username: "alice", Password: secret}, {Token: secret}} {
		o := Options{URL: "http://h", Auth: auth}
		c, err := newClient(o)
		if err != nil {
			t.Fatal(err)
		}
		a := &Account{Client: c}
		for _, v := range []any{auth, &auth, o, &o, c, a, *a} {
			for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
				if s := fmt.Sprintf(verb, v); strings.Contains(s, secret) || strings.Contains(s, fmt.Sprintf("%x", secret)) {
					t.Errorf("%s of %T prints %s", verb, v, s)
				}
			}
		}
		if s := string(account.Marshal(auth)); s != `"[redacted]"` {
			t.Errorf("JSON %s", s)
		}
	}
}

func TestWhatAServerSaysIsMadeFitForALine(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, [3]string{"error", string(account.Marshal(map[string]string{"type": "forbidden", "description": "a\n\tb\x1b[31m" + strings.Repeat("ü", 5000)})), "0"})
	}
	a, _ := dial(t, f.URL)
	_, err := a.State(t.Context(), mailbox)
	e := wantKind(t, err, Forbidden)
	if s := e.Error(); len([]rune(s)) > 2*maxSaid || strings.ContainsAny(s, "\n\t\x1b") || !strings.Contains(s, "a b[31mü") {
		t.Errorf("%q", s)
	}
	if got := (SetError{Type: "tooLarge", Description: "x\ny", Properties: []string{"size"}}).String(); got != "tooLarge: x y (size)" {
		t.Errorf("%q", got)
	}
}
