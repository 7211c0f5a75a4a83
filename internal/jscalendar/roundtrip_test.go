package jscalendar_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
	js "mailhaul/internal/jsschema"
)

// spare are properties as Cyrus answers them, in other shapes than standup's.
const spare = `{"timeZone":"Etc/UTC","duration":"P1DT2H","showWithoutTime":false,"relatedTo":{"a b/c":{"@type":"Relation","relation":{}}},"title":"a;b,c\\d\ne",
"description":"","keywords":{"a b":true},"locations":{"l1":{"@type":"Location","name":"R","relativeTo":"end","timeZone":"America/New_York"}},
"recurrenceRule":{"@type":"RecurrenceRule","frequency":"yearly","interval":2,"rscale":"hebrew","skip":"forward","firstDayOfWeek":"mo","byMonth":["5L"],"byDay":[{"day":"mo","nthOfPeriod":-1}],"until":"2040-05-01T23:59:59"},
"status":"cancelled","privacy":"secret","alerts":{"a":{"@type":"Alert","trigger":{"@type":"OffsetTrigger","relativeTo":"end","offset":"PT0S"},"action":"email"}},
"recurrenceOverrides":{"2030-05-02T10:00:00":{"keywords":{"late":true},"title":"o"},"2030-05-03T10:00:00":{"excluded":true}},"useDefaultAlerts":true,"locale":"de",
"color":"#00ff00","links":{"k":{"@type":"Link","href":"https://k.example","cid":"c@x","contentType":"a/b","size":5,"rel":"icon","display":"badge","title":"kt"}}}`

// An event of Cyrus becomes one that validates, by either dialect, and becomes
// itself again but for what was told on the way.
func TestAnEventComesBackAsItWas(t *testing.T) {
	sources := []map[string]any{}
	rewritten := strings.NewReplacer("PT1H5S", "PT1H0M5S", "PT2H1S", "PT2H0M1S") // the same durations
	for _, s := range []string{rewritten.Replace(standup), spare} {
		m, err := js.Decode(parse(t, s))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range []string{"id", "blobId", "x-href", "participantId"} {
			delete(m, p)
		}
		sources = append(sources, m)
	}
	rapid.Check(t, func(t *rapid.T) {
		m := map[string]any{}
		for _, from := range sources {
			for _, p := range slices.Sorted(maps.Keys(from)) {
				needed := slices.Contains([]string{"@type", "uid", "start", "updated", "calendarId"}, p)
				if needed && m[p] == nil || !needed && rapid.Bool().Draw(t, p) {
					m[p] = js.Clone(from[p])
				}
			}
		}
		if m["showWithoutTime"] == nil {
			m["showWithoutTime"] = false
		}
		if m["title"] == nil {
			delete(m, "locale") // which Cyrus has with the title
		}
		if m["timeZone"] == nil {
			delete(m, "locations") // which Cyrus answers with zones only if the event has one
		}
		if m["replyTo"] == nil {
			delete(m, "participants")
		} else if m["participants"] == nil {
			delete(m, "replyTo")
		}
		for n := range rapid.IntRange(0, 3).Draw(t, "keywords") {
			keyword := rapid.StringMatching(`[a-zé/~ ]{0,5}`).Draw(t, fmt.Sprint(n))
			k, _ := m["keywords"].(map[string]any)
			if k != nil && keyword != "" {
				k[keyword] = true
			}
		}
		contact := js.Encode(m)
		event, told, err := jscalendar.FromCyrus(contact)
		if err != nil {
			t.Fatal(err)
		}
		if problems := jscalendar.Validate(event); problems != nil {
			t.Fatal(problems)
		}
		draft, none, err := jscalendar.ToDraft(event)
		if err != nil || none != nil {
			t.Fatal(err, none)
		}
		if problems := jscalendar.ValidateDraft(draft); problems != nil {
			t.Fatal(problems)
		}
		undone, err := jscalendar.FromDraft(draft)
		if err != nil || !undone.Equal(event) {
			t.Fatalf("%v: %s became %s and then %s", err, event.Encode(), draft.Encode(), undone.Encode())
		}
		back, more, err := jscalendar.ToCyrus(draft)
		if err != nil {
			t.Fatal(err)
		}
		told = append(told, more...)
		// What was renamed has no place to be told by in what came back.
		told = append(told, js.Problem{Property: "alerts/" + alarm}, js.Problem{Property: "alerts/al2/relatedTo/" + alarm},
			js.Problem{Property: "recurrenceOverrides/2030-01-14T09:00:00/alerts~1" + alarm + "~1action"})
		if d := differ(t, untyped(t, contact), untyped(t, back), told); d != "" {
			t.Fatalf("%s\nbecame %s\nand %s\nbut for %v:\n%s", contact.Encode(), event.Encode(), back.Encode(), told, d)
		}
	})
}

