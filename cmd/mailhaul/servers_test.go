package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

type serversKeyType struct{}

var serversKey serversKeyType

// servers are a script's, by name.
type servers map[string]*jmaptest.Server

func server(ts *testscript.TestScript, name string) *jmaptest.Server {
	s := ts.Value(serversKey).(servers)[name]
	if s == nil {
		ts.Fatalf("there is no server %s", name)
	}
	return s
}

// cmdServer starts a server. It takes, in this order of work:
//
//	profile=NAME            it behaves as this one of jmaptest's
//	admin=LOGIN:PASSWORD    an administrator
//	user=LOGIN:PASSWORD     an account of an ordinary user (several)
//	token=LOGIN:TOKEN       one that signs in with a bearer token
//	group=LOGIN             a shared account
//	readonly=LOGIN:PASSWORD one that nobody may write to
//	quota=LOGIN:PASSWORD:N  one that takes N octets
//	mail=LOGIN:N            N generated messages
func cmdServer(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: jmapserver NAME [key=value]…")
	}
	var o jmaptest.Options
	var work []func(*jmaptest.Server)
	for _, arg := range args[1:] {
		key, value, _ := strings.Cut(arg, "=")
		login, rest, _ := strings.Cut(value, ":")
		password, number, _ := strings.Cut(rest, ":")
		user := jmaptest.User{Login: login, Password: password, Emails: []string{login + "@example.org"}}
		switch key {
		case "admin":
			o.Admin = [2]string{login, password}
			continue
		case "profile":
			i := slices.IndexFunc(jmaptest.Profiles, func(p jmaptest.Profile) bool { return p.Name == value })
			if i < 0 {
				ts.Fatalf("there is no profile %s", value)
			}
			o.Profile = jmaptest.Profiles[i]
			continue
		case "user":
		case "token":
			user.Token, user.Password = password, ""
		case "group":
			user.Group = true
		case "readonly":
			user.ReadOnly = true
		case "quota":
			n, err := strconv.ParseInt(number, 10, 64)
			ts.Check(err)
			user.Quota = n
		case "mail":
			n, err := strconv.Atoi(rest)
			ts.Check(err)
			work = append(work, func(s *jmaptest.Server) { deliver(s, login, n) })
			continue
		default:
			ts.Fatalf("jmapserver knows no %q", key)
		}
		work = append(work, func(s *jmaptest.Server) { s.AddUser(user) })
	}
	s := jmaptest.New(o)
	ts.Defer(s.Close)
	for _, w := range work {
		w(s)
	}
	ts.Value(serversKey).(servers)[args[0]] = s
	ts.Setenv(args[0]+"_URL", s.URL)
}

func deliver(s *jmaptest.Server, login string, n int) {
	for m := range mailgen.Sized(7, n, 2000) {
		s.Deliver(login, jmaptest.Message(m))
	}
}

func cmdWebpage(ts *testscript.TestScript, _ bool, args []string) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<!doctype html><title>Welcome</title><h1>It works</h1>")
	}))
	ts.Defer(s.Close)
	ts.Setenv(args[0]+"_URL", s.URL)
}

func cmdSame(ts *testscript.TestScript, neg bool, args []string) {
	a, b := server(ts, args[0]), server(ts, args[1])
	diff := cmp.Diff(held(a, args[2]), held(b, args[2]))
	if (diff == "") == neg {
		ts.Fatalf("same: %t, want %t\n%s", diff == "", !neg, diff)
	}
}

// held is what an account holds on a server, in a comparable order.
func held(s *jmaptest.Server, login string) []string {
	var lines []string
	for _, k := range contentsOf(s, login) {
		lines = append(lines, k.lines...)
	}
	return lines
}

func cmdChange(ts *testscript.TestScript, _ bool, args []string) {
	s, login := server(ts, args[0]), args[1]
	first := s.Deliver(login, jmaptest.Message{Mailboxes: []string{"Later"}, Raw: []byte("Subject: first\r\nMessage-ID: <first@example.org>\r\n\r\none\r\n")})
	s.Deliver(login, jmaptest.Message{Mailboxes: []string{"Later"}, Raw: []byte("Subject: second\r\nMessage-ID: <second@example.org>\r\n\r\ntwo\r\n")})
	s.Modify(login, first, []string{"Later"}, []string{"$flagged"})
}

func cmdRequests(ts *testscript.TestScript, neg bool, args []string) {
	s := server(ts, args[0])
	n := s.Requests()[args[1]]
	s.ResetCounts()
	if (n > 0 && args[2] == "some" || fmt.Sprint(n) == args[2]) == neg {
		ts.Fatalf("%d requests of %s, want %s", n, args[1], args[2])
	}
}
