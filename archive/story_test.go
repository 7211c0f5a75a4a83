package archive

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"time"

	"mailhaul/account"
)

// story is a program that works on an archive, and can be run again at any
// point. It keeps account of what it was promised.
type story struct {
	dir      string
	promised map[string]string // objects that are durable, by type and id
	now      map[string]string // objects as they were put last
	finished int               // snapshots
	entries  map[string]Entry  // of the journal, durable
	notes    int               // the highest note that is durable
	pruned   bool              // older snapshots than the last may be missing
}

func newStory(dir string) *story {
	return &story{dir: dir, promised: map[string]string{}, now: map[string]string{}, entries: map[string]Entry{}}
}

// at is another run of the same program in a copy of the archive.
func (s *story) at(dir string) *story {
	return &story{dir: dir, promised: maps.Clone(s.promised), now: maps.Clone(s.now), finished: s.finished, entries: maps.Clone(s.entries), notes: s.notes, pruned: s.pruned}
}

const storySnapshots = 2

// storyMail is what snapshot n has: the number of each message, and its
// version. From one to the next some come, some go, some change.
func storyMail(n int) map[int]int {
	mail := map[int]int{}
	for i := 2 * n; i < 2*n+4; i++ {
		mail[i] = (i + n) % 3
	}
	return mail
}

func storyObject(i, version int) account.Object {
	o := email(i)
	o.Put("keywords", account.SetOf(fmt.Sprint("v", version)))
	return o
}

// storyContent is of every size: the last is spooled.
func storyContent(i int) []byte {
	if i == 2*storySnapshots+3 {
		return bytes.Repeat([]byte("large "), smallBlob/6+50)
	}
	return message(i)
}

func textOf(o account.Object, h Hash) string { return string(o.Encode()) + string(h) }

// export makes the archive and all snapshots that it lacks.
func (s *story) export() (err error) {
	a, err := Open(s.dir)
	if errors.Is(err, ErrNotArchive) {
		a, err = Create(s.dir, testOrigin)
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	a.packLimit, a.groupTime = 3<<10, time.Hour
	done, err := a.Snapshots()
	if err != nil {
		return err
	}
	for n := len(done) + 1; n <= storySnapshots; n++ {
		if err := s.snapshot(a, n); err != nil {
			return err
		}
	}
	r, err := a.Begin()
	if err != nil {
		return err
	}
	return errors.Join(r.Seen(account.Email, "M1"), r.Discard(), r.Close())
}

func (s *story) snapshot(a *Archive, n int) (err error) {
	r, err := a.Begin()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	if r.Snapshot() != n {
		return fmt.Errorf("snapshot %d is begun, not %d", r.Snapshot(), n)
	}
	if err := r.ClearSeen(account.Email); err != nil {
		return err
	}
	mail := storyMail(n)
	for i := 2 * n; i < 2*n+4; i++ {
		content, o := storyContent(i), storyObject(i, mail[i])
		s.now["Email/"+o.ID()] = textOf(o, sumOf(content))
		h, _, err := r.PutBlob(bytes.NewReader(content), -1)
		if err != nil {
			return err
		}
		if _, err := r.PutObject(account.Email, o, h); err != nil {
			return err
		}
		if err := errors.Join(r.Seen(account.Email, o.ID()), r.SetProgress("at", i)); err != nil {
			return err
		}
		if i%2 == 0 {
			if err := r.Commit(); err != nil {
				return err
			}
			s.promised = maps.Clone(s.now)
		}
	}
	var gone []string
	for id, err := range r.Unseen(account.Email) {
		if err != nil {
			return err
		}
		gone = append(gone, id)
	}
	for _, id := range gone {
		delete(s.now, "Email/"+id)
		if err := r.MarkGone(account.Email, id); err != nil {
			return err
		}
	}
	if err := r.Finish(SnapshotRecord{}); err != nil {
		return err
	}
	s.promised, s.finished = maps.Clone(s.now), n
	return nil
}

// journal is an import's part.
func (s *story) journal() (err error) {
	a, err := Open(s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	j, err := a.Journal("https://new.example.org", "b", "alice")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, j.Close()) }()
	if err := j.ListReset(); err != nil {
		return err
	}
	if err := j.ListPut(Listed{ID: "t0", Key: "k"}, Listed{ID: "t1", Key: "k"}); err != nil {
		return err
	}
	for i := range 3 {
		e := Entry{Type: "Email", SourceID: fmt.Sprint("M", i), State: InFlight}
		for _, e.State = range []State{InFlight, Done} {
			if err := j.Put(e); err != nil {
				return err
			}
			s.entries[e.SourceID] = e
		}
		if err := j.SetNote("at", i+1); err != nil {
			return err
		}
		s.notes = max(s.notes, i+1)
	}
	return errors.Join(j.ListDelete("t1"), j.Delete("Email", "nothing"))
}

