package importer

import (
	"context"
	"io"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// all reads the objects of a small type from the target.
func (s *target) all(typ account.Type) []account.Object {
	s.t.Helper()
	got, err := s.account().All(context.Background(), typ, nil)
	must(s.t, err)
	return got.List
}

// scripts are the target's scripts, "name active content".
func (s *target) scripts() (list []string) {
	s.t.Helper()
	acc := s.account()
	for _, o := range s.all(account.SieveScript) {
		active := ""
		if o.Bool("isActive") {
			active = " active"
		}
		must(s.t, acc.Download(context.Background(), o.Text("blobId"), -1, func(r io.Reader) error {
			data, err := io.ReadAll(r)
			list = append(list, o.Text("name")+active+": "+string(data))
			return err
		}))
	}
	return sorted(list)
}

// addScript puts a script on the target as its user would.
func (s *target) addScript(name, content string) {
	s.t.Helper()
	ar := newArchive(s.t)
	snapshot(s.t, ar, contents{folders: []folder{inbox}, scripts: []script{{name: name, content: content}}})
	s.imports(ar, Options{})
}

func TestScriptsAreImportedAndTheActiveOneSwitchedOn(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	s.addScript("same", "keep;\r\n")
	s.addScript("other", "discard;\r\n")
	snapshot(t, ar, contents{folders: []folder{inbox}, scripts: []script{
		{"same", "keep;\r\n", false}, {"other", "stop;\r\n", true}, {"new", "keep;\r\n", false}}})
	res := s.imports(ar, Options{})
	same(t, "scripts", s.scripts(), []string{"new: keep;\r\n", "other active: stop;\r\n", "same: keep;\r\n"})
	got := res.Types["SieveScript"]
	got.Bytes = 0
	same(t, "counts", got, Counts{Total: 3, Created: 1, Updated: 1, Present: 1})
}

func TestTheUsersOwnScriptsAndChoiceStay(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	c := contents{folders: []folder{inbox}, scripts: []script{{"a", "keep;\r\n", true}, {"b", "stop;\r\n", false}}}
	snapshot(t, ar, c)
	s.imports(ar, Options{})
	s.addScript("a", "discard;\r\n") // the user edits it
	s.imports(ar, Options{})
	same(t, "scripts", s.scripts(), []string{"a active: discard;\r\n", "b: stop;\r\n"})
	c.scripts[0].content = "redirect \"x@example.org\";\r\n" // and so does the source
	snapshot(t, ar, c)
	res := s.imports(ar, Options{})
	same(t, "scripts", s.scripts(), []string{"a active: discard;\r\n", "b: stop;\r\n"})
	if !strings.Contains(strings.Join(res.Warnings, "\n"), "both sides") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestAScriptThatTheServerRefusesIsNamed(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, letters: mails(1), scripts: []script{{"bad", "keep", true}, {"good", "keep;\r\n", false}}})
	res := s.imports(ar, Options{})
	same(t, "scripts", s.scripts(), []string{"good: keep;\r\n"})
	if len(res.Failures) != 1 || res.Failures[0].Item != "bad" {
		t.Errorf("failures: %+v", res.Failures)
	}
}

func vacationOf(enabled bool, subject string) account.Object {
	o := account.Object{}
	o.Put("isEnabled", enabled)
	o.Put("fromDate", nil)
	o.Put("toDate", nil)
	o.Put("subject", subject)
	o.Put("textBody", "gone fishing")
	o.Put("htmlBody", nil)
	return o
}

func TestVacationIsCreatedOrUpdatedAsTheServerTakesIt(t *testing.T) {
	for name, p := range map[string]jmaptest.Profile{"always there": {}, "made first": {VacationScript: "vacation"}} {
		t.Run(name, func(t *testing.T) {
			s, ar := newTarget(t, p), newArchive(t)
			for _, subject := range []string{"away", "still away"} {
				snapshot(t, ar, contents{folders: []folder{inbox}, vacation: vacationOf(true, subject)})
				s.imports(ar, Options{})
				list := s.all(account.VacationResponse)
				if len(list) != 1 || list[0].Text("subject") != subject || !list[0].Bool("isEnabled") {
					t.Errorf("vacation: %s", account.Marshal(list))
				}
			}
		})
	}
}

func TestAnEmptyVacationLeavesTheTargetsAlone(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Strict), newArchive(t)
	own := newArchive(t)
	snapshot(t, own, contents{folders: []folder{inbox}, vacation: vacationOf(true, "the user's own")})
	s.imports(own, Options{})
	snapshot(t, ar, contents{folders: []folder{inbox}, vacation: account.Object{"isEnabled": account.Marshal(false)}})
	s.ResetCounts()
	s.imports(ar, Options{})
	if n := s.Requests()["VacationResponse/get"] + s.Requests()["VacationResponse/set"]; n != 0 {
		t.Errorf("%d requests for an empty vacation response", n)
	}
	if v := s.all(account.VacationResponse); len(v) != 1 || v[0].Text("subject") != "the user's own" {
		t.Errorf("vacation: %s", account.Marshal(v))
	}
}

