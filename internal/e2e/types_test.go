package e2e

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	"mailhaul/internal/jscontact"
	"mailhaul/internal/jsschema"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// settings are an account's identities, scripts and vacation response, over JMAP.
func (m memory) settings(login string) map[string]any {
	m.t.Helper()
	api, id := session(m.t, m.URL(), login)
	all := map[string]any{}
	for typ, urn := range map[string]string{"Identity": "submission", "SieveScript": "sieve", "VacationResponse": "vacationresponse"} {
		got := jmap(m.t, api, login, "urn:ietf:params:jmap:"+urn, typ+"/get", map[string]any{"accountId": id, "ids": nil})
		for _, o := range got["list"].([]any) {
			o := o.(map[string]any)
			if blob := text(o["blobId"]); blob != "" {
				data, _ := m.Blob(login, blob)
				o["blobId"] = string(data)
			}
			delete(o, "id")
			all[typ+" "+text(o["name"])+" "+text(o["email"])] = o
		}
	}
	return all
}

// fillSettings writes some.
func (m memory) fillSettings(login string) {
	m.t.Helper()
	api, id := session(m.t, m.URL(), login)
	script := m.AddBlob(login, []byte("require [\"fileinto\"];\r\nfileinto \"Archive\";\r\n"))
	for _, set := range []struct {
		urn, method string
		args        map[string]any
	}{
		{"submission", "Identity/set", map[string]any{"create": map[string]any{"k": map[string]any{"name": "Alice at Work", "email": login,
			"textSignature": "-- \nAlice", "replyTo": []any{map[string]any{"name": "Office", "email": "office@example.org"}}}}}},
		{"sieve", "SieveScript/set", map[string]any{"create": map[string]any{"k": map[string]any{"name": "filters", "blobId": script}}, "onSuccessActivateScript": "#k"}},
		{"vacationresponse", "VacationResponse/set", map[string]any{"update": map[string]any{"singleton": map[string]any{"isEnabled": m.profile.VacationScript == "",
			"subject": "Away", "textBody": "Back on Monday", "fromDate": "2031-01-01T00:00:00Z"}}}},
	} {
		set.args["accountId"] = id
		r := jmap(m.t, api, login, "urn:ietf:params:jmap:"+set.urn, set.method, set.args)
		for _, refused := range []string{"notCreated", "notUpdated"} {
			if bad, _ := r[refused].(map[string]any); len(bad) > 0 {
				m.t.Fatalf("%s: %v", set.method, bad)
			}
		}
	}
}

// An account with all types of data, on a server of the standards and on one as Stalwart
// 0.16 is: object by object it is the same in the account that it is restored into,
// photos and attachments by their bytes.
func TestAllTypesArrive(t *testing.T) {
	t.Parallel()
	for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart016} {
		t.Run(p.Name, func(t *testing.T) {
			from, to := startMemoryWith(t, jmaptest.Options{Profile: p}), startMemoryWith(t, jmaptest.Options{Profile: p})
			from.AddUser(alice)
			to.AddUser(alice)
			u := newUser(rand.New(rand.NewPCG(1, 0)), from, nil)
			for range 3 {
				for _, do := range []func(){u.getsMail, u.writesContact, u.writesEvent, u.makesCalendar, u.makesFolder, u.subscribes, u.writesFile, u.writesFile} {
					do()
				}
			}
			from.fillSettings(alice)
			archive := exportAccount(t, from, alice, t.TempDir())
			importAccount(t, to, alice, archive)
			want := stateOf(from, alice)
			expectState(t, "all types", want, stateOf(to, alice))
			if d := cmp.Diff(from.settings(alice), to.settings(alice)); d != "" {
				t.Errorf("settings (- from, + to):\n%s", d)
			}
			mailhaul(t, append(signIn(to.URL(), alice), "verify", "--full", archive, alice)...).expect(t, 0)
			for _, typ := range thingTypes {
				if from.serves(typ.name) && !slices.ContainsFunc(slices.Collect(keysOf(want.things)), func(k string) bool { return strings.HasPrefix(k, typ.name+" ") }) {
					t.Errorf("there is no %s", typ.name)
				}
			}
		})
	}
}

func keysOf(m things) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// bob has an account on the same server, and is invited to alice's events.
const bob = "bob@example.org"

// dated is an event to which people are invited; organizer is one of them.
func dated(uid, start, organizer, status string) string {
	return fmt.Sprintf("BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT\nUID:%s\nDTSTAMP:20240101T000000Z\nDTSTART:%s\nDURATION:PT1H\nSUMMARY:With people\n"+
		"ORGANIZER;SCHEDULE-AGENT=CLIENT:mailto:%s\nATTENDEE;SCHEDULE-AGENT=CLIENT;PARTSTAT=%s:mailto:%s\nATTENDEE;SCHEDULE-AGENT=CLIENT;PARTSTAT=NEEDS-ACTION:mailto:%s\nEND:VEVENT\nEND:VCALENDAR\n",
		uid, start, organizer, status, alice, bob)
}

