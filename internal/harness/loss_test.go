package harness

import (
	"slices"

	"mailhaul/account"
	"mailhaul/jmapclient/jmaptest"
)

// loss is what a target is known not to keep, and why no client can help it.
type loss struct {
	why  string
	when func(p jmaptest.Profile, importsAs string) bool
	// fails is a type whose objects may fail, other than Email.
	fails string
	// excuses says whether a message that an import names as failed may be
	// missing; all is what the source has.
	excuses func(l letter, all []letter) bool
	// differs says whether verify may tell of a difference of a message.
	differs func(l letter, copied map[string]bool) bool
	// changes makes what is wanted and what is there comparable: how the
	// source's messages are on such a target.
	changes func(want, got []letter, copied map[string]bool) ([]letter, []letter)
}

// losses are all that are known.
var losses = []loss{
	{
		why: "Stalwart 0.5 to 0.8.1 drop a second message of one Message-ID; only Email/copy takes it, out of an account that is not the user's",
		when: func(p jmaptest.Profile, importsAs string) bool {
			return p.DropKnownMessageID && importsAs != adminLogin
		},
		excuses: func(l letter, all []letter) bool {
			id := headerOf(l.raw, "Message-ID")
			same := slices.DeleteFunc(slices.Clone(all), func(o letter) bool { return headerOf(o.raw, "Message-ID") != id })
			return id != "" && len(same) > 1
		},
	},
	{
		why:     "a server that keeps to RFC 8621 §4.1.1 refuses keywords beyond ASCII: the message goes without them",
		when:    func(p jmaptest.Profile, _ string) bool { return !p.RawKeywords && !p.AnyKeywords },
		differs: func(l letter, _ map[string]bool) bool { return slices.Contains(l.keywords, "ä") },
		changes: func(want, got []letter, _ map[string]bool) ([]letter, []letter) {
			for i, l := range want {
				want[i].keywords = slices.DeleteFunc(slices.Clone(l.keywords), func(k string) bool { return k == "ä" })
			}
			return want, got
		},
	},
	{
		why:   "Cyrus 3.6 ends the connection at VacationResponse/get",
		when:  func(p jmaptest.Profile, _ string) bool { return p.VacationCloses },
		fails: account.VacationResponse.Name,
	},
	{
		why:   "a server without Identity/set (Cyrus) takes no identities",
		when:  func(p jmaptest.Profile, _ string) bool { return p.NoIdentitySet },
		fails: account.Identity.Name,
	},
	{
		why:     "Cyrus keeps one message of one content, in all its mailboxes and with the keywords of all its copies",
		when:    func(p jmaptest.Profile, _ string) bool { return p.DuplicateAlreadyExists },
		changes: asOne,
		differs: func(l letter, copied map[string]bool) bool { return copied[l.raw] },
	},
}

// asOne makes one message of all of the same bytes. Which copy's date it has
// depends on which came first, and what the others had stays with it when they
// go: where there are or were copies neither date nor places are compared.
func asOne(want, got []letter, copied map[string]bool) ([]letter, []letter) {
	blur := func(list []letter) []letter {
		for i, l := range list {
			if copied[l.raw] {
				list[i] = letter{raw: l.raw, boxes: []string{"several copies"}}
			}
		}
		return list
	}
	var once []letter
	seen := map[string]bool{}
	for _, l := range blur(want) {
		if !seen[l.raw] {
			once = append(once, l)
		}
		seen[l.raw] = true
	}
	return once, blur(got)
}
