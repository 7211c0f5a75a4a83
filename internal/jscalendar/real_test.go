package jscalendar_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	js "mailhaul/internal/jsschema"
	"mailhaul/internal/jsschema/jstest"
)

// TestWhatCyrusAnswers puts events into a real Cyrus over CalDAV, reads them
// over JMAP, and gives them back, converted there and back, to another account.
func TestWhatCyrusAnswers(t *testing.T) {
	a, b := jstest.Start(t)
	for _, text := range strings.SplitAfter(events, "END:VCALENDAR\n") {
		if _, uid, ok := strings.Cut(text, "UID:"); ok {
			name, _, _ := strings.Cut(uid, "\n")
			a.Put(t, "calendars", name+".ics", text)
		}
	}
	all := a.All(t, "CalendarEvent")
	if len(all) != 5 {
		t.Errorf("Cyrus has %d events of what was put in", len(all))
	}
	lost := map[string][]js.Problem{}
	for uid, mine := range all {
		event, told, err := jscalendar.FromCyrus(mine)
		if err != nil {
			t.Fatal(err)
		}
		if problems := jscalendar.Validate(event); problems != nil {
			t.Errorf("%s: %v", uid, problems)
		}
		draft, _, err := jscalendar.ToDraft(event)
		if err != nil {
			t.Fatal(err)
		}
		if problems := jscalendar.ValidateDraft(draft); problems != nil {
			t.Errorf("%s by the draft: %v", uid, problems)
		}
		if d := cmp.Diff(lostOf[uid], strings.Join(properties(told), " ")); d != "" {
			t.Errorf("%s, told as lost: %s", uid, d)
		}
		back, more, err := jscalendar.ToCyrus(event)
		if err != nil {
			t.Fatal(err)
		}
		quiet, evenMore := jscalendar.Quiet(back, []string{"mailto:bob@internal.invalid"}, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
		lost[uid] = append(append(told, more...), evenMore...)
		b.Create(t, "CalendarEvent", quiet)
	}
	for uid, got := range b.All(t, "CalendarEvent") {
		ignore := []string{"id", "blobId", "x-href", "participantId"}
		if !all[uid].Has("created") {
			ignore = append(ignore, "created") // which Cyrus adds
		}
		if uid == "alarms" {
			lost[uid] = append(lost[uid], js.Problem{Property: "alerts/" + alarm}, js.Problem{Property: "alerts/al2/relatedTo/" + alarm})
		}
		if d := differ(t, all[uid].Without(ignore...), got.Without(ignore...), lost[uid]); d != "" {
			t.Errorf("%s came back otherwise: %s", uid, d)
		}
		if text := b.Get(t, got.Text("x-href")); strings.Contains(text, "SCHEDULE-STATUS") {
			t.Errorf("Cyrus wrote to somebody about %s: %s", uid, text)
		}
	}
}

// Cyrus invites the participants of an event that it is given over JMAP: what
// Quiet is for. When this fails, Cyrus has learnt to keep quiet.
func TestCyrusInvitesUnlessItIsKeptFromIt(t *testing.T) {
	a, _ := jstest.Start(t)
	const mine = `{"@type":"jsevent","calendarId":"Default","uid":"UID","title":"T","start":"2030-01-07T09:00:00","replyTo":{"imip":"mailto:alice@internal.invalid"},
		"participants":{"o":{"sendTo":{"imip":"mailto:alice@internal.invalid"},"roles":{"owner":true}},"p":{"sendTo":{"imip":"mailto:x@elsewhere.example"},"roles":{"attendee":true}}}}`
	const theirs = `{"@type":"jsevent","calendarId":"Default","uid":"UID","title":"T","start":"2030-01-07T09:00:00","replyTo":{"imip":"mailto:bob@internal.invalid"},
		"participants":{"o":{"sendTo":{"imip":"mailto:bob@internal.invalid"},"roles":{"owner":true}},"p":{"sendTo":{"imip":"mailto:alice@internal.invalid"},"roles":{"attendee":true},"participationStatus":"accepted"}}}`
	own := []string{"mailto:Alice@internal.invalid"}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for uid, text := range map[string]string{"mine": mine, "theirs": theirs} {
		event := parse(t, strings.Replace(text, "UID", uid, 1))
		a.Create(t, "CalendarEvent", event)
		event.Put("uid", uid+"-quiet")
		quiet, told := jscalendar.Quiet(event, own, now)
		if len(told) == 0 {
			t.Errorf("nothing was told of what keeps %s quiet", uid)
		}
		a.Create(t, "CalendarEvent", quiet)
		past := event.Without()
		past.Put("uid", uid+"-past")
		past.Put("start", "2020-01-07T09:00:00")
		if same, told := jscalendar.Quiet(past, own, now); told != nil || !same.Equal(past) {
			t.Errorf("an event that is over lost %v", told)
		}
		a.Create(t, "CalendarEvent", past)
	}
	for uid, o := range a.All(t, "CalendarEvent") {
		wrote := strings.Contains(a.Get(t, o.Text("x-href")), "SCHEDULE-STATUS")
		if want := uid == "mine" || uid == "theirs"; wrote != want {
			t.Errorf("Cyrus wrote to somebody about %s: %v, want %v", uid, wrote, want)
		}
	}
}

// Whatever event there is, what it becomes for Cyrus is taken by a real one, and
// kept as it was sent.
func TestCyrusTakesEveryEvent(t *testing.T) {
	a, _ := jstest.Start(t)
	sources := []map[string]any{}
	cyrus, _, err := jscalendar.FromCyrus(parse(t, standup))
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := jscalendar.FromCyrus(parse(t, `{"uid":"u","start":"2030-01-07T00:00:00",`+spare[1:]))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range []account.Object{parse(t, whole), cyrus, other} {
		m, err := js.Decode(o)
		if err != nil {
			t.Fatal(err)
		}
		sources = append(sources, m)
	}
	events := rapid.Custom(func(t *rapid.T) map[string]any {
		m := map[string]any{}
		for _, p := range slices.Sorted(maps.Keys(sources[0])) {
			from := sources[rapid.IntRange(0, 3).Draw(t, p)%3]
			if v, has := from[p]; has && (rapid.Bool().Draw(t, "has "+p) || p == "start" || p == "updated") {
				m[p] = js.Clone(v)
			}
		}
		m["calendarIds"] = map[string]any{"Default": true}
		return m
	})
	sent := map[string]account.Object{}
	for i := range 80 {
		o := js.Encode(events.Example(i))
		o.Put("uid", fmt.Sprintf("u%d", i))
		event, _, err := jscalendar.ToCyrus(o)
		if err != nil {
			t.Fatal(err)
		}
		sent[event.Text("uid")] = event
	}
	for uid, why := range a.CreateAll(t, "CalendarEvent", sent) {
		t.Errorf("Cyrus refuses %s: %s", sent[uid].Encode(), why)
	}
	for uid, got := range a.All(t, "CalendarEvent") {
		if d := differ(t, saying(t, sent[uid]), saying(t, got)); d != "" {
			t.Errorf("%s is kept otherwise: %s", sent[uid].Encode(), d)
		}
	}
}

// saying is an event with what Cyrus answers for what was not sent, in one writing.
func saying(t *testing.T, o account.Object) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	defaults := func(m map[string]any, with string) {
		for p, v := range parse(t, with) {
			var value any
			if err := json.Unmarshal(v, &value); err != nil {
				t.Fatal(err)
			}
			if m[p] == nil {
				m[p] = value
			}
		}
	}
	for _, p := range []string{"id", "blobId", "x-href", "participantId", "created", "prodId"} {
		delete(m, p)
	}
	defaults(m, `{"descriptionContentType":"text/plain","sequence":"0","priority":"0","freeBusyStatus":"busy","useDefaultAlerts":false,"title":"",
		"description":"","privacy":"public","status":"confirmed","duration":"PT0S"}`)
	m["sequence"], m["priority"] = fmt.Sprint(m["sequence"]), fmt.Sprint(m["priority"])
	participants, _ := m["participants"].(map[string]any)
	for id, p := range participants {
		p := p.(map[string]any)
		defaults(p, `{"participationStatus":"needs-action","expectReply":false,"scheduleSequence":"0"}`)
		if p["scheduleSequence"] = fmt.Sprint(p["scheduleSequence"]); len(id) == 40 {
			delete(participants, id) // whom Cyrus adds for replyTo
		}
	}
	alerts, _ := m["alerts"].(map[string]any)
	for _, a := range alerts {
		defaults(a.(map[string]any), `{"action":"display"}`)
	}
	if r, ok := m["recurrenceRule"].(map[string]any); ok {
		defaults(r, `{"skip":"omit"}`)
		days, _ := r["byDay"].([]any)
		for _, d := range days {
			delete(d.(map[string]any), "@type")
		}
	}
	overrides, _ := m["recurrenceOverrides"].(map[string]any)
	for _, o := range overrides {
		for p := range o.(map[string]any) {
			if p != "excluded" && p != "title" && p != "start" {
				delete(o.(map[string]any), p) // which Cyrus writes anew against the event
			}
		}
	}
	rewritten := strings.NewReplacer("P1W2DT3H0M5S", "P9DT3H5S", "PT1H0M5S", "PT1H5S") // the same durations
	return parse(t, rewritten.Replace(string(js.Encode(m).Encode())))
}

