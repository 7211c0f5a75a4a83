// Package importer restores an archive's account into an account on a JMAP
// server, and compares the two.
//
// The way of a message is a straight line. What the target holds is listed
// ([Import] keeps the listing in the archive's journal, so that a later run asks
// only for what changed). Messages that are there already are recognised and
// claimed, one for one: by size and received date, then by Message-IDs where
// those leave no doubt, else by bytes. What is left is uploaded, and imported
// in batches:
//
//	Pending → upload → journal "in flight" → Email/import → journal "done"
//
// Several batches are on their way at once. Small messages go with the request
// that imports them, where the server knows a blob of the same request by its
// creation id (strict ones and Cyrus); else they go up many in one call before
// it (Stalwart), and where that is not offered, or failed, one by one. What was
// stored is listed and read back while more is sent. Whatever has to be put right
// is put right alone, and nothing is looked for while an import is out.
//
// The journal is what makes a message arrive exactly once although HTTP does
// not promise it. An entry is in flight, durably, before its request leaves.
// When an answer is lost, now or because the process was killed, the target is
// listed before anything is sent again, and what arrived is claimed like any
// other message that is there already. The journal is a shortcut and not the
// truth: without it an import finds by looking what an earlier one has done.
//
// An answer is believed only if it fits. Stalwart 0.5 to 0.8.1 answer "created"
// with size 0 for a message that they drop: it is put aside, and comes in through
// another account or over IMAP at the end. Cyrus answers alreadyExists and
// means that mailboxes and keywords are to be merged. At the end everything that
// was written is read back and put right.
//
// What the user did on the target stays. A message that was there before gets
// the folders and keywords it lacks and loses none; a later import carries over
// only what changed on the source since the last one ([Options].Delete aside,
// nothing is ever removed; where one message stands for several copies, the
// keywords of a copy that goes stay with it). Before a message is changed or destroyed by an id
// that was remembered, its blobId is read: some servers give an id again to
// another message.
//
// Everything else (mailboxes, identities, Sieve scripts, the vacation response)
// is small, and is matched, created or updated type by type. Mailboxes of all
// levels are made with one request, while the target's messages are listed; what
// does nothing by being there comes in beside the messages. What switches
// something on comes last.
//
// Address books, contacts, calendars, events and files are things: one way leads
// all of them onto the target, whether it speaks the standards or Cyrus's own forms
// from before them. They are converted, matched by what names them to people or
// to other programs (uid, name, path), and made in batches; what a server refuses of
// one is written the way it takes or left out, and told. Nobody is sent an
// invitation. What was there before stays as it is.
package importer
