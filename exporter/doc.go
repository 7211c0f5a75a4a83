// Package exporter brings an archive up to date with an account.
//
// An export is a loop over the table of types ([account.Types]). Small types
// (mailboxes, identities, scripts, the vacation response) are listed whole.
// Email, which may be a million objects, is not: it is listed once and from
// then on followed.
//
//	              first time, or the history can't be trusted
//	             ┌──────────── list: pages by anchor ───────────┐
//	state before ┤                                              ├→ follow the changes until there are none
//	             └── later: the state of the last snapshot ─────┘
//
// The state is taken before the listing begins, so whatever happens to the
// account meanwhile is in the changes since then, and a snapshot is complete
// for one known state. Every page streams to a few workers that fetch the
// blobs the archive does not hold; only when all objects up to a place are in
// the archive is the place itself noted. A run that is killed therefore goes
// on behind that place and fetches nothing again.
//
// Types of many small objects (contacts, events, files) are followed, too, but
// a listing of them that breaks off begins anew. What objects of any type name
// is taken behind them: blobs as objects of the type Blob, and the principals
// with whom something is shared.
//
// A round trip is what a far server costs most. Where the source takes several
// questions at once the state comes with the first page, the small types come
// together beside it, and what changed last comes with the count and the mailboxes,
// asked for as soon as the listing has ended and the last blobs are on their way.
//
// A run may be narrowed to a scope. It brings that up to date and leaves the rest
// as the archive has it: nothing outside of the scope is marked gone. Of the
// snapshots, the newest whose scope covers the run's is where the changes are
// counted from, so that narrowed and whole exports may take turns.
//
// What names a message over time is its id and blobId together, never the id
// alone: servers give a freed id to another message, and give a message
// another id when threads merge.
//
// What fails is written down and the rest goes on: an item that can't be had
// is in the snapshot's list of failures and tried again by every later run; a
// type whose method fails keeps the objects it had. Only what makes going on
// pointless ends a run: credentials refused, a server that is gone, an archive
// that can't be written, or the caller's cancellation.
package exporter