// What Stalwart answered is an event of the draft, and goes to Cyrus whole.
func TestEventsOfStalwart(t *testing.T) {
	a, _ := jstest.Start(t)
	for _, version := range []string{"0.15.5", "0.16.18"} {
		for _, event := range jstest.Load(t, "testdata/stalwart-"+version+".json") {
			if problems := jscalendar.ValidateDraft(event); problems != nil {
				t.Errorf("%s of %s: %v", event.Text("uid"), version, problems)
			}
			rfc, err := jscalendar.FromDraft(event)
			if err != nil {
				t.Fatal(err)
			}
			if again, told, err := jscalendar.ToDraft(rfc); err != nil || told != nil || len(again) != len(event) {
				t.Errorf("%s of %s became %s: %v %v", event.Encode(), version, again.Encode(), told, err)
			}
			event.Put("calendarIds", map[string]bool{"Default": true})
			event.Put("uid", version+event.Text("uid"))
			cyrus, told, err := jscalendar.ToCyrus(event)
			if err != nil || told != nil && version == "0.15.5" {
				t.Errorf("%s: %v %v", event.Encode(), told, err)
			}
			a.Create(t, "CalendarEvent", cyrus)
		}
	}
	if all := a.All(t, "CalendarEvent"); len(all) != 4 {
		t.Errorf("Cyrus has %d events", len(all))
	}
}

