package jmapclient_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func managed(t *testing.T, o jmaptest.Options) (*jmaptest.Server, *jmapclient.Client) {
	t.Helper()
	o.Admin = [2]string{"admin", "admin-secret"}
	s := jmaptest.New(o)
	t.Cleanup(s.Close)
	c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: "admin", Password: "admin-secret"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return s, c
}

func TestManagementIsAskedAsTheServersOtherPartsAre(t *testing.T) {
	s, c := managed(t, jmaptest.Options{Profile: jmaptest.Stalwart07})
	s.Inject(jmaptest.Fault{Do: jmaptest.DropBefore, Times: 1, Match: func(r jmaptest.Request) bool { return r.Kind == "manage" }})
	got, err := c.Manage(t.Context(), jmapclient.ManageRequest{Method: "GET", Path: "/api/principal?limit=5"})
	if err != nil || !strings.Contains(string(got), `"items"`) {
		t.Errorf("%s, %v: a lost read is asked again", got, err)
	}
	_, err = c.Manage(t.Context(), jmapclient.ManageRequest{Method: "GET", Path: "/api/principal/nobody", Item: "nobody"})
	if jmapclient.KindOf(err) != jmapclient.NotFound || !strings.Contains(err.Error(), "nobody") {
		t.Errorf("an unknown name: %v", err)
	}
	s.Inject(jmaptest.Fault{Do: jmaptest.DropAfter, Times: 1})
	create := jmapclient.ManageRequest{Method: "POST", Path: "/api/principal", Creates: true, Body: map[string]any{"type": "individual", "name": "alice"}}
	if _, err = c.Manage(t.Context(), create); jmapclient.KindOf(err) != jmapclient.Unknown {
		t.Errorf("an account whose making got no answer: %v", err)
	}
	if n := len(s.Users()); n != 1 {
		t.Errorf("%d accounts: what creates is sent once", n)
	}
}

func TestWhatOneMayNotManageIsForbidden(t *testing.T) {
	for _, p := range []jmaptest.Profile{jmaptest.Stalwart06, jmaptest.Stalwart015} {
		s, _ := managed(t, jmaptest.Options{Profile: p})
		s.AddUser(jmaptest.User{Login: "alice", Password: "secret"})
		c, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: "alice", Password: "secret"}})
		if err != nil {
			t.Fatal(err)
		}
		path := map[jmaptest.Management]string{jmaptest.ManagementAdmin: "/admin/principal", jmaptest.ManagementPrincipals: "/api/principal"}[p.Management]
		if _, err = c.Manage(t.Context(), jmapclient.ManageRequest{Method: "GET", Path: path}); jmapclient.KindOf(err) != jmapclient.Forbidden {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}

func TestAPasswordThatAServerQuotesIsInNoError(t *testing.T) {
	quoting := func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if !strings.HasPrefix(r.URL.Path, "/api/") {
				h.ServeHTTP(w, r)
				return
			}
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"title": "Bad", "detail": "I do not like hunter2 at all"}`)
		})
	}
	_, c := managed(t, jmaptest.Options{Profile: jmaptest.Stalwart07, Transport: quoting})
	_, err := c.Manage(t.Context(), jmapclient.ManageRequest{Method: "POST", Path: "/api/principal", Body: "hunter2", Hide: []string{"hunter2"}})
	if err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "I do not like") {
		t.Errorf("the error is: %v", err)
	}
}

func TestAnAdministratorActsAsAUserWhereTheServerLetsOne(t *testing.T) {
	s, c := managed(t, jmaptest.Options{Profile: jmaptest.Stalwart016})
	s.AddUser(jmaptest.User{Login: "alice@example.org", Password: "secret"})
	auth, err := c.As("alice@example.org")
	if err != nil {
		t.Fatal(err)
	}
	as, err := jmapclient.Dial(t.Context(), jmapclient.Options{URL: s.URL, Auth: auth})
	if err != nil {
		t.Fatal(err)
	}
	if got := as.Session().Username; got != "alice@example.org" {
		t.Errorf("signed in as %q", got)
	}
	if got, err := c.ManageCall(t.Context(), "urn:stalwart:jmap", "x:Domain/get", map[string]any{"ids": nil}, false, nil); err != nil || !strings.Contains(string(got), "example.org") {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := as.ManageCall(t.Context(), "urn:stalwart:jmap", "x:Domain/get", map[string]any{"ids": nil}, false, nil); jmapclient.KindOf(err) != jmapclient.Forbidden {
		t.Errorf("a user asked: %v", err)
	}
}
