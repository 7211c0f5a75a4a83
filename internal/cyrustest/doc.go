// Package cyrustest runs a real Cyrus (JMAP, IMAP, ManageSieve on loopback) for
// the length of a test.
//
// A server that other people wrote is the judge no test of ours can talk into
// agreeing. Each [Server] lives under a directory of its own, on ports of its
// own, so that several run side by side; nothing of the system's configuration
// is read or changed. It ends with the test, also with one that fails, panics
// or is killed: a watcher process takes it down when the test process is gone.
//
// Cyrus must be installed (Debian: cyrus-imapd cyrus-caldav sasl2-bin
// libsasl2-modules) and started by root, because it drops to its own user. Where
// that is not so the test is skipped, or fails if CI or MAILHAUL_REQUIRE_CYRUS
// is set in the environment: a suite must not pass by not running.
package cyrustest
