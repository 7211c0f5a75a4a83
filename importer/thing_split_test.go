package importer

import (
	"cmp"
	"context"
	"testing"

	"mailhaul/jmapclient/jmaptest"
)

// TestThingsUnderTightLimits: what does not fit one request goes in several, and a
// blob that the server has dropped before it was named goes up again.
func TestThingsUnderTightLimits(t *testing.T) {
	source := newTyped(t, jmaptest.Strict)
	source.fillTyped(jmaptest.Strict)
	ar := source.exported(newArchive(t))
	for name, tighten := range map[string]func(*jmaptest.Profile){
		"two objects in a request":  func(p *jmaptest.Profile) { p.Limits.MaxObjectsInSet = 2 },
		"requests of 2 kB":          func(p *jmaptest.Profile) { p.Limits.MaxSizeRequest = 2000 },
		"two uploads kept":          func(p *jmaptest.Profile) { p.UploadKeep = int64(2 * len("photo 1")) },
		"two uploads, two in a set": func(p *jmaptest.Profile) { p.UploadKeep, p.Limits.MaxObjectsInSet = int64(2*len("photo 1")), 2 },
	} {
		for _, p := range []jmaptest.Profile{jmaptest.Strict, jmaptest.Cyrus36} {
			tighten(&p)
			t.Run(name+" "+cmp.Or(p.Name, "strict"), func(t *testing.T) {
				s := newTyped(t, p)
				res := s.imports(ar, Options{})
				for _, f := range res.Failures {
					if f.Type != "FileNode" && f.Type != "Identity" || !isCyrus(p) {
						t.Errorf("failure: %+v", f)
					}
				}
				want := map[string]int{"ContactCard": 4, "Calendar": 2, "AddressBook": 2, "CalendarEvent": 3, "FileNode": 5}
				if isCyrus(p) {
					want = map[string]int{"Contact": 3, "ContactGroup": 1, "Calendar": 2, "CalendarEvent": 3}
				}
				same(t, "things", s.has(p), want)
				rep, err := Verify(context.Background(), ar, s.account(), VerifyOptions{})
				must(t, err)
				for _, d := range rep.Differences {
					if d.Type != "FileNode" && d.Type != "Identity" || !isCyrus(p) {
						t.Errorf("difference: %+v", d)
					}
				}
				if t.Failed() {
					t.Log(res.Types, res.Warnings)
				}
			})
		}
	}
}
