package jmaptest_test

import (
	"encoding/json"
	"regexp"
	"strings"

	"mailhaul/jmapclient/jmaptest"
)

// What the replay knows beside the recordings.

// recording is what one server was asked and answered.
type recording struct {
	file    string
	profile jmaptest.Profile
	// accounts are made beforehand where no management was recorded.
	accounts []jmaptest.User
	// ids finds those that are translated as text, nil: see recordedBlob.
	ids *regexp.Regexp
	// domain is there beforehand where its making was not recorded.
	domain string
	// password is that of users whose account was made with a plain one, "secret" for "".
	password string
}

var recordings = []recording{
	{file: "0.4.2.jsonl", profile: jmaptest.Stalwart04, accounts: []jmaptest.User{
		{Login: "alice", Password: "secret", Description: "Alice", Emails: []string{"alice@example.org", "a.alias@example.org", "team@example.org"}, MemberOf: []string{"staff"}, Quota: 1_000_000_000},
		{Login: "staff", Description: "Staff", Group: true},
		{Login: "admin", Password: "admin-secret", Description: "Superuser", Admin: true},
		{Login: "bob", Password: "secret", Description: "Bob", Emails: []string{"bob@example.org", "team@example.org"}},
	}},
	{file: "0.6.0.jsonl", profile: jmaptest.Stalwart06},
	{file: "0.7.3.jsonl", profile: jmaptest.Stalwart07},
	{file: "0.15.5.jsonl", profile: jmaptest.Stalwart015},
	{file: "0.16.18.jsonl", profile: jmaptest.Stalwart016, domain: "example.org", password: "correct-horse-9"},
	{file: "cyrus-3.6.1.jsonl", profile: jmaptest.Cyrus36, ids: cyrusIDs, accounts: cyrusUsers},
	{file: "cyrus-3.6.1-types.jsonl", profile: jmaptest.Cyrus36, ids: cyrusIDs, accounts: cyrusUsers},
}

var cyrusIDs = regexp.MustCompile(`\b([0-9a-z]{24}|G[0-9a-f]{40}|M[0-9a-f]{24}|T[0-9a-f]{16})\b`)

var cyrusUsers = []jmaptest.User{
	{Login: "alice@example.org", Password: "secret", Emails: []string{"alice@example.org"}},
	{Login: "bob@example.org", Password: "secret", Emails: []string{"bob@example.org"}},
}

// difference is a part of an answer that may differ.
type difference struct {
	file     string // how the recording's name begins
	exchange string // its name, or a part of it
	path     string // regular expression over the path of the value
	reason   string
}

const (
	otherState = "a type that never changed is given the state of another"
	earlyState = "the state is read before the default mailboxes are made"
)