func TestVacationAndScriptWhereOnlyOneCanBeOn(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{VacationScript: "vacation"}), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, vacation: vacationOf(true, "away"),
		scripts: []script{{"vacation", "vacation \"x\";\r\n", true}, {"mine", "keep;\r\n", false}}})
	res := s.imports(ar, Options{})
	if v := s.all(account.VacationResponse); len(v) != 1 || !v[0].Bool("isEnabled") {
		t.Errorf("the vacation response was on, and is not: %s", account.Marshal(v))
	}
	if n := res.Types["SieveScript"].Failed; n != 0 {
		t.Errorf("failures: %+v", res.Failures)
	}
	// A source with both on: the script wins, and the report says so.
	s, ar = newTarget(t, jmaptest.Profile{VacationScript: "vacation"}), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, vacation: vacationOf(true, "away"), scripts: []script{{"mine", "keep;\r\n", true}}})
	res = s.imports(ar, Options{})
	if !slices.Contains(s.scripts(), "mine active: keep;\r\n") {
		t.Errorf("scripts: %q", s.scripts())
	}
	if !strings.Contains(strings.Join(res.Warnings, "\n"), "vacation response") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestIdentitiesAreMatchedAdoptedOrMade(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{DefaultIdentities: true, AnyIdentityAddress: true}), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, identities: []account.Object{
		identity("Alice A.", "alice@example.org", "-- \nAlice <b> & co"), identity("Work", "work@example.org", "")}})
	s.imports(ar, Options{})
	names := func() (list []string) {
		for _, o := range s.all(account.Identity) {
			list = append(list, o.Text("name")+" "+o.Text("email")+" "+o.Text("textSignature"))
		}
		return sorted(list)
	}
	want := []string{"Alice A. alice@example.org -- \nAlice <b> & co", "Work work@example.org "}
	same(t, "identities", names(), want)
	// The user's own change stays; the source's is carried over.
	snapshot(t, ar, contents{folders: []folder{inbox}, identities: []account.Object{
		identity("Alice A.", "alice@example.org", "-- \nnew"), identity("Work", "work@example.org", "")}})
	res := s.imports(ar, Options{})
	want[0] = "Alice A. alice@example.org -- \nnew"
	same(t, "identities", names(), want)
	same(t, "counts", res.Types["Identity"], Counts{Total: 2, Updated: 1, Present: 1})
}

func TestIdentitiesOnAServerThatCanNotChangeThem(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{NoIdentitySet: true}), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, letters: mails(1), identities: []account.Object{identity("Alice", "alice@example.org", "x")}})
	res := s.imports(ar, Options{})
	if len(res.Failures) != 1 || res.Failures[0].Type != "Identity" || !strings.Contains(res.Failures[0].Item, "alice@example.org") {
		t.Errorf("failures: %+v", res.Failures)
	}
	same(t, "messages", s.holds(), wants(mails(1), inboxOnly))
}

func TestATypeThatTheServerLacksIsReported(t *testing.T) {
	s, ar := newTarget(t, jmaptest.Profile{Capabilities: capabilitiesWithout("urn:ietf:params:jmap:sieve", "urn:ietf:params:jmap:vacationresponse")}), newArchive(t)
	snapshot(t, ar, contents{folders: []folder{inbox}, scripts: []script{{"a", "keep;\r\n", true}, {"b", "keep;\r\n", false}},
		vacation: account.Object{"isEnabled": account.Marshal(false)}})
	res := s.imports(ar, Options{})
	same(t, "failed", res.Types["SieveScript"].Failed, int64(2))
	same(t, "failed", res.Types["VacationResponse"].Failed, int64(0))
	if !strings.Contains(strings.Join(res.Warnings, "\n"), "no Sieve scripts: 2 stay in the archive") {
		t.Errorf("warnings: %q", res.Warnings)
	}
}

func TestALostAnswerDoublesNoScriptAndNoIdentity(t *testing.T) {
	for _, method := range []string{"SieveScript/set", "Identity/set", "VacationResponse/set"} {
		s, ar := newTarget(t, jmaptest.Profile{AnyIdentityAddress: true}), newArchive(t)
		snapshot(t, ar, contents{folders: []folder{inbox}, vacation: vacationOf(true, "away"),
			scripts: []script{{"a", "keep;\r\n", false}}, identities: []account.Object{identity("Alice", "alice@example.org", "x")}})
		s.Inject(jmaptest.Fault{Match: at(method), Times: 1, Do: jmaptest.DropAfter})
		res := s.imports(ar, Options{})
		if n, m := len(s.all(account.SieveScript)), len(s.all(account.Identity)); n != 1 || m != 1 || len(res.Failures) != 0 {
			t.Errorf("%s: %d scripts, %d identities, failures %+v", method, n, m, res.Failures)
		}
	}
}

func TestChangedTakesAbsentNullAndEmptyForTheSame(t *testing.T) {
	a, _ := account.ParseObject([]byte(`{"name":"","replyTo":null,"textSignature":"x"}`))
	b, _ := account.ParseObject([]byte(`{"bcc":[],"textSignature":"x"}`))
	same(t, "changes", len(changed(a, b, identityProps...)), 0)
	c, _ := account.ParseObject([]byte(`{"bcc":[{"email":"a@b"}]}`))
	got := changed(a, c, identityProps...)
	same(t, "changes", string(got.Encode()), `{"bcc":[{"email":"a@b"}],"textSignature":""}`)
}
