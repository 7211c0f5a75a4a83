package jmaptest

import (
	"encoding/json"
	"net/http/httptest"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever is sent, the server answers in JSON and stays.
func FuzzRequest(f *testing.F) {
	using := `{"using":["urn:ietf:params:jmap:core","urn:ietf:params:jmap:mail","urn:ietf:params:jmap:sieve","urn:ietf:params:jmap:blob"],"methodCalls":[`
	for _, calls := range []string{
		`["Core/echo",{},"0"]`,
		`["Mailbox/set",{"accountId":"a","create":{"x":{"name":"n","parentId":"#y"},"y":{"name":"m","parentId":"#x"}}},"0"]`,
		`["Email/query",{"accountId":"a","filter":{"operator":"NOT","conditions":[{"text":"x"}]},"position":-9,"limit":3},"0"],["Email/get",{"accountId":"a","#ids":{"resultOf":"0","name":"Email/query","path":"/ids/*"}},"1"]`,
		`["Blob/upload",{"accountId":"a","create":{"b":{"data":[{"data:asBase64":"eDog"},{"blobId":"#b","offset":-1}]}}},"0"],["Email/import",{"accountId":"a","emails":{"e":{"blobId":"#b","mailboxIds":{"a":true},"keywords":{"a\"\\b":true}}}},"1"]`,
		`["Email/set",{"accountId":"a","update":{"a":{"keywords/a~1b":true,"mailboxIds":{}}}},"0"]`,
		`["Blob/set",{"accountId":"a","create":{"b":{"data:asText":"Subject: y\r\n\r\n"}}},"0"],["Email/import",{"accountId":"a","emails":{"e":{"blobId":"#b","mailboxIds":{"P0":true}}}},"1"],["Quota/get",{"accountId":"a","ids":null},"2"]`,
		`["Mailbox/set",{"accountId":"a","update":{"a":{"shareWith/b":{"mayReadItems":true}}}},"0"],["Mailbox/set",{"accountId":"a","update":{"a":{"shareWith":{"b":null,"c":{}}}}},"1"],["Mailbox/get",{"accountId":"a","properties":["shareWith"]},"2"]`,
		`["Blob/get",{"accountId":"a","ids":["x"],"offset":9223372036854775807,"length":1},"0"]`,
		`["AddressBook/set",{"accountId":"a","create":{"b":{"name":"x","shareWith":{"a":{}}}},"onSuccessSetIsDefault":"#b","onDestroyRemoveContents":true,"destroy":["b","AB0"]},"0"]`,
		`["ContactCard/set",{"accountId":"a","create":{"c":{"@type":"Card","version":"1.0","uid":"u","addressBookIds":{"AB0":true,"b":true},"media":{"m":{"blobId":"#b"}},"name":null,"emails":[]}},"update":{"C0":{"name/full":"x","name/~1/y":null}}},"0"],["ContactCard/query",{"accountId":"a","filter":{"operator":"NOT","conditions":[{"inAddressBook":"b"},null]}},"1"]`,
		`["CalendarEvent/set",{"accountId":"a","sendSchedulingMessages":true,"create":{"e":{"@type":"Event","start":"2030-01-01T00:00:00","calendarIds":{"C0":true,"b":true},"calendarId":"Default","replyTo":{"imip":7},"organizerCalendarAddress":"mailto:x","participants":{"p":{"roles":{},"sendTo":null},"q":null},"recurrenceRule":{"byDay":[1]},"recurrenceOverrides":{"x":1},"alerts":{"a":{"trigger":4}}}}},"0"],["CalendarEvent/get",{"accountId":"a","ids":null,"reduceParticipants":true},"1"]`,
		`["FileNode/set",{"accountId":"a","create":{"x":{"name":"n","parentId":"#y"},"y":{"name":"m","parentId":"#x"}},"onDestroyRemoveChildren":true,"destroy":["FN0"]},"0"],["FileNode/query",{"accountId":"a","filter":{"name":["m"]},"sort":[{"property":"name"}]},"1"]`,
		`["Contact/set",{"accountId":"a","create":{"c":{"uid":"","emails":[1,{}],"addresses":[null],"avatar":{"blobId":"x"}}}},"0"],["ContactGroup/set",{"accountId":"a","create":{"g":{"name":"g","contactIds":{}}}},"1"],["EmailSubmission/set",{"accountId":"a","create":{"s":{"emailId":"x","identityId":"y","envelope":{"rcptTo":[1]}}}},"2"]`,
	} {
		f.Add(using + calls + `]}`)
		f.Add(strings.Replace(using, `"]`, `","urn:ietf:params:jmap:contacts","urn:ietf:params:jmap:calendars","urn:ietf:params:jmap:filenode"]`, 1) + calls + `]}`)
		f.Add(using + strings.ReplaceAll(calls, `"a"`, `"A0"`) + `]}`)
		f.Add(using + strings.ReplaceAll(calls, `"a"`, `"alice"`) + `]}`)
	}
	var servers []*Server
	cyrus := Cyrus36
	cyrus.VacationCloses = false
	cyrus.Capabilities, cyrus.URNs, cyrus.AnyUsing = nil, nil, true
	first := Stalwart016
	first.FirstAccount = 0 // alice is "a" everywhere that ids are short
	for _, p := range []Profile{Strict, Stalwart04, Stalwart07, first, cyrus} {
		s := New(Options{Profile: p})
		f.Cleanup(s.Close)
		s.AddUser(User{Login: "alice", Password: "pw"})
		s.Deliver("alice", Message{Mailboxes: []string{"Inbox"}, Raw: []byte("Subject: x\r\n\r\nx")})
		servers = append(servers, s)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for _, s := range servers {
			s.mu.Lock()
			s.accounts[0].rate = window{}
			s.mu.Unlock()
			r := httptest.NewRequest("POST", "/jmap", strings.NewReader(body))
			r.SetBasicAuth("alice", "pw")
			r.Header.Set("Content-Type", "application/json")
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			if !json.Valid(w.Body.Bytes()) {
				t.Fatalf("%d %q", w.Code, w.Body)
			}
		}
	})
}

