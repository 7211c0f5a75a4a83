package account_test

import (
	"strings"
	"testing"

	"mailhaul/account"
)

func TestMatchKeySeesWhatServersAgreeOn(t *testing.T) {
	base := `{"id":"1","size":120,"receivedAt":"2024-01-01T10:00:00Z","messageId":["a@x"]}`
	for _, tc := range []struct {
		name, other string
		same        bool
	}{
		{"another id and thread", `{"id":"zz","threadId":"t","size":120,"receivedAt":"2024-01-01T10:00:00Z"}`, true},
		{"fractions of a second", `{"size":120,"receivedAt":"2024-01-01T10:00:00.750Z"}`, true},
		{"another zone", `{"size":120,"receivedAt":"2024-01-01T12:00:00+02:00"}`, true},
		{"another size", `{"size":121,"receivedAt":"2024-01-01T10:00:00Z"}`, false},
		{"another second", `{"size":120,"receivedAt":"2024-01-01T10:00:01Z"}`, false},
	} {
		if got := account.MatchKey(parse(t, base)) == account.MatchKey(parse(t, tc.other)); got != tc.same {
			t.Errorf("%s: same key is %v, want %v", tc.name, got, tc.same)
		}
	}
}

func TestMessageIDsCompareWhateverTheirWriting(t *testing.T) {
	a := account.MessageIDs(parse(t, `{"messageId":["b@x","a@x"]}`))
	b := account.MessageIDs(parse(t, `{"messageId":["<a@x>"," b@x "]}`))
	if a == "" || a != b {
		t.Errorf("%q and %q", a, b)
	}
	for _, none := range []string{`{}`, `{"messageId":null}`, `{"messageId":[]}`} {
		if got := account.MessageIDs(parse(t, none)); got != "" {
			t.Errorf("MessageIDs(%s) = %q, want none", none, got)
		}
	}
}

func TestDescribeNamesAMessage(t *testing.T) {
	got := account.Describe(parse(t, `{"id":"e1","subject":"Offer","messageId":["a@x"],"size":12,"receivedAt":"2024-01-01T10:00:00Z"}`))
	for _, part := range []string{`"Offer"`, "<a@x>", "2024-01-01 10:00", "12 bytes", "e1"} {
		if !strings.Contains(got, part) {
			t.Errorf("Describe = %s: %s is missing", got, part)
		}
	}
	if got := account.Describe(parse(t, `{"id":"e2"}`)); !strings.Contains(got, "e2") {
		t.Errorf("Describe without a header = %s", got)
	}
}

func TestEveryTypeCanBeAskedAndRestored(t *testing.T) {
	for _, typ := range account.Types {
		found, ok := account.TypeByName(typ.Name)
		if !ok || found.Name != typ.Name {
			t.Errorf("TypeByName(%q) = %v, %v", typ.Name, found.Name, ok)
		}
		asked := map[string]bool{}
		for _, p := range typ.Properties {
			asked[p] = true
		}
		needed := append([]string{"id"}, typ.Writable...)
		needed = append(needed, typ.PerCaller...)
		for _, p := range append(needed, typ.Parent, typ.Blob) {
			if p != "" && typ.Properties != nil && !asked[p] {
				t.Errorf("%s: %s is needed but not asked for", typ.Name, p)
			}
		}
		if len(typ.Capabilities) == 0 && typ.Name != account.Blob.Name {
			t.Errorf("%s: no capability announces it", typ.Name)
		}
	}
}