// reindex is a Reindex.
func (s *story) reindex() error {
	report, err := Reindex(bg, s.dir, nil)
	if err == nil && len(report.Problems) > 0 {
		err = fmt.Errorf("problems: %+v", report.Problems)
	}
	return err
}

// prune is a Prune of all snapshots but the last.
func (s *story) prune() (err error) {
	a, err := Open(s.dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	a.packLimit = 3 << 10
	s.pruned = true
	if _, err := a.Prune(bg, Keep{Last: 1}, false, nil); err != nil {
		return err
	}
	list, err := a.Snapshots()
	if err == nil && len(list) != 1 {
		err = fmt.Errorf("%d snapshots are left", len(list))
	}
	return err
}

// judge looks at what lies in the directory: all that was promised is there,
// and nothing that was never put.
func (s *story) judge() error {
	a, err := Open(s.dir)
	if errors.Is(err, ErrNotArchive) && s.finished == 0 && len(s.promised) == 0 {
		return nil // it had not come to be one
	}
	if err != nil {
		return err
	}
	defer a.Close()
	report, err := a.Verify(bg, nil)
	if err != nil || len(report.Problems) > 0 {
		return fmt.Errorf("verify: %+v, %w", report, err)
	}
	done, err := a.Snapshots()
	if err != nil || len(done) < s.finished && !s.pruned || s.finished > 0 && done[len(done)-1].Snapshot < s.finished {
		return fmt.Errorf("%+v are finished, not %d: %w", done, s.finished, err)
	}
	for _, rec := range done {
		if err := same(a, rec.Snapshot, storyWant(rec.Snapshot)); err != nil {
			return err
		}
	}
	have, err := holds(a, -1)
	if err != nil {
		return err
	}
	for key, want := range s.promised {
		if have[key] != want && have[key] != s.now[key] {
			return fmt.Errorf("%s is %q, promised was %q", key, have[key], want)
		}
	}
	for key, got := range have {
		if got != s.promised[key] && got != s.now[key] {
			return fmt.Errorf("%s is %q, which was never put", key, got)
		}
	}
	return s.judgeJournal(a)
}

func (s *story) judgeJournal(a *Archive) error {
	if len(s.entries) == 0 {
		return nil
	}
	j, err := a.Journal("https://new.example.org", "b", "alice")
	if err != nil {
		return err
	}
	defer j.Close()
	for id, want := range s.entries {
		got, ok, err := j.Get("Email", id)
		if err != nil || !ok || got.State != want.State && got.State != Done {
			return fmt.Errorf("the entry of %s is %+v (%v), promised was %+v: %w", id, got, ok, want, err)
		}
	}
	var note int
	if _, err := j.Note("at", &note); err != nil || note < s.notes {
		return fmt.Errorf("the note is %d, promised was %d: %w", note, s.notes, err)
	}
	return nil
}

// judgeEnd looks at the archive after the story was told to its end.
func (s *story) judgeEnd() error {
	s.finished = storySnapshots
	s.promised = storyWant(storySnapshots)
	s.now = s.promised
	if err := s.judge(); err != nil {
		return err
	}
	for _, pattern := range []string{spoolPattern, "*.new", "*.pid"} {
		if left, _ := filepath.Glob(filepath.Join(s.dir, pattern)); len(left) > 0 {
			return fmt.Errorf("left behind: %v", left)
		}
	}
	return nil
}

func storyWant(n int) map[string]string {
	want := map[string]string{}
	for i, version := range storyMail(n) {
		o := storyObject(i, version)
		want["Email/"+o.ID()] = textOf(o, sumOf(storyContent(i)))
	}
	return want
}

// holds is what the archive has, every byte of it read.
func holds(a *Archive, at int) (map[string]string, error) {
	all := map[string]string{}
	for rec, err := range a.Objects(at, account.Email) {
		if err != nil {
			return nil, err
		}
		if _, err := readChecked(a, rec.Blob); err != nil {
			return nil, err
		}
		all["Email/"+rec.Object.ID()] = textOf(rec.Object, rec.Blob)
	}
	return all, nil
}

func same(a *Archive, at int, want map[string]string) error {
	have, err := holds(a, at)
	if err != nil || !maps.Equal(have, want) {
		return fmt.Errorf("snapshot %d is %v, not %v: %w", at, have, want, err)
	}
	return nil
}

// quickDir is a directory in which fsync costs nothing, where there is one.
func quickDir() (string, error) {
	base := ""
	if info, err := os.Stat("/dev/shm"); err == nil && info.IsDir() {
		base = "/dev/shm"
	}
	return os.MkdirTemp(base, "mailhaul-archive-")
}