func TestTheDraftsWordsForTheSame(t *testing.T) {
	const event = `{"@type":"Event","recurrenceRules":[{"frequency":"daily"},{"frequency":"weekly"}],"excludedRecurrenceRules":[{"frequency":"yearly"}],
		"replyTo":{"imip":"mailto:a@x.org","web":"https://x.org"},"participants":{"p":{"sendTo":{"imip":"mailto:b@x.org"}},"q":{"sendTo":{"other":"urn:x:y"}}},
		"recurrenceOverrides":{"2030-01-01T00:00:00":{"participants/r":{"sendTo":{"imip":"mailto:r@x.org"}},"participants/p/sendTo/imip":"mailto:c@x.org"}}}`
	const draft = `{"@type":"Event","recurrenceRule":{"frequency":"daily"},"organizerCalendarAddress":"mailto:a@x.org",
		"participants":{"p":{"calendarAddress":"mailto:b@x.org"},"q":{"calendarAddress":"urn:x:y"}},
		"recurrenceOverrides":{"2030-01-01T00:00:00":{"participants/r":{"calendarAddress":"mailto:r@x.org"}}}}`
	got, told, err := jscalendar.ToDraft(parse(t, event))
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(parse(t, draft).Encode()), string(got.Encode())); d != "" {
		t.Error(d)
	}
	want := []string{"excludedRecurrenceRules", "recurrenceOverrides/2030-01-01T00:00:00/participants~1p~1sendTo~1imip", "recurrenceRules/1", "replyTo/web"}
	if d := cmp.Diff(want, properties(told)); d != "" {
		t.Error(d)
	}
	// A server that refuses recurrenceRules speaks the draft.
	rest, told, ok := jscalendar.Without(parse(t, event), "recurrenceRules")
	if !ok || !rest.Equal(got) || len(told) != 4 {
		t.Errorf("%v %s %v", ok, rest.Encode(), told)
	}
	// One that refuses even that gets it without.
	rest, told, ok = jscalendar.Without(rest, "recurrenceRule")
	if !ok || rest.Has("recurrenceRule") || len(told) != 1 || !rest.Has("participants") {
		t.Errorf("%v %s %v", ok, rest.Encode(), told)
	}
	rest, told, ok = jscalendar.Without(parse(t, `{"uid":"u","locations":{"l":{"name":"x","timeZone":"y"}}}`), "locations/l/timeZone")
	if !ok || string(rest.Encode()) != `{"locations":{"l":{"name":"x"}},"uid":"u"}` || told[0].Property != "locations/l/timeZone" {
		t.Errorf("%v %s %v", ok, rest.Encode(), told)
	}
	for _, refused := range []string{"uid", "start", "nothing", ""} {
		if rest, _, ok := jscalendar.Without(parse(t, event), refused); ok {
			t.Errorf("refused for its %q, the event became %s", refused, rest.Encode())
		}
	}
}

func TestCalendars(t *testing.T) {
	const cyrus = `{"id":"Default","x-href":"/dav/calendars/user/alice/Default","name":"Work","color":"#ff0000","sortOrder":3,"isVisible":false,"isSubscribed":true,
		"mayReadFreeBusy":true,"mayAdmin":true,"shareWith":{"bob":{"mayReadItems":true}},"scheduleAddressSet":["mailto:a@x.org"]}`
	const standard = `{"name":"Work","color":"#ff0000","sortOrder":3,"isVisible":false,"isSubscribed":true}`
	got, told, err := jscalendar.CalendarFromCyrus(parse(t, cyrus))
	if err != nil || !got.Equal(parse(t, standard)) || strings.Join(properties(told), " ") != "shareWith" {
		t.Errorf("%v %s %v", err, got.Encode(), told)
	}
	got, told, err = jscalendar.CalendarToCyrus(parse(t, strings.Replace(standard, "}", `,"id":"c","description":"d","timeZone":"Europe/Berlin","isDefault":true,"myRights":{}}`, 1)))
	if err != nil || !got.Equal(parse(t, standard)) || strings.Join(properties(told), " ") != "description timeZone" {
		t.Errorf("%v %s %v", err, got.Encode(), told)
	}
}

// untyped is an object without the @type of what is inside it, which Cyrus leaves
// out here and there.
func untyped(t *rapid.T, o account.Object) account.Object {
	m, err := js.Decode(o)
	if err != nil {
		t.Fatal(err)
	}
	var strip func(any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for _, e := range v {
				strip(e)
			}
			delete(v, "@type")
		case []any:
			for _, e := range v {
				strip(e)
			}
		}
	}
	strip(m)
	return js.Encode(m)
}

func TestAttachmentsTravelAsTheTargetTakesThem(t *testing.T) {
	const event = `{"@type":"Event","uid":"u","updated":"2020-01-01T00:00:00Z","start":"2030-01-07T09:00:00","links":{"a":{"@type":"Link","blobId":"A","contentType":"text/plain"},
		"x":{"@type":"Link","href":"https://example.org"}},"locations":{"l":{"@type":"Location","links":{"b":{"@type":"Link","blobId":"B"}}}},
		"recurrenceOverrides":{"2030-01-08T09:00:00":{"links/c":{"@type":"Link","blobId":"C"}},"2030-01-09T09:00:00":{"links":{"d":{"@type":"Link","blobId":"A"}},"title":"links/"}}}`
	if d := cmp.Diff([]string{"A", "B", "C"}, jscalendar.Blobs(parse(t, event))); d != "" {
		t.Error(d)
	}
	moved := jscalendar.WithBlobs(parse(t, event), map[string]string{"A": "A2", "C": "C2"})
	if d := cmp.Diff([]string{"A2", "B", "C2"}, jscalendar.Blobs(moved)); d != "" {
		t.Error(d)
	}
	inline := jscalendar.Inline(parse(t, event), func(id string) ([]byte, bool) { return []byte(id), id != "B" })
	if d := cmp.Diff([]string{"B"}, jscalendar.Blobs(inline)); d != "" {
		t.Error(d)
	}
	if n := strings.Count(string(inline.Encode()), `"data:text/plain;base64,QQ=="`); n != 1 {
		t.Errorf("%d attachments have their type: %s", n, inline.Encode())
	}
	if problems := jscalendar.Validate(inline); problems != nil {
		t.Error(problems)
	}
}
