// Package jmapclient speaks to one JMAP server (RFC 8620, RFC 8621) as one
// signed-in user.
//
// [Dial] finds the session from whatever the user typed and signs in. A
// [Client] then resolves names to an [Account], and everything else is a method
// of the account: reads ([Account.Get], [Account.All], [Account.Page],
// [Account.Changes], several in one request: [Account.Together]), writes ([Account.Set], [Account.Import],
// [Account.CopyEmails]), blobs that stream both ways ([Account.Upload],
// [Account.Download]), small blobs many in a request ([Account.Blobs],
// [Account.ImportBlobs]), and [Account.Call] for what has no typed method.
//
// The package takes servers as they are. Sessions lie about hosts and ports,
// limits are missing or absurd, ids hold characters that RFC 8620 forbids,
// empty maps are left out, filters are ignored, processes die without an
// answer. What it promises on top of that:
//
//   - Credentials go to the origin the user named and nowhere else: not to
//     where a redirect or a session points, not into an error, not into a log.
//   - A name gives the right account or an error that lists what there is.
//   - A request that creates something is sent twice only when the first one
//     surely was not carried out. Otherwise the error is of kind [Unknown], and
//     the caller has to look at what is there before it goes on.
//   - Every other request is tried again after a passing fault, with growing
//     pauses, for a bounded time. A transfer in which nothing moves is cut.
//   - No more requests are out at once than the server allows and the user wants,
//     and within that as many as get most done, which is found by trying.
//   - An endpoint that does not answer whatever is asked ([Client.Dead]) costs a
//     few requests their tries and not every message its own.
//   - Nothing a server sends is taken into memory unbounded: a session has 16 MB,
//     an answer 64 MB (after decompression), both a bounded depth and number of
//     values, a list that All reads 100 000 objects. Blobs stream.
//   - Every error is an [*Error]: which call, for which account and item, what
//     the server said, and a [Kind] that says what can be done about it.
//
// The way of a call: methods.go, set.go, email.go, blobget.go and blobimport.go
// build invocations; wire.go encodes them, payload.go with blobs among them;
// answer.go and scan.go split and read the answers; blob.go does the same for
// blobs on their own; together.go puts several reads into one request; retry.go decides whether to try again, breaker.go when it
// is no use; gate.go and climb.go when it is its turn; transport.go sends one
// request, transfer.go watches its bodies, line.go the speed they come with;
// faults.go says what an answer means. discover.go finds the session, resolve.go
// and principal.go find accounts in it and beside it.
package jmapclient
