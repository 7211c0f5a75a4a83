// Package harness tests the whole way of an account, from server to archive to
// server, under whatever may go wrong on it.
//
// A case is drawn at random ([pgregory.net/rapid]): an account, a server to
// come from and one to go to, what the owner does meanwhile at both, and for each
// step a few runs that are disturbed before the one that is not. A disturbance is a
// request that is not sent, or whose answer is lost, cut or refused; a run that
// is cancelled; a write to the archive that fails; or a kill, at a request or at
// a write: ahead of it, after it, in the middle of it. Between runs the archive
// may be damaged, and its catalog built again. At the end the target holds exactly
// what the source holds, less what the table of known losses excuses, and that is
// named by the import.
//
// There is no network and no clock: requests go to the servers' handlers, and
// the time that retries wait for is [testing/synctest]'s. A run that is killed at a
// request is so when all that it does has come to rest; at a write
// (mailhaul/internal/failpoint), at once. What its archive has on disk then is
// what the next run gets.
//
// MAILHAUL_HARNESS_CASES sets the number of cases; `make harness` runs many.
package harness
