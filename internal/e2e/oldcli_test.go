package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mailhaul/account"
	"mailhaul/internal/mailgen"
)

const oldCLIDir = "../../testdata/old-cli/alice"

// A directory that the old CLI exported from a real server is taken where an
// archive is.
func TestOldDirectoryArrivesWhole(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		to := k.start(t)
		to.AddUser(alice)
		want := oldDirectory(t, to.Mailboxes(alice))
		if len(want) < 10 {
			t.Fatalf("%d messages in %s", len(want), oldCLIDir)
		}
		dir := filepath.Join(t.TempDir(), "alice") // an archive will stand beside it
		if err := os.CopyFS(dir, os.DirFS(oldCLIDir)); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time all is there
			importAccount(t, to, alice, dir)
			expectSameMail(t, want, to.Mail(alice))
		}
	})
}

// oldDirectory is what has to arrive: mailboxes with a role that the target
// has are the target's.
func oldDirectory(t *testing.T, target []mailbox) []item {
	t.Helper()
	byRole := map[string]string{}
	for _, m := range target {
		byRole[m.Role] = m.Path
	}
	boxes := map[string]account.Object{}
	for _, m := range oldObjects(t, "mailboxes.json") {
		boxes[m.ID()] = m
	}
	var pathOf func(id string) string
	pathOf = func(id string) string {
		m := boxes[id]
		if role := m.Text("role"); role != "" {
			if path, ok := byRole[role]; ok {
				return path
			}
		}
		if parent := m.Text("parentId"); parent != "" {
			return pathOf(parent) + "/" + m.Text("name")
		}
		return m.Text("name")
	}
	var items []item
	for _, e := range oldObjects(t, "emails.json") {
		raw, err := os.ReadFile(filepath.Join(oldCLIDir, "blobs", e.Text("blobId")))
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range e.Set("mailboxIds") {
			items = append(items, newItem(pathOf(id), raw, e.Set("keywords"), e.Time("receivedAt")))
		}
	}
	if !slices.ContainsFunc(items, func(i item) bool { return i.Mailbox == mailgen.Inbox }) {
		t.Fatal("nothing is expected in the inbox: the roles are not understood")
	}
	return items
}

func oldObjects(t *testing.T, file string) []account.Object {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(oldCLIDir, file))
	if err != nil {
		t.Fatal(err)
	}
	var objects []account.Object
	if err := json.Unmarshal(text, &objects); err != nil {
		t.Fatal(err)
	}
	return objects
}
