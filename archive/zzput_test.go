package archive

import (
	"fmt"
	"os"
	"runtime/pprof"
	"testing"
	"time"
)

func TestZZPut(t *testing.T) {
	a := zzGrow(t, "/tmp/arch/g100000", 100000)
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	var items []PendingItem
	for p, err := range j.Pending(0) {
		must(t, err)
		if items = append(items, p); len(items) == 20000 {
			break
		}
	}
	f, _ := os.Create("/tmp/arch/put.prof")
	pprof.StartCPUProfile(f)
	for _, s := range []State{InFlight, Done} {
		c0, t0 := cpu(), time.Now()
		for b := range 400 {
			var e []Entry
			for _, p := range items[b*50 : b*50+50] {
				e = append(e, Entry{Type: "Email", SourceID: p.SourceID, Blob: p.Blob, State: s, TargetID: "T" + p.SourceID, TargetBlobID: "TB" + p.SourceID, Applied: `["inbox"],["$seen"],1700000000`})
			}
			must(t, j.Put(e...))
		}
		fmt.Println(s, "per entry cpu", (cpu()-c0)/20000, "wall", time.Since(t0)/20000)
	}
	pprof.StopCPUProfile()
	var ids []string
	for _, p := range items {
		ids = append(ids, p.SourceID)
	}
	must(t, j.Delete("Email", ids...))
}
