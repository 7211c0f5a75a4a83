// Package migrate moves all accounts of a server to another one, after a plan.
//
// A [Plan] is a TOML file: two servers, which accounts, where the archives are.
// A [Run] goes through its steps, each of them for all accounts before the next
// begins:
//
//	check      what will be in the way (check.go)
//	provision  the accounts themselves (provision.go)
//	copy       export and import of each account
//	cutover    the same once more, a short pass after the old server was closed
//	verify     each archive against the new server
//	report     what became of it, as a page and as JSON (report.go)
//
// What is known of each account and step is in one SQLite file beside the
// archives (state.go). It is written by the one run that holds its lock and read
// by anyone; a run that is killed loses nothing of it, and the next one goes on
// with what is not done. The archives and their journals do the rest: a step
// that is repeated costs what changed.
//
// An account that fails is noted with what to do, and the others go on. What
// would fail for all of them (a server that is gone, a full disk) ends the run.
//
// [Board] is what is shown while it runs, by the run itself, by `status` from
// another terminal and by the file of metrics; [Report] is what is left of it.
package migrate