// Any bytes can be parsed, and what is known of them can be told in JSON.
func FuzzParse(f *testing.F) {
	f.Add([]byte("From: =?utf-8?q?x?= <a@b>\r\nReferences: <a@b> <c\r\nReceived: x; Mon, 1 Jan 2024\r\n\r\nbody"))
	f.Add([]byte("\x00\x01garbage"))
	f.Add([]byte("Subject: Gr\xfc\xdfe\nContent-Type: multipart/mixed; boundary=x\n\n--x\nContent-Disposition: attachment\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		p := parse(raw)
		if text := string(encode([]any{p.subject, p.from, p.messageID, p.references, p.sentAt, preview(raw)})); !utf8.ValidString(text) {
			t.Fatalf("%q", text)
		}
		_, _ = headerField(raw, "Subject"), attaches(raw)
	})
}

func FuzzSieve(f *testing.F) {
	f.Add("require [\"fileinto\"]; # c\nif anyof (header :contains \"a\" [\"b\"], size :over 10K) { fileinto \"x\"; stop; } else { keep; }")
	f.Add("vacation :days 7 text:\nhi\n.\n;")
	f.Add("bogus;")
	f.Fuzz(func(_ *testing.T, script string) { _ = checkSieve([]byte(script)) })
}

// Keys keep the escapes that were sent, and nothing else of the object changes.
func FuzzRawFields(f *testing.F) {
	f.Add(`{"a\"b":true,"c":{"d":[1,",\""]},"\u00fc":null}`)
	f.Fuzz(func(t *testing.T, text string) {
		var plain map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &plain) != nil || plain == nil {
			return
		}
		for key := range rawFields([]byte(text)) {
			var back string
			if err := json.Unmarshal([]byte(`"`+key+`"`), &back); err != nil {
				t.Fatalf("%q is no key as it stands in %q", key, text)
			}
			if _, ok := plain[back]; !ok {
				t.Fatalf("%q is no key of %q", back, text)
			}
		}
	})
}

func TestSieveForm(t *testing.T) {
	for script, ok := range map[string]bool{
		"":      true,
		"keep;": true,
		"/* c */ require [\"fileinto\", \"copy\"];\r\nif header :contains \"subject\" \"a\\\"b\" { fileinto :copy \"x\"; }": true,
		"if anyof(size :over 100K, not exists [\"x\"]) { discard; } elsif true { stop; } else { redirect \"a@b\"; }":        true,
		"require \"vacation\"; vacation :days 7 text:\r\nhello; }\r\n.\r\n;":                                                true,
		"bogus;":                   false,
		"keep":                     false,
		"if true { keep; ":         false,
		"fileinto \"x;":            false,
		"} keep;":                  false,
		"if unknowntest { keep; }": false,
	} {
		if err := checkSieve([]byte(script)); (err == nil) != ok {
			t.Errorf("%q: %v", script, err)
		}
	}
}

func TestPointers(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(`{"list":[{"a":[1,2]},{"a":[3]}],"x/y":{"~":4},"n":[5]}`), &doc); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"": `{"list":[{"a":[1,2]},{"a":[3]}],"n":[5],"x/y":{"~":4}}`, "/list/*/a": `[1,2,3]`, "/list/1/a/0": `3`,
		"/x~1y/~0": `4`, "/n/0": `5`, "/n/1": "", "/n/00": "", "/list/*/b": "", "list": "", "/n/x": "",
	} {
		got, ok := follow(doc, path)
		if ok != (want != "") || ok && string(encode(got)) != want {
			t.Errorf("%q: %v %v, want %s", path, got, ok, want)
		}
	}
}

// Taken apart by hand, JSON is what encoding/json reads.
func FuzzSplit(f *testing.F) {
	f.Add(`{"a\"b\\":[1,"]}",{"x":null}],"c" : -1.5e3 , "a":{},"\u00fc":"\\\"","a":true}`)
	f.Add(` [ 1,"a\\",[],{},"{" , false ] `)
	f.Add("{\"\xff\":1}")
	f.Fuzz(func(t *testing.T, text string) {
		raw := json.RawMessage(text)
		if !json.Valid(raw) {
			return
		}
		f, isObject := members(raw)
		var wantObject fields
		if json.Unmarshal(raw, &wantObject) == nil && wantObject != nil != isObject {
			t.Fatalf("an object: %v: %q", isObject, text)
		}
		if isObject && string(encode(f)) != string(encode(wantObject)) {
			t.Fatalf("%q: %s, want %s", text, encode(f), encode(wantObject))
		}
		list, isArray := elements(raw)
		var wantList []json.RawMessage
		if json.Unmarshal(raw, &wantList) == nil && wantList != nil != isArray {
			t.Fatalf("an array: %v: %q", isArray, text)
		}
		if isArray && string(encode(list)) != string(encode(wantList)) {
			t.Fatalf("%q: %s, want %s", text, encode(list), encode(wantList))
		}
	})
}
