package main

import (
	"strings"
	"testing"

	"mailhaul/jmapclient"
)

func TestAnIMAPURLNeverSendsThePasswordInTheClear(t *testing.T) {
	user := jmapclient.Options{Auth: jmapclient.Auth{Username: "alice", Password: "hers-secret"}}
	insecure, bearer := user, jmapclient.Options{Auth: jmapclient.Auth{Token: "token"}}
	insecure.Insecure = true
	for _, tc := range []struct {
		url  string
		o    jmapclient.Options
		addr string
		tls  bool
	}{
		{"imaps://mail.example.org", user, "mail.example.org:993", true},
		{"imaps://mail.example.org:9993/", user, "mail.example.org:9993", true},
		{"imaps://[2001:db8::1]", user, "[2001:db8::1]:993", true},
		{"imap://127.0.0.1", user, "127.0.0.1:143", false},
		{"imap://localhost:1143", user, "localhost:1143", false},
		{"imap://mail.example.org", insecure, "mail.example.org:143", false},
	} {
		door, err := imapDoor(tc.url, tc.o)
		if err != nil || door.Addr != tc.addr || (door.TLS != nil) != tc.tls {
			t.Errorf("%s: %+v, %v", tc.url, door, err)
		}
	}
	for _, tc := range []struct {
		url  string
		o    jmapclient.Options
		says string
	}{
		{"imap://mail.example.org", user, "in the clear"},
		{"imap://10.0.0.1", user, "in the clear"},
		{"imaps://alice:hers-secret@mail.example.org", user, "no place for a password"},
		{"https://alice:hers-secret@mail.example.org/x", user, "no place for a password"},
		{"imaps://alice:hers-secret@mail.example.org:x", user, "takes imaps"},
		{"imaps://mail.example.org", bearer, "bearer"},
		{"mail.example.org", user, "takes imaps"},
		{"https://mail.example.org", user, "takes imaps"},
		{"imaps://mail.example.org/INBOX", user, "takes imaps"},
		{"imaps://", user, "takes imaps"},
	} {
		_, err := imapDoor(tc.url, tc.o)
		if err == nil || !strings.Contains(err.Error(), tc.says) || strings.Contains(err.Error(), "hers-secret") {
			t.Errorf("%s: %v, want %q and no password", tc.url, err, tc.says)
		}
	}
}
