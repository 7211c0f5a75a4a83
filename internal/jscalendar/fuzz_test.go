package jscalendar_test

import (
	"testing"
	"time"

	"mailhaul/account"
	"mailhaul/internal/jscalendar"
)

// Whatever a server answers for an event: it becomes what validates, or is refused
// with an error.
func FuzzConversions(f *testing.F) {
	for _, seed := range []string{whole, standup, spare, `{}`, `null`, `{"uid":"u","start":"2030-01-07T09:00:00","recurrenceRule":1,"alerts":{"a":null}}`,
		`{"uid":"u","start":"2030-01-07T09:00:00","recurrenceOverrides":{"2030-01-07T09:00:00":{"alerts/a@b/c":1,"":2,"alerts/a@b":null,"/":1}}}`,
		`{"uid":"u","start":"2030-01-07T09:00:00","participants":{"a@b":{"sendTo":{"imip":"x:y"},"roles":{"owner":true},"invitedBy":"a@b"}}}`} {
		f.Add([]byte(seed))
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, data []byte) {
		o, err := account.ParseObject(data)
		if err != nil {
			return
		}
		before := string(o.Encode())
		jscalendar.Validate(o)
		jscalendar.ValidateDraft(o)
		if event, _, err := jscalendar.FromCyrus(o); err == nil {
			if problems := jscalendar.Validate(event); problems != nil {
				t.Errorf("%s: %v", event.Encode(), problems)
			}
			if draft, _, err := jscalendar.ToDraft(event); err != nil {
				t.Error(err)
			} else if problems := jscalendar.ValidateDraft(draft); problems != nil {
				t.Errorf("%s: %v", draft.Encode(), problems)
			}
		}
		if event, _, err := jscalendar.ToCyrus(o); err == nil {
			if again, _, err := jscalendar.FromCyrus(event); err != nil {
				t.Errorf("%s became %s, of which Cyrus could not be told: %v", before, event.Encode(), err)
			} else if problems := jscalendar.Validate(again); problems != nil {
				t.Errorf("%s: %v", again.Encode(), problems)
			}
		}
		jscalendar.FromDraft(o)
		jscalendar.Quiet(o, []string{"mailto:a@example.org", "mailto:alice@example.org"}, now)
		jscalendar.CalendarFromCyrus(o)
		for p := range o {
			jscalendar.Without(o, p)
		}
		if string(o.Encode()) != before {
			t.Errorf("%s was changed to %s", before, o.Encode())
		}
	})
}

func FuzzUnshown(f *testing.F) {
	for _, seed := range []string{odd, events, "", "END:VEVENT", "BEGIN:VEVENT\nX\n:\nRRULE:x"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, p := range jscalendar.Unshown(account.Object{}, data) {
			if p.Property == "" || p.Reason == "" {
				t.Errorf("%q told of without a word", p)
			}
		}
	})
}
