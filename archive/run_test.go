package archive

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"mailhaul/account"
)

func TestAnUnchangedObjectIsNotWrittenAgain(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	h := putEmail(t, r, 1)
	again := account.Object{}
	for k, v := range email(1) {
		again[k] = append([]byte(" "), v...) // the same value, written otherwise
	}
	if changed, err := r.PutObject(account.Email, again, h); err != nil || changed {
		t.Errorf("before the commit: changed %v, %v", changed, err)
	}
	must(t, r.Commit())
	if changed, err := r.PutObject(account.Email, again, h); err != nil || changed {
		t.Errorf("after the commit: changed %v, %v", changed, err)
	}
	if changed, err := r.PutObject(account.Email, again, ""); err != nil || !changed {
		t.Errorf("without its content it is another record: changed %v, %v", changed, err)
	}
	must(t, r.MarkGone(account.Email, "M1"))
	must(t, r.MarkGone(account.Email, "never there"))
	if changed, err := r.PutObject(account.Email, again, h); err != nil || !changed {
		t.Errorf("after it was gone: changed %v, %v", changed, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	verifyClean(t, a)
}

func TestARunSeesWhatItHasNotCommitted(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	h := putEmail(t, r, 1)
	if got, size, ok, err := r.BlobFor("B1"); got != h || size != int64(len(message(1))) || !ok || err != nil {
		t.Errorf("BlobFor: %v %d %v %v", got, size, ok, err)
	}
	if rec, err := r.Get(account.Email, "M1"); err != nil || rec.Blob != h || !rec.Object.Equal(email(1)) {
		t.Errorf("Get: %+v %v", rec, err)
	}
	if _, err := a.Object(-1, account.Email, "M1"); !errors.Is(err, ErrNotFound) {
		t.Errorf("a reader sees it before the commit: %v", err)
	}
	must(t, r.SetProgress("anchor", "M1"))
	var anchor string
	if ok, err := r.Progress("anchor", &anchor); !ok || err != nil || anchor != "M1" {
		t.Errorf("Progress: %q %v %v", anchor, ok, err)
	}
	if n, err := r.Count(account.Email); n != 1 || err != nil {
		t.Errorf("Count: %d %v", n, err)
	}
	must(t, r.Close())

	r = begin(t, a)
	if !r.Resumed() || r.Snapshot() != 1 {
		t.Errorf("the next run writes snapshot %d, resumed %v", r.Snapshot(), r.Resumed())
	}
	if ok, err := r.Progress("anchor", &anchor); !ok || err != nil {
		t.Errorf("Progress after resuming: %v %v", ok, err)
	}
	if n, counts, ok, err := a.Unfinished(); n != 1 || counts["Email"] != 1 || !ok || err != nil {
		t.Errorf("Unfinished: %d %v %v %v", n, counts, ok, err)
	}
	if _, _, ok, err := r.BlobFor("B2"); ok || err != nil {
		t.Errorf("BlobFor of an unknown id: %v %v", ok, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	r = begin(t, a)
	if ok, err := r.Progress("anchor", &anchor); ok || err != nil {
		t.Errorf("progress outlives its snapshot: %v %v", ok, err)
	}
}

func TestARunThatPutsNothingLeavesNoSnapshot(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	must(t, r.Seen(account.Email, "M1")) // to have looked is not to have put
	must(t, r.Close())
	if _, _, ok, err := a.Unfinished(); ok || err != nil {
		t.Errorf("unfinished snapshot: %v %v", ok, err)
	}
	if files, err := a.packFiles(); len(files) != 0 || err != nil {
		t.Errorf("packs: %v %v", files, err)
	}
}

func TestUnseenAreTheObjectsAnEnumerationMissed(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	for n := range 1200 {
		_, err := r.PutObject(account.Mailbox, account.Object{"id": account.Marshal(fmt.Sprint(n))}, "")
		must(t, err)
	}
	must(t, r.Finish(SnapshotRecord{}))
	r = begin(t, a)
	must(t, r.MarkGone(account.Mailbox, "7"))
	for n := range 1200 {
		if n%2 == 0 {
			must(t, r.Seen(account.Mailbox, fmt.Sprint(n)))
		}
	}
	must(t, r.Close()) // and go on
	r = begin(t, a)
	count := 0
	for id, err := range r.Unseen(account.Mailbox) {
		must(t, err)
		if n := id[len(id)-1]; n%2 == 0 || id == "7" {
			t.Errorf("%s was seen or is gone", id)
		}
		must(t, r.MarkGone(account.Mailbox, id))
		count++
	}
	if count != 599 {
		t.Errorf("%d unseen, not 599", count)
	}
	must(t, r.ClearSeen(account.Mailbox))
	count = 0
	for _, err := range r.Unseen(account.Mailbox) {
		must(t, err)
		count++
	}
	if count != 600 {
		t.Errorf("%d unseen after ClearSeen, not 600", count)
	}
}

func TestPacksAreSealedAndNeverWrittenAgain(t *testing.T) {
	a := create(t)
	a.packLimit = 20 << 10
	r := begin(t, a)
	rng := rand.New(rand.NewPCG(1, 2))
	sums := map[string][32]byte{}
	for range 40 {
		b := make([]byte, 4<<10)
		for i := range b {
			b[i] = byte(rng.Uint32())
		}
		_, _, err := r.PutBlob(bytes.NewReader(b), -1)
		must(t, err)
		packs, err := a.packRows()
		must(t, err)
		for _, p := range packs {
			data, err := os.ReadFile(a.packPath(p.n))
			must(t, err)
			if sum, ok := sums[packName(p.n)]; ok && sum != sha256.Sum256(data) {
				t.Errorf("%s was written after it was sealed", packName(p.n))
			}
			if p.sealed {
				sums[packName(p.n)] = sha256.Sum256(data)
			}
		}
	}
	must(t, r.Finish(SnapshotRecord{}))
	if len(sums) < 6 {
		t.Errorf("only %d packs were sealed", len(sums))
	}
	verifyClean(t, a)
}

func TestAnImportKeepsItsJournalWhileAnExportWrites(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	b := open(t, a.Dir()) // as another process would
	j, err := b.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	var wg sync.WaitGroup
	wg.Go(func() {
		for n := range 300 {
			h, _, err := r.PutBlob(bytes.NewReader(message(n)), -1)
			if err == nil {
				_, err = r.PutObject(account.Email, email(n), h)
			}
			if err == nil && n%10 == 0 {
				err = r.Commit()
			}
			if err != nil {
				t.Error(err)
				return
			}
		}
	})
	for n := range 100 {
		must(t, j.Put(Entry{Type: "Email", SourceID: email(n).ID(), State: InFlight}))
	}
	wg.Wait()
	must(t, r.Finish(SnapshotRecord{}))
	if n, _, err := j.PendingCount(0); n != 300 || err != nil {
		t.Error(n, err)
	}
	verifyClean(t, b)
}

func TestLoopsMayBeNested(t *testing.T) {
	a := create(t)
	r := begin(t, a)
	for n := range 30 {
		putEmail(t, r, n)
	}
	must(t, r.Finish(SnapshotRecord{}))
	j, err := a.Journal("https://new.example.org", "b", "alice")
	must(t, err)
	defer j.Close()
	done := 0
	for rec, err := range a.Objects(0, account.Email) {
		must(t, err)
		for range a.Objects(0, account.Email) {
			for range a.Objects(0, account.Email) {
				for range a.Objects(0, account.Email) {
					for range a.Objects(0, account.Email) {
						readBlob(t, a, rec.Blob)
						break
					}
					break
				}
				break
			}
			break
		}
		must(t, j.Put(Entry{Type: "Email", SourceID: rec.Object.ID(), State: InFlight}))
		done++
	}
	if done != 30 {
		t.Error(done)
	}
}
