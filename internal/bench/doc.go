// Bench measures mailhaul against what the server and the wire allow.
//
//	go run ./internal/bench                      # the default scenarios
//	go run ./internal/bench -servers cyrus -rtt 100 -sizes mixed
//	go run ./internal/bench -sync -messages 5000   # sync beside export and import alone
//	go run ./internal/bench -growth 1000,10000,100000
//
// Each scenario is a server (a real Cyrus; jmaptest over HTTP in a process of
// its own, by the name of any of its profiles), a round-trip time (a proxy that
// delays and does not throttle) and a class of sizes. Measured in the same run
// on the same server, in turns:
//
//   - mailhaul: a process that signs in, and exports into a fresh archive or
//     imports into an empty account, with everything that makes it safe;
//   - the ceiling: the fastest of several bare loops of HTTP requests whose
//     answers are thrown away, each at its best number of connections. A loop
//     knows beforehand what it will ask for and what it will send; it lists
//     nothing, keeps nothing and checks nothing;
//   - the old way: one blob a request, as many at once as there are processors,
//     which is what Stalwart's old command-line tool does, bare too.
//
// With -apart, which is the default where it is possible, the server and the
// proxy have one half of the processors and the client, whichever it is, the other,
// as if they were two machines: else what the client computes is taken from the
// server. What counts are the ratios: the machine is shared with whatever else
// runs there.
package main
