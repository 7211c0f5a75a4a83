package jscalendar_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	js "mailhaul/internal/jsschema"
)

func parse(t testing.TB, s string) account.Object {
	t.Helper()
	o, err := account.ParseObject([]byte(s))
	if err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return o
}

func properties(problems []js.Problem) []string {
	var all []string
	for _, p := range problems {
		all = append(all, p.Property)
	}
	slices.Sort(all)
	return all
}

// whole has every property of the RFC's tables.
const whole = `{"@type":"Event","uid":"u","id":"e1","calendarIds":{"c":true},"isDraft":false,"isOrigin":true,
"relatedTo":{"other":{"@type":"Relation","relation":{"parent":true,"example.com:x":true}}},"prodId":"p","created":"2020-01-02T03:04:05Z",
"updated":"2020-01-02T03:04:05.5Z","sequence":3,"title":"T","description":"<b>D</b>","descriptionContentType":"text/html",
"locations":{"l":{"@type":"Location","name":"Room","description":"d","locationTypes":{"office":true},"relativeTo":"end","timeZone":"America/New_York",
 "coordinates":"geo:48.2,16.37","links":{"k":{"@type":"Link","href":"https://example.org/m.png"}}}},
"virtualLocations":{"v":{"@type":"VirtualLocation","name":"V","description":"d","uri":"https://meet.example.org/1","features":{"video":true}}},
"links":{"k":{"@type":"Link","href":"cid:a@b","cid":"a@b","contentType":"image/png; q=1","size":5,"rel":"icon","display":"badge","title":"t"},"b":{"@type":"Link","blobId":"B"}},
"locale":"de","keywords":{"team":true},"categories":{"https://example.org/c":true},"color":"#ff0000",
"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"monthly","interval":2,"rscale":"gregorian","skip":"backward","firstDayOfWeek":"su",
  "byDay":[{"@type":"NDay","day":"mo","nthOfPeriod":-1}],"byMonthDay":[-1,31],"byMonth":["5","6L"],"byYearDay":[-366],"byWeekNo":[53],
  "byHour":[0,23],"byMinute":[59],"bySecond":[60],"bySetPosition":[-1],"count":10},
 {"@type":"RecurrenceRule","frequency":"yearly","until":"2040-01-01T00:00:00"}],
"excludedRecurrenceRules":[{"@type":"RecurrenceRule","frequency":"yearly","interval":4}],
"recurrenceOverrides":{"2030-02-07T09:00:00":{"title":"Late","start":"2030-02-07T10:00:00","participants/p/participationStatus":"declined","locations/l":null,
  "alerts/a/trigger/offset":"-PT5M","keywords/team":null,"keywords/extra":true,"example.com:x":1},"2030-03-07T09:00:00":{"excluded":true},"2030-04-01T09:00:00":{}},
"priority":9,"freeBusyStatus":"free","privacy":"secret","replyTo":{"imip":"mailto:a@example.org","web":"https://example.org/r"},"sentBy":"s@example.org",
"participants":{"p":{"@type":"Participant","name":"A","email":"a@example.org","description":"d","sendTo":{"imip":"mailto:a@example.org"},"kind":"individual",
 "roles":{"owner":true,"attendee":true,"chair":true},"locationId":"l","language":"de","participationStatus":"delegated","participationComment":"c","expectReply":true,
 "scheduleAgent":"client","scheduleForceSend":true,"scheduleSequence":1,"scheduleStatus":["2.0"],"scheduleUpdated":"2020-01-01T00:00:00Z","sentBy":"x@example.org",
 "invitedBy":"q","delegatedTo":{"q":true},"delegatedFrom":{"q":true},"memberOf":{"q":true},"links":{"k":{"@type":"Link","href":"https://example.org/p.png"}}},
 "q":{"@type":"Participant","name":"B","email":"b@example.org","roles":{"contact":true}}},
"requestStatus":"2.0;Success","useDefaultAlerts":true,
"alerts":{"a":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","offset":"-P1DT1H","relativeTo":"end"},"action":"email","acknowledged":"2020-01-01T00:00:00Z",
 "relatedTo":{"b":{"@type":"Relation","relation":{"snooze":true}}}},"b":{"@type":"Alert","trigger":{"@type":"AbsoluteTrigger","when":"2030-01-01T00:00:00Z"}}},
"localizations":{"de":{"title":"Titel","locations/l/name":"Zimmer"}},
"timeZone":"/Own","timeZones":{"/Own":{"@type":"TimeZone","tzId":"Own","aliases":{"x":true},"standard":[{"@type":"TimeZoneRule","start":"1970-01-01T00:00:00",
 "offsetFrom":"+03:30","offsetTo":"+03:30:15","names":{"O":true},"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"yearly"}],"comments":["c"]}]}},
"start":"2030-01-07T09:00:00","duration":"P1W2DT3H0M5.5S","status":"tentative","example.com:x":{"a":1}}`

func TestAnEventWithEveryPropertyValidates(t *testing.T) {
	if problems := jscalendar.Validate(parse(t, whole)); problems != nil {
		t.Error(problems)
	}
	// As Stalwart 0.15.5 answers: no @type inside, no updated, roles left out.
	const draft = `{"recurrenceRule":{"frequency":"weekly","count":10,"byDay":[{"day":"mo"}]},"uid":"u","participants":{
		"p1":{"calendarAddress":"mailto:a@example.org","@type":"Participant","roles":{"owner":true}},"p2":{"calendarAddress":"mailto:b@example.org","@type":"Participant"}},
		"organizerCalendarAddress":"mailto:a@example.org","start":"2030-01-07T09:00:00","timeZone":"Europe/Berlin","@type":"Event","id":"b","calendarIds":{"b":true},"isDraft":false,"isOrigin":true}`
	if problems := jscalendar.ValidateDraft(parse(t, draft)); problems != nil {
		t.Error(problems)
	}
	if problems := jscalendar.Validate(parse(t, draft)); problems == nil {
		t.Error("what RFC 8984 does not know validates by it")
	}
}

