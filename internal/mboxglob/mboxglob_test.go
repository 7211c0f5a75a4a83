package mboxglob

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestMatch(t *testing.T) {
	mailboxes := []struct{ path, role string }{
		{"Inbox", "inbox"},
		{"Inbox/Lists", ""},
		{"Sent Items", "sent"},
		{"Projects", ""},
		{"Projects/2023", ""},
		{"Projects/2024", ""},
		{"Projects/2024/Bridge", ""},
		{"Projects/2024/Bridge/2024", ""},
		{"ProjectsOld", ""},
		{"[Gmail]/All Mail", "all"},
		{"!urgent", ""},
		{"a*b", ""},
		{"Grüße", ""},
	}
	for _, tc := range []struct {
		patterns string // joined by ","
		want     string // the paths, joined by ","
	}{
		{"", "Inbox,Inbox/Lists,Sent Items,Projects,Projects/2023,Projects/2024,Projects/2024/Bridge,Projects/2024/Bridge/2024,ProjectsOld,[Gmail]/All Mail,!urgent,a*b,Grüße"},
		{"Projects", "Projects"},
		{"projects", ""},
		{"Projects/*", "Projects/2023,Projects/2024"},
		{"Projects/**", "Projects,Projects/2023,Projects/2024,Projects/2024/Bridge,Projects/2024/Bridge/2024"},
		{"Projects/**/**", "Projects,Projects/2023,Projects/2024,Projects/2024/Bridge,Projects/2024/Bridge/2024"},
		{"Projects/*/**", "Projects/2023,Projects/2024,Projects/2024/Bridge,Projects/2024/Bridge/2024"},
		{"Projects*", "Projects,ProjectsOld"},
		{"**/2024", "Projects/2024,Projects/2024/Bridge/2024"},
		{"Projects/**/2024", "Projects/2024,Projects/2024/Bridge/2024"},
		{"Projects/202?", "Projects/2023,Projects/2024"},
		{"*", "Inbox,Sent Items,Projects,ProjectsOld,!urgent,a*b,Grüße"},
		{"Gr??e", "Grüße"},
		{"INBOX", "Inbox"},
		{"inbox/*", "Inbox/Lists"},
		{"role:inbox", "Inbox"},
		{"role:Sent,role:all", "Sent Items,[Gmail]/All Mail"},
		{"[Gmail]/All Mail", "[Gmail]/All Mail"},
		{"Projects/**,!Projects/2024/**", "Projects,Projects/2023"},
		{"!Projects/2024/**,Projects/**", "Projects,Projects/2023"},
		{"!**/*,!role:inbox", ""},
		{"!Projects/**,!role:all,!Inbox/**", "Sent Items,ProjectsOld,!urgent,a*b,Grüße"},
		{`\!urgent`, "!urgent"},
		{`a\*b`, "a*b"},
		{`a\**`, "a*b"},
	} {
		var patterns []string
		if tc.patterns != "" {
			patterns = strings.Split(tc.patterns, ",")
		}
		g, err := Compile(patterns)
		if err != nil {
			t.Errorf("%s: %v", tc.patterns, err)
			continue
		}
		var got []string
		for _, m := range mailboxes {
			if g.Match(m.path, m.role) {
				got = append(got, m.path)
			}
		}
		if d := cmp.Diff(tc.want, strings.Join(got, ",")); d != "" {
			t.Errorf("%q matches (-want +got):\n%s", tc.patterns, d)
		}
	}
}

func TestCompileRefuses(t *testing.T) {
	for pattern, want := range map[string]string{
		"":         "is empty",
		"!":        "is empty",
		"/a":       "empty level",
		"a/":       "empty level",
		"a//b":     "empty level",
		"a**":      "** stands for whole levels",
		"a/b**c/d": "** stands for whole levels",
		"role:":    "names no role",
		`a\`:       "there is none",
	} {
		_, err := Compile([]string{"ok", pattern})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "mailbox pattern") {
			t.Errorf("Compile(%q): got %v, want an error saying %q", pattern, err, want)
		}
	}
}

func TestUnmatchedNamesPatternsOfNoMailbox(t *testing.T) {
	g, err := Compile([]string{"Projects/**", "Porjects", "role:sent", "!Old", "!Projects/x"})
	if err != nil {
		t.Fatal(err)
	}
	each := func(yield func(path, role string) bool) {
		_ = yield("Projects", "") && yield("Projects/x", "") && yield("Inbox", "inbox")
	}
	if d := cmp.Diff([]string{"Porjects", "role:sent", "!Old"}, g.Unmatched(each)); d != "" {
		t.Error(d)
	}
}

// A path whose special characters are escaped matches itself and nothing else.
func TestEscapedPathMatchesItselfAlone(t *testing.T) {
	name := rapid.StringMatching(`[a-zA-Z*?!\\ .\[\]{}üß:]{1,6}`)
	path := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(name, 1, 4).Draw(t, "names"), "/")
	})
	escape := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `!`, `\!`, `:`, `\:`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := path.Draw(t, "a"), path.Draw(t, "b")
		g, err := Compile([]string{escape.Replace(a)})
		if err != nil {
			t.Fatal(err)
		}
		if !g.Match(a, "") {
			t.Errorf("%q does not match itself", a)
		}
		if a != b && !strings.EqualFold(a, b) && g.Match(b, "") {
			t.Errorf("%q matches %q", a, b)
		}
	})
}

func FuzzCompile(f *testing.F) {
	for _, seed := range []string{"a/**/b", "**", `\`, "!role:x", "a*?[b](c)|+$^", "\xff/\x00"} {
		f.Add(seed, "a/x/b")
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if g, err := Compile([]string{pattern}); err == nil {
			g.Match(path, "inbox")
		}
	})
}
