// Package e2e holds the tests that move whole accounts with the real mailhaul
// program between servers, and ask a judge that is not mailhaul what arrived.
//
// The same tests run on every kind of server in the table kinds: the in-memory
// one of jmapclient/jmaptest, judged by looking into it, and a real Cyrus,
// judged over IMAP. Where a test kills or counts, a proxy stands between
// mailhaul and the server and does it at a chosen request, never after a sleep.
package e2e
