package jscalendar_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	js "mailhaul/internal/jsschema"
	"mailhaul/internal/jsschema/jstest"
)

// standup is what Cyrus 3.6.1 answered for the first of events.
const standup = `{"@type":"jsevent","start":"2030-01-07T09:00:00","timeZone":"Europe/Berlin","duration":"PT1H5S","showWithoutTime":false,"uid":"standup",
"relatedTo":{"other":{"@type":"Relation","relation":{"parent":true}}},"prodId":"-//x//y//EN","created":"2025-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z",
"sequence":3,"priority":5,"title":"Stand-up","description":"one\ntwo","descriptionContentType":"text/plain","color":"red","keywords":{"team":true},
"links":{"aa":{"@type":"Link","href":"https://files.example.org/a.txt","contentType":"text/plain"},"bb":{"@type":"Link","href":"www.example.org/x","rel":"describedby"}},
"locale":null,"locations":{"l1":{"@type":"Location","name":"Room 1"},"l2":{"coordinates":"geo:52.500000,13.400000"}},
"virtualLocations":{"v1":{"@type":"VirtualLocation","uri":"https://meet.example.org/1","name":"Chat"}},
"recurrenceRule":{"@type":"RecurrenceRule","frequency":"weekly","interval":1,"rscale":"gregorian","skip":"omit","firstDayOfWeek":"su","byDay":[{"day":"mo"},{"day":"we"}],"count":10},
"status":"tentative","freeBusyStatus":"free","privacy":"private","replyTo":{"imip":"mailto:alice@example.org"},
"participants":{"p1":{"@type":"Participant","sendTo":{"imip":"mailto:alice@example.org"},"name":"Alice","roles":{"attendee":true,"chair":true,"owner":true},"participationStatus":"accepted","expectReply":false,"scheduleSequence":0},
 "p2":{"@type":"Participant","sendTo":{"imip":"mailto:bob@example.org"},"kind":"individual","roles":{"optional":true},"participationStatus":"needs-action","expectReply":true,"memberOf":{"p3":true},"scheduleSequence":0}},
"useDefaultAlerts":false,"alerts":{"al/1@x.org":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","relativeTo":"start","offset":"-P1WT5M"},"action":"display"},
 "al2":{"@type":"Alert","trigger":{"@type":"AbsoluteTrigger","when":"2030-01-07T07:00:00Z"},"action":"display","acknowledged":"2030-01-07T07:01:00Z",
 "relatedTo":{"al/1@x.org":{"@type":"Relation","relation":{"snooze":true}}}}},
"recurrenceOverrides":{"2030-01-10T09:00:00":{},"2030-01-09T09:00:00":{"excluded":true},"2030-01-14T09:00:00":{"created":null,"color":null,"start":"2030-01-14T10:00:00","duration":"PT2H1S",
 "sequence":0,"title":"Late","keywords":null,"locations/l3":{"@type":"Location","name":"Room 2"},"locations/l1":null,"privacy":"public","participants/p2":null,
 "participants/p1/roles/chair":null,"participants/p1/participationStatus":"declined","alerts/al~11@x.org/action":"email"}},
"participantId":"p1","x-href":"/dav/calendars/user/alice/Default/e1.ics","calendarId":"Default","id":"standup","blobId":"I1","method":"publish"}`

