// Package jmaptest is an in-memory JMAP server for tests and demonstrations.
//
// It speaks RFC 8620 (core), RFC 8621 (mail, identities, vacation), RFC 9404
// (blobs), RFC 9425 (quotas), RFC 9661 (Sieve), RFC 9610 (contacts), the drafts
// for calendars and files, and as much of RFC 9670 (principals) as it takes to
// find an account by name and to share with it. It keeps states and the
// history of changes for real, enforces the limits that it announces, and can
// be told to fail in the ways in which networks and servers fail ([Fault]).
//
// The zero [Options] are a strict server: what the RFCs say, and where they
// leave a choice the one that gives a client least. A [Profile] is a table of
// the points in which real servers differ from that: Stalwart from 0.4 to 0.16,
// and Cyrus. [Profiles] lists them. Those of 0.4, 0.6, 0.7, 0.15 and 0.16 and
// of Cyrus are held by the tests against exchanges that were recorded from
// those servers, with every difference that is left in a list of its own; the
// others are what notes and sources say. Making another server is filling in
// another table.
//
// How a request runs: http.go signs the caller in and applies the limits,
// fault.go may interfere, request.go runs the method calls one by one, each
// under the server's lock and its answer encoded after the lock is given up.
// methods.go lists the methods; get, set and changes are alike for all types
// (standard.go) and each type's file says what is its own. Types whose objects
// are kept much as they come, such as contacts, are rows of a table ([Type]):
// type.go has the store, typestandard.go, typelater.go and typecyrus.go the rows.
//
// The servers' own management APIs are there as well, for the same accounts:
// manage.go has their paths, manageprincipal.go and managechange.go principals (/admin and
// /api), manageobjects.go and manageobjectset.go the methods x:…; secret.go says which password signs in.
//
// Left out: composing messages with Email/set, body parts and header forms in
// Email/get, recurrences that are expanded, push. Text filters are substring
// searches. Nothing is ever sent: [Server.Sent] tells what would have been.
//
// direct.go and directtype.go give a test a second door, past HTTP: to put mail in, to change
// it behind a client's back, and to judge what arrived.
package jmaptest