// fillTypes gives alice contacts with photos, a group, and events, over CardDAV and CalDAV.
func (c cyrus) fillTypes() {
	a := c.dav(alice)
	for i, photo := range []string{"iVBORw0KGgo=", "iVBORyAx"} {
		a.Put(c.t, "addressbooks", fmt.Sprintf("card-%d.vcf", i), fmt.Sprintf("BEGIN:VCARD\nVERSION:3.0\nUID:card-%d\nN:Müller;Ann;;Dr;\nFN:Dr Ann Müller\nEMAIL;TYPE=WORK:ann%[1]d@example.org\n"+
			"TEL;TYPE=CELL:+49 %[1]d\nPHOTO;ENCODING=b;TYPE=PNG:%s\nNOTE:of old\nEND:VCARD\n", i, photo))
	}
	a.Put(c.t, "addressbooks", "group-1.vcf", "BEGIN:VCARD\nVERSION:3.0\nUID:group-1\nN:Friends\nFN:Friends\nX-ADDRESSBOOKSERVER-KIND:group\nX-ADDRESSBOOKSERVER-MEMBER:urn:uuid:card-1\nEND:VCARD\n")
	a.Put(c.t, "calendars", "event-1.ics", "BEGIN:VCALENDAR\nVERSION:2.0\nPRODID:-//x//y//EN\nBEGIN:VEVENT\nUID:event-1\nDTSTAMP:20240101T000000Z\nDTSTART:20310107T090000Z\nDURATION:PT1H\n"+
		"SUMMARY:Meeting\nRRULE:FREQ=WEEKLY;COUNT=5\nLOCATION:Room 1\nDESCRIPTION:about it\nBEGIN:VALARM\nUID:alarm-1\nACTION:DISPLAY\nDESCRIPTION:Meeting\nTRIGGER:-PT5M\nEND:VALARM\nEND:VEVENT\nEND:VCALENDAR\n")
	a.Put(c.t, "calendars", "past.ics", dated("past", "20200107T090000Z", alice, "ACCEPTED"))
	a.Put(c.t, "calendars", "mine.ics", dated("mine", "20310107T090000Z", alice, "ACCEPTED"))
	a.Put(c.t, "calendars", "theirs.ics", dated("theirs", "20310108T090000Z", "carol@example.com", "ACCEPTED"))
	c.Put(alice, slices.Collect(mailgen.Sized(77, 5, 1500))...)
}

// davFiles are what CardDAV and CalDAV give of contacts and events, by uid: the name
// and the value of each line, but those that say nothing: what a server writes about
// its own work, and what it spells out that is so anyhow.
func (c cyrus) davFiles(login string) map[string][]string {
	c.t.Helper()
	own := []string{"PRODID", "DTSTAMP", "REV", "CREATED", "LAST-MODIFIED", "X-JMAP-ID"}
	saysNothing := []string{"NICKNAME ", "ORG ", "TITLE ", "CALSCALE GREGORIAN", "CLASS PUBLIC", "PRIORITY 0", "SEQUENCE 0", "STATUS CONFIRMED", "TRANSP OPAQUE"}
	files := map[string][]string{}
	for _, typ := range []string{"Contact", "ContactGroup", "CalendarEvent"} {
		for uid, o := range c.dav(login).All(c.t, typ) {
			for _, line := range jsschema.Lines([]byte(c.dav(login).Get(c.t, o.Text("x-href")))) {
				text := line.Name + " " + strings.TrimRight(line.Value, ";") // empty components
				if !slices.Contains(own, line.Name) && !slices.Contains(saysNothing, text) {
					files[uid] = append(files[uid], text)
				}
			}
			slices.Sort(files[uid])
		}
	}
	return files
}

// letters are the messages that there are in an account and those about events: in the
// collection that CalDAV has for them (RFC 6638 §2.2), or noted as sent in an event.
func (c cyrus) letters(login string) []string {
	c.t.Helper()
	var list []string
	for _, href := range strings.Split(c.dav(login).List(c.t, "/dav/calendars/user/"+login+"/Inbox/"), "<D:href>") {
		if path, _, ok := strings.Cut(href, "</D:href>"); ok && !strings.HasSuffix(path, "/") {
			list = append(list, path)
		}
	}
	for _, i := range c.Mail(login) {
		list = append(list, i.Subject)
	}
	for uid, o := range c.dav(login).All(c.t, "CalendarEvent") {
		if strings.Contains(c.dav(login).Get(c.t, o.Text("x-href")), "SCHEDULE-STATUS") {
			list = append(list, "written to people about "+uid)
		}
	}
	slices.Sort(list)
	return list
}

// change changes what is expected of one.
func (all things) change(t *testing.T, key string, f func(map[string]any)) {
	t.Helper()
	var o map[string]any
	if err := json.Unmarshal([]byte(all[key]), &o); err != nil {
		t.Fatal(key, err)
	}
	f(o)
	all[key] = string(account.Marshal(o))
}