func TestAnEventOfCyrusAsTheStandardHasIt(t *testing.T) {
	event, told, err := jscalendar.FromCyrus(parse(t, standup))
	if err != nil {
		t.Fatal(err)
	}
	if problems := jscalendar.Validate(event); problems != nil {
		t.Error(problems)
	}
	want := parse(t, strings.ReplaceAll(`{"@type":"Event","start":"2030-01-07T09:00:00","timeZone":"Europe/Berlin","duration":"PT1H0M5S","showWithoutTime":false,"uid":"standup",
"relatedTo":{"other":{"@type":"Relation","relation":{"parent":true}}},"prodId":"-//x//y//EN","created":"2025-01-01T00:00:00Z","updated":"2026-01-01T00:00:00Z",
"sequence":3,"priority":5,"title":"Stand-up","description":"one\ntwo","descriptionContentType":"text/plain","color":"red","keywords":{"team":true},
"links":{"aa":{"@type":"Link","href":"https://files.example.org/a.txt","contentType":"text/plain"},"bb":{"@type":"Link","href":"https://www.example.org/x","rel":"describedby"}},
"locations":{"l1":{"@type":"Location","name":"Room 1"},"l2":{"@type":"Location","coordinates":"geo:52.500000,13.400000"}},
"virtualLocations":{"v1":{"@type":"VirtualLocation","uri":"https://meet.example.org/1","name":"Chat"}},
"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"weekly","interval":1,"rscale":"gregorian","skip":"omit","firstDayOfWeek":"su","byDay":[{"@type":"NDay","day":"mo"},{"@type":"NDay","day":"we"}],"count":10}],
"status":"tentative","freeBusyStatus":"free","privacy":"private","replyTo":{"imip":"mailto:alice@example.org"},
"participants":{"p1":{"@type":"Participant","sendTo":{"imip":"mailto:alice@example.org"},"name":"Alice","roles":{"attendee":true,"chair":true,"owner":true},"participationStatus":"accepted","expectReply":false,"scheduleSequence":0},
 "p2":{"@type":"Participant","sendTo":{"imip":"mailto:bob@example.org"},"kind":"individual","roles":{"optional":true},"participationStatus":"needs-action","expectReply":true,"memberOf":{"p3":true},"scheduleSequence":0}},
"useDefaultAlerts":false,"alerts":{"ALARM":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","relativeTo":"start","offset":"-P1WT5M"},"action":"display"},
 "al2":{"@type":"Alert","trigger":{"@type":"AbsoluteTrigger","when":"2030-01-07T07:00:00Z"},"action":"display","acknowledged":"2030-01-07T07:01:00Z",
 "relatedTo":{"ALARM":{"@type":"Relation","relation":{"snooze":true}}}}},
"recurrenceOverrides":{"2030-01-10T09:00:00":{},"2030-01-09T09:00:00":{"excluded":true},"2030-01-14T09:00:00":{"created":null,"color":null,"start":"2030-01-14T10:00:00","duration":"PT2H0M1S",
 "sequence":0,"title":"Late","keywords":null,"locations/l3":{"@type":"Location","name":"Room 2"},"locations/l1":null,"participants/p2":null,
 "participants/p1/roles/chair":null,"participants/p1/participationStatus":"declined","alerts/ALARM/action":"email"}},"calendarIds":{"Default":true}}`, "ALARM", alarm))
	if d := cmp.Diff(string(want.Encode()), string(event.Encode())); d != "" {
		t.Error(d)
	}
	lost := []string{"alerts/al2/relatedTo/al~11@x.org", "alerts/al~11@x.org", "links/bb/href", "method",
		"recurrenceOverrides/2030-01-14T09:00:00/alerts~1al~011@x.org~1action", "recurrenceOverrides/2030-01-14T09:00:00/privacy"}
	if d := cmp.Diff(lost, properties(told)); d != "" {
		t.Error(d)
	}
}