// What Cyrus shows of an event is not all of it: what it leaves out is told by
// its iCalendar object, which Cyrus hands out.
func TestWhatCyrusDoesNotShowIsTold(t *testing.T) {
	a, _ := jstest.Start(t)
	a.Put(t, "calendars", "odd.ics", odd)
	event := a.All(t, "CalendarEvent")["odd"]
	if !event.Has("start") || event.Has("timeZone") {
		t.Errorf("Cyrus names the zone of %s", event.Encode())
	}
	blob := a.Call(t, "CalendarEvent/get", map[string]any{"ids": []string{"odd"}, "properties": []string{"blobId"}})
	_, id, _ := strings.Cut(string(blob["list"]), `"blobId":"`)
	id, _, _ = strings.Cut(id, `"`)
	text := a.Get(t, "/jmap/download/alice/"+id+"/x.ics?accept=text/calendar")
	want := []string{"iCalendar/ATTACH", "iCalendar/COMMENT", "iCalendar/DURATION", "iCalendar/EXRULE", "iCalendar/REPEAT", "iCalendar/RRULE", "iCalendar/X-FOO", "timeZone"}
	if d := cmp.Diff(want, properties(jscalendar.Unshown(event, []byte(text)))); d != "" {
		t.Error(d, text)
	}
	for _, shown := range []string{"aGVsbG8", "COMMENT", "hourly", "bar", "3600"} {
		if strings.Contains(string(event.Encode()), shown) {
			t.Errorf("Cyrus shows %s: %s", shown, event.Encode())
		}
	}
}
