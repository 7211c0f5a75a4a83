package e2e

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// memory is the in-memory server, filled and judged by its direct door.
type memory struct {
	t *testing.T
	*jmaptest.Server
	profile jmaptest.Profile
	inInbox map[string][]delivered // by login, what is in the inbox alone
}

type delivered struct {
	id       string
	keywords []string
}

func startMemory(t *testing.T) server { return startMemoryWith(t, jmaptest.Options{}) }

func startMemoryWith(t *testing.T, o jmaptest.Options) memory {
	s := jmaptest.New(o)
	t.Cleanup(s.Close)
	return memory{t, s, o.Profile, map[string][]delivered{}}
}

func (m memory) URL() string { return m.Server.URL }

func (m memory) Broken() (types []string) {
	if m.profile.VacationCloses {
		types = append(types, "VacationResponse")
	}
	if m.profile.NoIdentitySet {
		types = append(types, "Identity")
	}
	return types
}

// Importer: where the server drops messages, a user's own import can only name
// them, while an administrator's brings them in.
func (m memory) Importer(login string) []string {
	if m.profile.DropKnownMessageID {
		return []string{"-u", m.URL(), "-c", adminPassword}
	}
	return signIn(m.URL(), login)
}

func (m memory) AddUser(login string) {
	m.Server.AddUser(jmaptest.User{Login: login, Password: password, Emails: []string{login}})
}

func (m memory) MakeMailbox(login, path string) bool {
	parent := ""
	var parentID any
	for _, name := range strings.Split(path, "/") {
		full := strings.TrimPrefix(parent+"/"+name, "/")
		if id := m.mailboxID(login, full); id != "" {
			parent, parentID = full, id
			continue
		}
		r := m.set(login, map[string]any{"create": map[string]any{"new": map[string]any{"name": name, "parentId": parentID}}})
		created, _ := r["created"].(map[string]any)
		made, ok := created["new"].(map[string]any)
		if !ok || m.mailboxID(login, full) == "" { // a server may give it another name
			return false
		}
		parent, parentID = full, made["id"]
	}
	return true
}

func (m memory) Put(login string, messages ...mailgen.Message) {
	inbox := m.inbox(login)
	for _, msg := range messages {
		d := jmaptest.Message{Keywords: msg.Keywords, ReceivedAt: msg.ReceivedAt, Raw: msg.Raw}
		for _, path := range msg.Mailboxes {
			if path == mailgen.Inbox {
				path = inbox
			}
			d.Mailboxes = append(d.Mailboxes, escaped.Replace(path))
		}
		id := m.Deliver(login, d)
		if slices.Equal(d.Mailboxes, []string{inbox}) {
			m.inInbox[login] = append(m.inInbox[login], delivered{id, msg.Keywords})
		}
	}
}

func (m memory) Subscribe(login, path string, on bool) {
	m.t.Helper()
	if path == mailgen.Inbox {
		path = m.inbox(login)
	}
	id := m.mailboxID(login, path)
	r := m.set(login, map[string]any{"update": map[string]any{id: map[string]any{"isSubscribed": on}}})
	if refused, _ := r["notUpdated"].(map[string]any); len(refused) > 0 {
		m.t.Fatalf("subscription of %q: %v", path, refused)
	}
}

func (m memory) Change(login string) {
	m.t.Helper()
	mail := m.inInbox[login]
	if len(mail) < 10 {
		m.t.Fatalf("%d messages in the inbox: too few to change", len(mail))
	}
	for i, d := range mail[:9] {
		keywords := account.SetOf(d.keywords...)
		switch {
		case i < 4:
			keywords["$flagged"] = true
		case i < 6:
			delete(keywords, "$seen")
		default:
			keywords[label] = true
		}
		path := m.inbox(login)
		if i == 8 {
			path = "Archive"
		}
		m.Modify(login, d.id, []string{path}, slices.Sorted(maps.Keys(keywords)))
	}
}

func (m memory) Mail(login string) []item {
	inbox := m.inbox(login)
	var items []item
	for _, msg := range m.Messages(login) {
		for _, path := range msg.Mailboxes {
			path = plain.Replace(path)
			if path == inbox {
				path = mailgen.Inbox
			}
			items = append(items, newItem(path, msg.Raw, msg.Keywords, msg.ReceivedAt))
		}
	}
	return items
}

func (m memory) Mailboxes(login string) []mailbox {
	var boxes []mailbox
	for _, b := range m.Server.Mailboxes(login) {
		path := plain.Replace(b.Path)
		if b.Role == "inbox" {
			path = mailgen.Inbox
		}
		boxes = append(boxes, mailbox{path, b.Role, b.Subscribed})
	}
	return boxes
}

func (m memory) inbox(login string) string {
	for _, b := range m.Server.Mailboxes(login) {
		if b.Role == "inbox" {
			return b.Path
		}
	}
	m.t.Fatalf("%s has no inbox", login)
	return ""
}

func (m memory) mailboxID(login, path string) string {
	for _, b := range m.Server.Mailboxes(login) {
		if plain.Replace(b.Path) == path {
			return b.ID
		}
	}
	return ""
}

// The direct door escapes backslashes in paths; no name here has a slash.
var (
	escaped = strings.NewReplacer(`\`, `\\`)
	plain   = strings.NewReplacer(`\\`, `\`)
)

func (m memory) set(login string, args map[string]any) map[string]any {
	m.t.Helper()
	api, id := session(m.t, m.URL(), login)
	args["accountId"] = id
	return jmap(m.t, api, login, "urn:ietf:params:jmap:mail", "Mailbox/set", args)
}

// session asks for a user's API URL and primary mail account.
func session(t *testing.T, base, login string) (apiURL, accountID string) {
	t.Helper()
	var s struct {
		APIURL          string
		PrimaryAccounts map[string]string
	}
	ask(t, http.MethodGet, base+"/.well-known/jmap", login, nil, &s)
	from, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	api, err := from.Parse(s.APIURL)
	if err != nil {
		t.Fatal(err)
	}
	return api.String(), s.PrimaryAccounts["urn:ietf:params:jmap:mail"]
}