func TestWhatIsWrongWithAnEventIsFound(t *testing.T) {
	for _, tc := range []struct{ with, at string }{
		{`"start":"2030-01-07"`, "start "},
		{`"start":"2030-01-07T09:00:00Z"`, "start "},
		{`"start":null`, "start "},
		{`"updated":"2020-01-01T00:00:00"`, "updated "},
		{`"@type":"jsevent"`, "@type"},
		{`"duration":"-PT1H"`, "duration"},
		{`"duration":"PT1H5S"`, "duration"},
		{`"duration":"P"`, "duration"},
		{`"duration":"P1Y"`, "duration"},
		{`"sequence":-1`, "sequence"},
		{`"priority":10`, "priority"},
		{`"priority":"high"`, "priority"},
		{`"title":null`, "title"},
		{`"isAllDay":true`, "isAllDay"},
		{`"showWithoutTime":"yes"`, "showWithoutTime"},
		{`"status":"done"`, "status"},
		{`"timeZone":"Own Zone"`, "timeZone"},
		{`"timeZone":"/Own"`, "timeZone"},
		{`"keywords":{"":true}`, "keywords/"},
		{`"locations":{"l":{"name":"x"}}`, "locations/l/@type"},
		{`"locations":{"l":{"@type":"Location","coordinates":"1,2"}}`, "locations/l/coordinates"},
		{`"links":{"l":{"@type":"Link","href":"relative/path"}}`, "links/l links/l/href"},
		{`"links":{"l":{"@type":"Link"}}`, "links/l"},
		{`"virtualLocations":{"v":{"@type":"VirtualLocation","name":"x"}}`, "virtualLocations/v"},
		{`"recurrenceRule":{"@type":"RecurrenceRule","frequency":"daily"}`, "recurrenceRule"},
		{`"recurrenceRules":{"@type":"RecurrenceRule","frequency":"daily"}`, "recurrenceRules"},
		{`"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"DAILY"}]`, "recurrenceRules/0 recurrenceRules/0/frequency"},
		{`"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"daily","count":1,"until":"2030-01-01T00:00:00"}]`, "recurrenceRules/0/count"},
		{`"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"daily","byMonth":[5],"byDay":[{"@type":"NDay","day":"mo","nthOfPeriod":0}]}]`,
			"recurrenceRules/0/byDay/0/nthOfPeriod recurrenceRules/0/byMonth/0"},
		{`"participants":{"p":{"@type":"Participant"}}`, "participants/p"},
		{`"participants":{"p":{"@type":"Participant","roles":{}}}`, "participants/p participants/p/roles"},
		{`"participants":{"p":{"@type":"Participant","roles":{"boss":true}}}`, "participants/p participants/p/roles participants/p/roles/boss"},
		{`"replyTo":{"imip":"a@example.org"}`, "replyTo replyTo/imip"},
		{`"alerts":{"a@b":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","offset":"PT0S"}}}`, "alerts/a@b"},
		{`"alerts":{"a":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","when":"2030-01-01T00:00:00Z"}}}`, "alerts/a alerts/a/trigger alerts/a/trigger/when"},
		{`"recurrenceOverrides":{"2030-01-07":{}}`, "recurrenceOverrides/2030-01-07"},
		{`"recurrenceOverrides":{"2030-01-07T09:00:00":{"uid":"x"}}`, "recurrenceOverrides/2030-01-07T09:00:00/uid"},
		{`"recurrenceOverrides":{"2030-01-07T09:00:00":{"privacy":"private"}}`, "recurrenceOverrides/2030-01-07T09:00:00/privacy"},
		{`"recurrenceOverrides":{"2030-01-07T09:00:00":{"start":null}}`, "recurrenceOverrides/2030-01-07T09:00:00/start"},
		{`"recurrenceOverrides":{"2030-01-07T09:00:00":{"alerts/a/action":"email"}}`, "recurrenceOverrides/2030-01-07T09:00:00/alerts~1a~1action"},
		{`"recurrenceOverrides":{"2030-01-07T09:00:00":{"title":1}}`, "recurrenceOverrides/2030-01-07T09:00:00/title"},
		{`"recurrenceRules":[{"@type":"RecurrenceRule","frequency":"daily"}],"recurrenceOverrides":{"2030-01-07T09:00:00":{"recurrenceRules/0/count":1}}`,
			"recurrenceOverrides/2030-01-07T09:00:00/recurrenceRules~10~1count"},
	} {
		o := parse(t, `{"@type":"Event","uid":"u","updated":"2020-01-01T00:00:00Z","start":"2030-01-07T09:00:00"}`)
		for k, v := range parse(t, "{"+tc.with+"}") {
			o[k] = v
		}
		want := strings.Split(tc.at, " ")
		slices.Sort(want)
		if d := cmp.Diff(want, properties(jscalendar.Validate(o))); d != "" {
			t.Errorf("%s: %s", tc.with, d)
		}
	}
	if problems := jscalendar.Validate(parse(t, `{"@type":"Event","start":"2030-01-07T09:00:00","uid":"u"}`)); len(problems) != 1 {
		t.Errorf("without updated: %v", problems)
	}
}
