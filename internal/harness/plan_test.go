package harness

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"mailhaul/jmapclient/jmaptest"
)

// plan is a case.
type plan struct {
	Source, Target string
	ExportsAs      string // "alice" or "admin"
	ImportsAs      string
	Workers        int
	Mail           []deed // before all
	Export         [2][]disturbance
	Import         [2][]disturbance
	Between        [2][]deed // between the exports, between the imports
	Delete         bool
	There          []deed    // at the target, between the imports
	Damage         [2]damage // ahead of the second and of the third export
	Follow         bool      // each export is followed by an import while it goes on
	FollowTroubles map[int]trouble
}

// disturbance is a run that is disturbed.
type disturbance struct {
	Troubles  map[int]trouble // by number of the request, from 1
	End       end
	EndAt     int  // the number of a request, or of a write
	Blow      blow // at that write
	EndServed bool // at the answer of that request, else ahead of it
	MeddleAt  int  // the request at which Deed happens to the account; exports only
	Deed      deed
}

// deed is something that the account's owner does, or that happens to it.
type deed struct {
	Do       string // "deliver", "move", "flag", "destroy", "reuse", "forget"
	Which    int    // of the messages there are, modulo their number
	Boxes    []string
	Keywords []string
	Second   int
	Raw      string
}

// paths are mailboxes of a source. Those without a role are made on the way.
var paths = []string{"Inbox", "Drafts", "Projects", "Projects/2024", "Projects/Größe", `a\/b`, "Deep/er/and/deeper", "Sent"}

var words = []string{"$seen", "$flagged", "$answered", "$draft", "$forwarded", "work", "a/b", "ä"}

func drawDeed(t *rapid.T, kinds ...string) deed {
	d := deed{Do: rapid.SampledFrom(kinds).Draw(t, "do"), Which: rapid.IntRange(0, 30).Draw(t, "which")}
	if d.Do == "destroy" || d.Do == "forget" {
		return d
	}
	d.Boxes = rapid.SliceOfNDistinct(rapid.SampledFrom(paths), 1, 2, rapid.ID[string]).Draw(t, "boxes")
	d.Keywords = rapid.SliceOfNDistinct(rapid.SampledFrom(words), 0, 3, rapid.ID[string]).Draw(t, "keywords")
	if d.Do == "move" || d.Do == "flag" {
		return d
	}
	d.Second = rapid.IntRange(0, 5).Draw(t, "second")
	d.Raw = drawRaw(t)
	return d
}

// drawRaw makes messages that are often equal, and often equal but for what is
// not in the key by which they are recognised.
func drawRaw(t *rapid.T) string {
	var b strings.Builder
	if rapid.IntRange(0, 9).Draw(t, "spam") == 9 {
		b.WriteString("X-Spam-Status: Yes\r\n")
	}
	fmt.Fprintf(&b, "From: a@example.org\r\nSubject: %s\r\n", rapid.SampledFrom([]string{"one", "two", "\xe4"}).Draw(t, "subject"))
	if id := rapid.IntRange(0, 12).Draw(t, "id"); id > 2 {
		fmt.Fprintf(&b, "Message-ID: <%d@x>\r\n", id)
	}
	if ref := rapid.IntRange(0, 20).Draw(t, "ref"); ref > 15 {
		fmt.Fprintf(&b, "References: <%d@x>\r\n", ref-13)
	}
	b.WriteString("\r\n")
	body := rapid.SampledFrom([]string{"", "hello", "HELLO", "long"}).Draw(t, "body")
	if body == "long" { // too large for a batch
		body = strings.Repeat("long ", 20_000)
	}
	b.WriteString(body)
	return b.String()
}

func drawDeeds(t *rapid.T, most int, kinds ...string) []deed {
	var list []deed
	for range rapid.IntRange(0, most).Draw(t, "deeds") {
		list = append(list, drawDeed(t, kinds...))
	}
	return list
}

var allDeeds = []string{"deliver", "move", "flag", "destroy", "reuse", "forget"}

func drawDisturbances(t *rapid.T, meddle bool) []disturbance {
	var list []disturbance
	for range rapid.IntRange(0, 3).Draw(t, "disturbed runs") {
		d := disturbance{Troubles: map[int]trouble{}, End: rapid.SampledFrom([]end{goesOn, cancelled, killed, atWrite, atWrite}).Draw(t, "end")}
		for range rapid.IntRange(0, 4).Draw(t, "troubles") {
			d.Troubles[rapid.IntRange(1, 30).Draw(t, "at")] = rapid.SampledFrom(troubles).Draw(t, "trouble")
		}
		if d.End == atWrite {
			d.EndAt = rapid.IntRange(1, 70).Draw(t, "end at write")
			d.Blow = rapid.SampledFrom(blows).Draw(t, "blow")
		} else if d.End != goesOn {
			d.EndAt = rapid.IntRange(1, 25).Draw(t, "end at")
			d.EndServed = rapid.Bool().Draw(t, "served")
		}
		if meddle && rapid.Bool().Draw(t, "meddle") {
			d.MeddleAt = rapid.IntRange(1, 30).Draw(t, "meddle at")
			d.Deed = drawDeed(t, allDeeds...)
		}
		list = append(list, d)
	}
	return list
}

func drawPlan(t *rapid.T) plan {
	var names []string
	for _, p := range jmaptest.Profiles {
		names = append(names, nameOf(p))
	}
	profile, who := rapid.SampledFrom(names), rapid.SampledFrom([]string{"alice", "admin"})
	target := profile
	if os.Getenv("MAILHAUL_HARNESS_CASES") == "" {
		// Two counterexamples with the Cyrus profile as the target are open, see
		// docs/guarantees.md; `make harness` draws it.
		target = rapid.SampledFrom(slices.DeleteFunc(slices.Clone(names), func(n string) bool { return n == nameOf(jmaptest.Cyrus36) }))
	}
	p := plan{
		Source: profile.Draw(t, "source"), Target: target.Draw(t, "target"),
		ExportsAs: who.Draw(t, "exports as"), ImportsAs: who.Draw(t, "imports as"),
		Workers: rapid.SampledFrom([]int{1, 4}).Draw(t, "workers"),
		Mail:    drawDeeds(t, 25, "deliver"),
		Delete:  rapid.IntRange(0, 3).Draw(t, "delete") > 0,
	}
	if p.Follow = rapid.Bool().Draw(t, "follow"); p.Follow {
		p.FollowTroubles = map[int]trouble{}
		for range rapid.IntRange(0, 2).Draw(t, "troubles") {
			p.FollowTroubles[rapid.IntRange(1, 15).Draw(t, "at")] = rapid.SampledFrom(troubles).Draw(t, "trouble")
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "owner's changes there") == 0 {
		p.There = drawDeeds(t, 3, "flag", "move", "destroy")
	}
	for i := range 2 {
		if rapid.IntRange(0, 5).Draw(t, "damage") == 0 {
			p.Damage[i] = damage{rapid.SampledFrom(damages).Draw(t, "damaged"), rapid.IntRange(0, 1000).Draw(t, "where")}
		}
	}
	for i := range 2 {
		p.Export[i] = drawDisturbances(t, true)
		p.Import[i] = drawDisturbances(t, false)
		p.Between[i] = drawDeeds(t, 6, allDeeds...)
	}
	return p
}

func nameOf(p jmaptest.Profile) string {
	if p.Name == "" {
		return "strict"
	}
	return p.Name
}

func profileOf(name string) jmaptest.Profile {
	for _, p := range jmaptest.Profiles {
		if nameOf(p) == name {
			return p
		}
	}
	panic("no profile " + name)
}