var knownDifferences = []difference{
	{"0", "session", `/urn:ietf:params:jmap:(websocket|emailpush|webpush-vapid)`, "push is left out"},
	{"0", "and what it became", `/receivedAt$`, "the time of the import"},
	{"0", "Quota/get", `/list/0/used$`, "it counts the script of the vacation response, which each server writes in its own way"},
	{"cyrus-3.6.1.jsonl", "Quota/get", `/list/0/used$`, "the same"},
	{"0.1", "Email/query by Message-ID header", `/1/Email/query args/ids`, "the index lags a little; the profile's for long, so that it shows"},
	{"0.15.5", "Identity/get", `/list/\d+/email$`, "the default identities are in no order"},
	{"0.15.5", "Email/import one", `/oldState$`, otherState},
	{"0.15.5", "Email/import past the account's quota as the user", `/oldState$`, otherState},
	{"0.15.5", "scratch: import the second into the own account", `/oldState$`, otherState},
	{"0.16", "x:Account/get all", `/createdAt$`, "the time of the making"},
	{"0.16", "Mailbox/get on a fresh account", `/state$`, earlyState},
	{"0.16", "Mailbox/get of admin's own account", `/state$`, earlyState},
	{"0.16", "ContactCard/set", `/oldState$`, otherState},
	{"0.16", "ContactCard/set with vCardProps", `/newState$`, otherState},
	{"0.16", "CalendarEvent/set", `/oldState$`, otherState},
	{"0.16", "CalendarEvent/set", `/CalendarEvent/set args/newState$`, otherState},
	{"0.16", "CalendarEvent/get", `/updated$`, "the time of the writing"},
	{"0.16", "FileNode/get", `/(created|modified|accessed|changed)$`, "the time of the writing"},
	{"cyrus-3.6.1.jsonl", "session", `^(content-type|/detail|/status|/title|/type|)$`, "what is refused is a page in HTML"},
	{"cyrus-3.6.1.jsonl", "download an unknown blob", `^(content-type|/detail|/status|/title|/type|)$`, "what is refused is a page in HTML"},
	{"cyrus-3.6.1.jsonl", "using nonsense", `^(content-type|/title)$`, "the content type names a charset, and there is a title"},
	{"cyrus-3.6.1.jsonl", "session", `/urn:ietf:params:jmap:mdn|/ns/jmap/(backup|debug|performance|usercounters)$`, "these are left out"},
	{"cyrus-3.6.1.jsonl", "session", `^/primaryAccounts/|/collationAlgorithms|/isPrimary$|/accountCapabilities/urn:ietf:params:jmap:core$|^/state$`, "what it says there is read by nobody here"},
	{"cyrus-3.6.1.jsonl", "Email/import of an empty blob: upload", `^(content-type|/detail|/status|/title|/type|)$`, "what is refused is a page in HTML"},
	{"cyrus-3.6.1.jsonl", "", `/expires$|/error/ args/arguments/0$|/Email/query args/(collapseThreads|sort/.*|total)$`, "it says more than it must"},
	{"cyrus-3.6.1.jsonl", "Email/import a keyword with a space", `/properties/0$`, "it points at the keyword"},
	{"cyrus-3.6.1.jsonl", "Email/import of bytes that are no message", `/type$`, "a NUL ends the file that it writes, and that makes an error of its own"},
	{"cyrus-3.6.1.jsonl", "Email/query", `/(ids/\d+|position)$`, "messages of one second are in no order"},
	{"cyrus-3.6.1.jsonl", "Identity/get", `/list/0/`, "its one identity is the address itself, without a name"},
	{"cyrus-3.6.1.jsonl", "SieveScript/set invalid", `/existingId$`, "it does not say which"},
	{"cyrus-3.6.1.jsonl", "", `/description$`, "it explains little"},
	{"cyrus-3.6.1.jsonl", "Mailbox/", `/(isSeenShared|showAsLabel|sortOrder|mayAdmin|mayRename|mayDelete)$|/created/\w/isSubscribed$`, "properties of its own, and an order"},
	{"cyrus-3.6.1-types", "", `/error/ args/arguments/0$|/Blob/set args/created/b/expires$|/query args/total$`, "it says more than it must"},
	{"cyrus-3.6.1-types", "", `/(x-href|debugBlobId|size|prodId)$`, "each object is a file of WebDAV, too, with a name and a blob of its own"},
	{"cyrus-3.6.1-types", "", `/list/\d+/(created|updated)$`, "the time of the writing"},
	{"cyrus-3.6.1-types", "", `/CalendarEvent/set args/created/\w/uid$`, "it says more than it must"},
	{"cyrus-3.6.1-types", "", `/description$`, "it explains little"},
	{"cyrus-3.6.1-types", "Contact/set a photo", `/created/p/avatar/`, "it says more than it must"},
	{"cyrus-3.6.1-types", "update", `/updated/[^/]+/sequence$`, "it counts the changes"},
	{"cyrus-3.6.1-types", "ContactGroup/set", `/created/[gi]/blobId$`, "a group's is answered nowhere else"},
	{"cyrus-3.6.1-types", "CalendarEvent/get", `/list/\d+/sequence$`, "it counts the changes"},
	{"0.4.2.jsonl", "Mailbox/get of admin's own account", `/state$`, otherState},
	{"0.4.2.jsonl", "scratch: import the second into the own account", `/oldState$`, otherState},
	{"0.4.2.jsonl", "SieveScript/set create and activate", `/oldState$`, otherState},
	{"0.4.2.jsonl", "Identity/get", `/state$`, otherState},
}

// supplement is what was uploaded without an exchange of its own being kept,
// by the beginning of the recorded blob id; sizes and Message-IDs are those the answers show.
var supplement = map[string]string{
	"edqlcry1ht":    message2("p2", "<pair@x>", "yyyyy"),
	"edicsnexgn":    message2("no2", "", "x"),
	"ebni0yzkw3":    strings.Replace(message2("thread a", "<t2@x>", "x"), "\r\n\r\n", "\r\nReferences: <t0@x>\r\n\r\n", 1),
	"edihrrpzp90lh": message2("good", "<good@x>", "xx"),
	"ebmbwc3tzl":    message2("reuse 1", "<r1@x>", "1"),
	"ea2tcg7biu":    message2("reuse 2", "<r2@x>", "22"),
	"eannmlnrwh":    message2("scratch 2", "<sc@x>", "second"),
	"ecyeef2vn3":    "bogus;\r\n",

	// 0.4.2's ids say nothing of what is in them.
	"iaaonfmv9adptb": message2("p2", "<pair@x>", "yyyyy"),
	"iaaonfmv9adopd": message2("no2", "", "x"),
	"iaaonfmv9adlf2": strings.Replace(message2("thread a", "<t2@x>", "x"), "\r\n\r\n", "\r\nReferences: <t0@x>\r\n\r\n", 1),
	"iaaonfmv9admfv": message2("good", "<good@x>", "xx"),
	"iaaonfmv9adnt1": "",
	"iaaonfmv9adpn7": message2("reuse 1", "<r1@x>", "1"),
	"iaaonfmv9adiho": message2("reuse 2", "<r2@x>", "22"),
	"iaborfmv9adovk": message2("scratch 2", "<sc@x>", "second"),
	"iaaorfmv9admrx": "bogus;\r\n",
}

func message2(subject, id, body string) string {
	head := "From: a@example.org\r\nTo: alice@example.org\r\nSubject: " + subject + "\r\nDate: Mon, 01 Jan 2024 10:00:00 +0000\r\n"
	if id != "" {
		head += "Message-ID: " + id + "\r\n"
	}
	return head + "\r\n" + body + "\r\n"
}

type exchange struct {
	Name     string            `json:"name"`
	As       *string           `json:"as"`
	Method   string            `json:"method"`
	Path     string            `json:"path"`
	Body     json.RawMessage   `json:"body"`
	Status   int               `json:"status"`
	Headers  map[string]string `json:"headers"`
	Response json.RawMessage   `json:"response"`
}
