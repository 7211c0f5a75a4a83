package e2e

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mailhaul/internal/mailgen"
)

// syncing is the command that moves an account in one step.
func syncing(from, to server, login, dir string, more ...string) []string {
	args := append(to.Importer(login), "--json", "sync", login, dir, "--from-url", from.URL(), "--from-credentials", login+":"+password)
	return append(args, more...)
}

// The import has begun, and stored messages, at a time when the export is not
// done and can't be.
func TestImportBeginsWhileTheExportGoesOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from, to := k.start(t), k.start(t)
		from.AddUser(alice)
		to.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(201, 500, 20<<10))...)
		from.Put(alice, mailgen.Hard()[1:5]...) // twins
		source, target := newProxy(t, from), newProxy(t, to)
		blobs := 0
		held := &strike{when: beside, of: func(kind string, calls []call) bool {
			for _, c := range calls {
				blobs += len(c.blobs)
			}
			return content(kind, calls) && blobs > 250
		}}
		held.do = func() {
			for began := time.Now(); target.count("Email/import") == 0; {
				if time.Since(began) > time.Minute {
					t.Error("no message was sent while the export went on")
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
		}
		source.arm(held)
		dir := t.TempDir()
		command := syncing(source, target, alice, dir)
		mailhaul(t, command...).expectDone(t, from)
		if !source.hit(held) {
			t.Fatal("no request was held")
		}
		expectSameMail(t, from.Mail(alice), to.Mail(alice))
		mailhaul(t, append(to.Importer(alice), "verify", "--full", filepath.Join(dir, alice), alice)...).expect(t, 0)

		target.reset()
		mailhaul(t, command...).expectDone(t, from)
		for _, what := range []string{"Email/import", "upload", "Blob/upload", "Blob/set", "Email/set"} {
			if n := target.count(what); n > 0 {
				t.Errorf("a sync of what had not changed sent %d × %s", n, what)
			}
		}
	})
}

// A sync that is killed, wherever that is in either half, goes on: what arrives
// is what there is, once.
func TestKilledSyncsGoOn(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		from := k.start(t)
		from.AddUser(alice)
		from.Put(alice, slices.Collect(mailgen.Sized(211, 700, 2000))...)
		from.Put(alice, mailgen.Hard()[1:5]...)
		want := from.Mail(alice)
		r := chance(t)
		syncs := 0
		for done, kills := 0, k.kills/3; done < kills; syncs++ {
			to := k.start(t)
			to.AddUser(alice)
			source, target := newProxy(t, from), newProxy(t, to)
			command := syncing(source, target, alice, t.TempDir())
			for ended := false; !ended; {
				source.reset()
				target.reset()
				at, s := target, &strike{of: writing, after: r.IntN(4)}
				switch r.IntN(4) {
				case 0:
					at, s = source, &strike{of: content, after: r.IntN(3)}
				case 1:
					s = &strike{after: r.IntN(12)}
				}
				if done == kills {
					mailhaul(t, command...).expectDone(t, from)
					ended = true
				} else if killed(t, r, at, s, command...) {
					done++
				} else {
					ended = true
				}
			}
			expectSameMail(t, want, to.Mail(alice))
			target.reset()
			mailhaul(t, command...).expectDone(t, from)
			if n := target.count("Email/import"); n > 0 {
				t.Errorf("a further sync sent %d × Email/import", n)
			}
		}
		t.Logf("%d syncs", syncs)
	})
}
