package e2e

import (
	"bytes"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mailhaul/internal/mailgen"
)

// What goes wrong on a real server ends in the right exit code, and is said.
func TestExitCodes(t *testing.T) {
	onEachKind(t, func(t *testing.T, k kind) {
		s := k.start(t)
		s.AddUser(alice)
		s.AddUser("bob@example.org")
		export := func(url, credentials, who string) result {
			return mailhaul(t, "-u", url, "-c", credentials, "export", "account", who, t.TempDir())
		}
		export(s.URL(), alice+":wrong", alice).expect(t, 5)
		export(s.URL(), "nobody@example.org:"+password, alice).expect(t, 5)
		if r := export(s.URL(), alice+":"+password, "bob@example.org"); r.code == 0 {
			t.Errorf("alice exported bob's account\n%s", r.output())
		} else {
			r.says(t, "bob@example.org")
		}
		if r := export(s.URL(), alice+":"+password, "nobody@example.org"); r.code == 0 {
			t.Errorf("an account that there is not was exported\n%s", r.output())
		} else {
			r.says(t, "nobody@example.org")
		}
		for _, r := range []result{
			export(s.URL(), alice+":hunter2", alice),
			mailhaul(t, append(signIn(s.URL(), alice), "import", "account", alice, t.TempDir())...).expect(t, 7),
		} {
			for _, secret := range []string{"hunter2", password} {
				if strings.Contains(r.stdout+r.stderr, secret) {
					t.Errorf("the password is in the output\n%s", r.output())
				}
			}
		}
	})
}

func TestNoServerThere(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<html>It works!</html>"))
	}))
	defer web.Close()
	r := mailhaul(t, append(signIn(web.URL, alice), "export", "account", alice, t.TempDir())...)
	if r.code == 0 {
		t.Errorf("a web page was exported\n%s", r.output())
	}
	r.says(t, web.URL)

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	mailhaul(t, append(signIn("http://"+l.Addr().String(), alice), "export", "account", alice, t.TempDir())...).expect(t, 6)
}

// The archive of an account holds no credentials.
func TestArchiveHoldsNoCredentials(t *testing.T) {
	t.Parallel()
	s := startMemory(t)
	s.AddUser(alice)
	s.Put(alice, slices.Collect(mailgen.Sized(91, 10, 2000))...)
	path := exportAccount(t, s, alice, t.TempDir())
	importAccount(t, s, alice, path)
	err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(name)
		if bytes.Contains(content, []byte(password)) {
			t.Errorf("the password is in %s", name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