// All that a real Cyrus has of contacts and calendars arrives on another account of
// one: JMAP's objects and the files of CardDAV and CalDAV are the same. Nobody gets an
// invitation or an answer for it, but those events that would send one lose the people.
func TestAllTypesOfARealCyrusArrive(t *testing.T) {
	t.Parallel()
	from, to := startCyrus(t).(cyrus), startCyrus(t).(cyrus)
	for _, s := range []cyrus{from, to} {
		s.AddUser(alice)
		s.AddUser(bob)
	}
	from.fillTypes()
	archive := exportAccount(t, from, alice, t.TempDir())
	importAccount(t, to, alice, archive)
	mailhaul(t, append(signIn(to.URL(), alice), "verify", "--full", archive, alice)...).expect(t, 0)

	want, wantFiles := stateOf(from, alice), from.davFiles(alice)
	want.things.change(t, "CalendarEvent mine", func(o map[string]any) { o["participants"], o["participantId"] = nil, nil; delete(o, "replyTo") })
	want.things.change(t, "CalendarEvent theirs", func(o map[string]any) {
		me := o["participants"].(map[string]any)[text(o["participantId"])].(map[string]any)
		me["participationStatus"] = "needs-action"
	})
	wantFiles["mine"] = slices.DeleteFunc(wantFiles["mine"], func(line string) bool {
		return strings.HasPrefix(line, "ATTENDEE") || strings.HasPrefix(line, "ORGANIZER")
	})
	if d := cmp.Diff(wantFiles, to.davFiles(alice)); d != "" || len(wantFiles) != 7 {
		t.Errorf("CardDAV and CalDAV of %d objects (- from, + to):\n%s", len(wantFiles), d)
	}
	got := stateOf(to, alice)
	expectState(t, "all types", want, got)
	if got := to.letters(bob); len(got) > 0 {
		t.Errorf("bob got %q", got)
	}
	if d := cmp.Diff(from.letters(alice), to.letters(alice)); d != "" {
		t.Errorf("alice's letters (- from, + to):\n%s", d)
	}
	// The judge would see one.
	to.dav(alice).Create(t, "CalendarEvent", account.Object{"uid": account.Marshal("loud"), "calendarId": account.Marshal("Default"), "title": account.Marshal("Loud"),
		"start": account.Marshal("2031-01-07T09:00:00"), "replyTo": account.Marshal(map[string]any{"imip": "mailto:" + alice}),
		"participants": account.Marshal(map[string]any{"a": map[string]any{"sendTo": map[string]any{"imip": "mailto:" + alice}, "roles": map[string]any{"owner": true}},
			"b": map[string]any{"sendTo": map[string]any{"imip": "mailto:" + bob}, "roles": map[string]any{"attendee": true}}})})
	if got := to.letters(alice); !slices.Contains(got, "written to people about loud") {
		t.Errorf("an event that alice makes invites nobody, nothing was tested: %q", got)
	}
}

// What a real Cyrus has of contacts and calendars arrives on servers of the standards as
// JSContact and JSCalendar that validate. What goes from there to another Cyrus is, over
// CardDAV and CalDAV, what went in; and nobody is written to on the way.
func TestCyrusToTheStandardsAndBack(t *testing.T) {
	t.Parallel()
	from, back := startCyrus(t).(cyrus), startCyrus(t).(cyrus)
	from.AddUser(alice)
	from.fillTypes()
	archive := exportAccount(t, from, alice, t.TempDir())
	want := from.davFiles(alice)
	for _, uid := range []string{"mine", "theirs"} { // the import into Cyrus keeps people out of it
		want[uid] = nil
	}
	for i, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Stalwart016} {
		validate := []func(account.Object) []jsschema.Problem{jscalendar.Validate, jscalendar.ValidateDraft}[i]
		via := startMemoryWith(t, jmaptest.Options{Profile: p})
		via.AddUser(alice)
		importAccount(t, via, alice, archive)
		mailhaul(t, append(signIn(via.URL(), alice), "verify", "--full", archive, alice)...).expect(t, 0)
		for typ, problems := range map[string]func(account.Object) []jsschema.Problem{"ContactCard": jscontact.Validate, "CalendarEvent": validate} {
			objects := via.Objects(alice, typ)
			if len(objects) < 3 {
				t.Errorf("%s: %d × %s", p.Name, len(objects), typ)
			}
			for _, o := range objects {
				object, err := account.ParseObject(account.Marshal(o))
				if err != nil {
					t.Fatal(err)
				}
				if found := problems(object.Without("id", "addressBookIds", "calendarIds", "isDraft", "isOrigin")); len(found) > 0 {
					t.Errorf("%s: %s: %+v", p.Name, object.Encode(), found)
				}
			}
		}
		if sent := via.Sent(alice); len(sent) > 0 {
			t.Errorf("%s: sent %+v", p.Name, sent)
		}
		login := fmt.Sprintf("alice%d@example.org", i)
		back.AddUser(login)
		importAccount(t, back, login, exportAccount(t, via, alice, t.TempDir()))
		got := back.davFiles(login)
		for _, uid := range []string{"mine", "theirs"} {
			got[uid] = nil
		}
		if d := cmp.Diff(want, got); d != "" || len(want) != 7 {
			t.Errorf("CardDAV and CalDAV of %d objects by way of %s (- from, + back):\n%s", len(want), p.Name, d)
		}
	}
}