func TestWhatCyrusDoesNotKeepIsTold(t *testing.T) {
	for _, tc := range []struct{ with, kept, told string }{
		{`"recurrenceRules":[{"frequency":"daily"},{"frequency":"yearly"}],"excludedRecurrenceRules":[{"frequency":"weekly"}]`,
			`"recurrenceRule":{"@type":"RecurrenceRule","frequency":"daily"}`, "excludedRecurrenceRules recurrenceRules/1"},
		{`"recurrenceRule":{"frequency":"daily","skip":"forward"}`, `"recurrenceRule":{"@type":"RecurrenceRule","frequency":"daily"}`, "recurrenceRule/skip"},
		{`"timeZone":"/Own","timeZones":{"/Own":{"tzId":"Own"}}`, ``, "timeZone timeZones"},
		{`"showWithoutTime":true,"duration":"P1D"`, `"duration":"P1D"`, "showWithoutTime"},
		{`"start":"2030-01-07T00:00:00","showWithoutTime":true,"duration":"P1D"`, `"duration":"P1D","showWithoutTime":true,"start":"2030-01-07T00:00:00"`, ""},
		{`"start":"2030-01-07T09:00:00.5"`, ``, "start"},
		{`"locations":{"l":{"timeZone":"Europe/Paris","locationTypes":{"office":true}}}`, ``, "locations/l locations/l/locationTypes locations/l/timeZone"},
		{`"locations":{"l":{"coordinates":"geo:1,2"}}`, `"locations":{"l":{"@type":"Location","coordinates":"geo:1,2","name":"geo:1,2"}}`, "locations/l/name"},
		{`"participants":{"p":{"email":"a@x.org","roles":{"owner":true},"scheduleAgent":"client"}}`,
			`"participants":{"p":{"@type":"Participant","email":"a@x.org","roles":{"owner":true},"sendTo":{"imip":"mailto:a@x.org"}}},"replyTo":{"imip":"mailto:a@x.org"}`,
			"participants/p/scheduleAgent participants/p/sendTo replyTo"},
		{`"participants":{"p":{"email":"a@x.org","roles":{"attendee":true}}}`, ``, "participants participants/p/sendTo"},
		{`"replyTo":{"imip":"mailto:a@x.org"}`, ``, "replyTo"},
		{`"organizerCalendarAddress":"mailto:a@x.org","participants":{"p":{"calendarAddress":"mailto:b@x.org","roles":{"attendee":true}}}`,
			`"participants":{"p":{"@type":"Participant","roles":{"attendee":true},"sendTo":{"imip":"mailto:b@x.org"}}},"replyTo":{"imip":"mailto:a@x.org"}`, ""},
		{`"descriptionContentType":"text/html","description":"<b>"`, `"description":"<b>"`, "descriptionContentType"},
		{`"calendarIds":{"b":true,"a":true},"isOrigin":true,"isDraft":false`, `"calendarId":"a"`, "calendarIds/b"},
		{`"locations":{"l":{"name":"Room, Town"},"m":{"name":"Gate, Town"}}`,
			`"locations":{"l":{"@type":"Location","name":"Room, Town"},"m":{"@type":"Location","name":"Gate Town"}}`, "locations/m/name"},
		{`"locale":"de"`, ``, "locale"},
		{`"replyTo":{"imip":"mailto:a@x.org"},"participants":{"p":{"sendTo":{"imip":"mailto:a@x.org"},"roles":{"owner":true},"memberOf":{"gone":true},"delegatedTo":{"p":true,"gone":true}}}`,
			`"replyTo":{"imip":"mailto:a@x.org"},"participants":{"p":{"@type":"Participant","sendTo":{"imip":"mailto:a@x.org"},"roles":{"owner":true},"delegatedTo":{"p":true}}}`,
			"participants/p/delegatedTo/gone participants/p/memberOf/gone"},
		{`"locations":{"l":{"name":"x"},"m":{"name":"y"}},"recurrenceOverrides":{"2030-01-08T09:00:00":{"locations/l":null,"locations/m":null},"2030-01-09T09:00:00":{"locations/l":null}}`,
			`"locations":{"l":{"@type":"Location","name":"x"},"m":{"@type":"Location","name":"y"}},"recurrenceOverrides":{"2030-01-08T09:00:00":{"locations":null},"2030-01-09T09:00:00":{"locations/l":null}}`, ""},
		{`"keywords":{"a":true,"b,c":true}`, `"keywords":{"a":true}`, "keywords/b,c"},
		{`"relatedTo":{"u":{"relation":{"child":true,"next":true}}}`, `"relatedTo":{"u":{"@type":"Relation","relation":{"next":true}}}`, "relatedTo/u/relation/child"},
		{`"recurrenceOverrides":{"2030-01-08T09:00:00":{"title":"x","categories":null,"locations":{"l":{"name":"n","locationTypes":{"a":true}}}}}`,
			`"recurrenceOverrides":{"2030-01-08T09:00:00":{"locations":{"l":{"@type":"Location","name":"n"}},"title":"x"}}`,
			"recurrenceOverrides/2030-01-08T09:00:00/categories recurrenceOverrides/2030-01-08T09:00:00/locations/l/locationTypes"},
	} {
		o := parse(t, `{"@type":"Event","uid":"u","start":"2030-01-07T09:00:00"}`)
		for k, v := range parse(t, "{"+tc.with+"}") {
			o[k] = v
		}
		want := parse(t, `{"@type":"jsevent","uid":"u","start":"2030-01-07T09:00:00","showWithoutTime":false}`)
		for k, v := range parse(t, "{"+tc.kept+"}") {
			want[k] = v
		}
		got, told, err := jscalendar.ToCyrus(o)
		if err != nil {
			t.Errorf("%s: %v", tc.with, err)
			continue
		}
		if d := cmp.Diff(string(want.Encode()), string(got.Encode())); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
		if d := cmp.Diff(tc.told, strings.Join(properties(told), " ")); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
	}
	for _, no := range []string{`{"@type":"Task","uid":"u","start":"2030-01-07T09:00:00"}`, `{"@type":"Event","uid":"u"}`, `{"start":"2030-01-07T09:00:00"}`} {
		if o, _, err := jscalendar.ToCyrus(parse(t, no)); err == nil {
			t.Errorf("%s became %s", no, o.Encode())
		}
	}
}

// Nothing is lost without a word, as jscontact's test has it.
func TestNothingIsLostWithoutAWord(t *testing.T) {
	jstest.EachPart(t, parse(t, whole), jscalendar.ToCyrus, "id", "isOrigin", "participants/p/sendTo")
	jstest.EachPart(t, parse(t, standup), jscalendar.FromCyrus, "id", "uid", "blobId", "x-href", "participantId")
}

// differ compares two objects but for what was told and what says nothing.
func differ(t interface{ Fatal(...any) }, want, got account.Object, told ...[]js.Problem) string {
	a, err := js.Decode(want)
	if err != nil {
		t.Fatal(err)
	}
	b, err := js.Decode(got)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range []map[string]any{a, b} {
		for p, v := range m {
			if v == nil {
				delete(m, p)
			}
		}
		for _, problems := range told {
			js.Less(m, problems)
		}
		js.Less(m, nil)
	}
	return cmp.Diff(a, b)
}

// alarm is the id that al/1@x.org gets.
const alarm = "xd6f9b55d5060193b42f02f0e6b9db1b6"
