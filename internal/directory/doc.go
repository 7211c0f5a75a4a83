// Package directory reads the accounts that a mail server has (domains, users,
// groups, mailing lists with their addresses, quotas, memberships and password
// hashes) over the server's own management API, and makes them on another.
//
// [Read] asks a Stalwart server which of its APIs it speaks: [V05], [V07] and
// [V010] have principals over HTTP, [V016] has methods of JMAP. A [Directory] is
// written to and read from a file ([Directory.WriteFile], [ReadFile]), and can
// come from a spreadsheet ([FromCSV]) where there is no API. [Compare] says what
// is missing on the target, and what is in the way; [Plan.Apply] makes it.
//
// What is there is left as it is: an account that exists gets the addresses and
// the memberships that it lacks, and nothing else of it is changed. So a plan can
// be applied again after it was interrupted anywhere, and one that was applied is
// empty when it is made anew.
//
// version.go tells the APIs apart; principals.go and principalset.go speak those
// of /admin and /api, objects.go and objectset.go that of 0.16; compare.go,
// names.go and passwords.go make the plan, apply.go carries it out.
package directory
