package migrate

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"mailhaul/archive"
	"mailhaul/importer"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

var administrator = [2]string{"admin", "swordfish"}

// hooks are the command line's, without a command line.
func hooks(events func(Event)) Hooks {
	return Hooks{
		Secrets: &Secrets{Env: func(string) string { return "admin:swordfish" }},
		Dial: func(ctx context.Context, s *Server, a jmapclient.Auth, _ int, onWait func(string, time.Time)) (*jmapclient.Client, error) {
			return jmapclient.Dial(ctx, jmapclient.Options{URL: s.URL, Auth: a, GiveUpAfter: s.Wait(), OnWait: onWait})
		},
		IMAP: func(*Server, jmapclient.Auth) (*importer.IMAP, error) { return nil, nil },
		Open: func(dir string, o archive.Origin) (*archive.Archive, error) {
			if exists(dir) {
				return archive.Open(dir)
			}
			return archive.Create(dir, o)
		},
		Folder: func(name string) string { return name },
		Events: events,
	}
}

// running is a run over all accounts of two servers.
func running(t *testing.T, from, to *jmaptest.Server, more string) *Run {
	t.Helper()
	p, err := ReadPlan(planOf(t, fmt.Sprintf("[old]\nurl = %q\ncredentials = \"env:X\"\ngive-up-after = \"50ms\"\n[new]\nurl = %q\ncredentials = \"env:X\"\n"+
		"[accounts]\nall = true\nexcept = [\"admin\"]\n%s", from.URL, to.URL, more), ""))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(p, hooks(func(Event) {}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.Load(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	return r
}

// Each planted problem is found, of the account that has it and of no other.
func TestCheckFindsWhatIsPlanted(t *testing.T) {
	profile := jmaptest.Stalwart07
	profile.Limits.MaxSizeUpload = 5000
	from, to := jmaptest.New(jmaptest.Options{Admin: administrator}), jmaptest.New(jmaptest.Options{Admin: administrator, Profile: profile})
	defer from.Close()
	defer to.Close()
	for _, login := range []string{"deep", "large", "twice", "readonly", "gone", "plain"} {
		u := jmaptest.User{Login: login, Password: login, Emails: []string{login + "@example.org"}}
		from.AddUser(u)
		u.ReadOnly = login == "readonly"
		if login != "gone" {
			to.AddUser(u)
		}
	}
	deliver := func(login, mailbox, id string, size int) {
		from.Deliver(login, jmaptest.Message{Mailboxes: []string{mailbox}, Raw: []byte(fmt.Sprintf("Subject: %s of %d\r\nMessage-ID: <%s@example.org>\r\n\r\n%s\r\n", id, size, id, strings.Repeat("x", size)))})
	}
	deliver("deep", "1/2/3/4/5/6/7/8/9/10/11", "down", 10)
	deliver("large", "Inbox", "heavy", 6000)
	deliver("large", "Inbox", "light", 10)
	deliver("twice", "Inbox", "same", 10)
	deliver("twice", "Archive", "same", 10)
	deliver("plain", "Inbox", "one", 10)

	r := running(t, from, to, "[provision]\nskip = true\n")
	tally, err := r.Do(t.Context(), CheckStep, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	if tally[Failed] != 2 || tally[Done] != 4 {
		t.Errorf("ended: %v", tally)
	}
	for _, want := range []struct {
		account, what string
		level         Level
		text          string
	}{
		{"deep", "too deep", Yellow, "1/2/3/4/5/6/7/8/9/10/11"},
		{"large", "oversized", Yellow, `"heavy of 6000"`},
		{"twice", "Message-IDs", Yellow, "same of 10"},
		{"readonly", "rights", Red, "may not write"},
		{"gone", "rights", Red, "no single account of that name"},
	} {
		found := 0
		for _, j := range r.jobs {
			for _, f := range j.Steps[CheckStep].Detail.Findings {
				if f.What != want.what || want.what == "rights" && j.Old != want.account {
					continue
				}
				if found++; j.Old != want.account || f.Level != want.level || !strings.Contains(f.Text, want.text) || f.Advice == "" {
					t.Errorf("%s: %+v", j.Old, f)
				}
			}
		}
		if found != 1 {
			t.Errorf("%s of %s was found %d times", want.what, want.account, found)
		}
	}
	for _, j := range r.jobs {
		lacks := false
		for _, f := range j.Steps[CheckStep].Detail.Findings {
			lacks = lacks || f.What == "missing types" && strings.Contains(f.Text, "ContactCard")
		}
		if !lacks && j.Old != "gone" {
			t.Errorf("%s: it was not found that the new server has no contacts", j.Old)
		}
	}
	if len(to.Mailboxes("plain"))+len(to.Messages("plain")) != 5 {
		t.Error("check has changed something")
	}
}

func TestCheckFindsThatTheDiskIsTooSmall(t *testing.T) {
	from, to := jmaptest.New(jmaptest.Options{Admin: administrator}), jmaptest.New(jmaptest.Options{Admin: administrator})
	defer from.Close()
	defer to.Close()
	for _, s := range []*jmaptest.Server{from, to} {
		s.AddUser(jmaptest.User{Login: "alice", Emails: []string{"alice@example.org"}})
	}
	from.Deliver("alice", jmaptest.Message{Mailboxes: []string{"Inbox"}, Raw: []byte("Subject: x\r\n\r\n" + strings.Repeat("x", 10_000))})
	defer func(was func(string) int64) { free = was }(free)
	for room, want := range map[int64]Level{1000: Red, 100_000: Green, -1: Yellow} {
		free = func(string) int64 { return room }
		r := running(t, from, to, "")
		if _, err := r.Do(t.Context(), CheckStep, nil, true); err != nil {
			t.Fatal(err)
		}
		found, err := r.CheckWhole(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if worst := Worst(found); worst != want {
			t.Errorf("with %d octets free it is %s: %+v", room, worst, found)
		}
	}
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
