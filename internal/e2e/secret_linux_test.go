package e2e

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

const (
	robot   = "robot@example.org" // signs in with a token
	secret  = "vE7y+s3cret/Phrase"
	bearing = "t0ken-of.The_Robot~123"
)

// secrets are the texts that must turn up nowhere.
func secrets() []string {
	plain := []string{secret, bearing}
	list := slices.Clone(plain)
	for _, s := range plain {
		list = append(list, url.QueryEscape(s), base64.StdEncoding.EncodeToString([]byte(s)))
	}
	return append(list, base64.StdEncoding.EncodeToString([]byte(alice+":"+secret)))
}

func expectNoSecret(t *testing.T, where string, text []byte) {
	t.Helper()
	for _, s := range secrets() {
		if at := bytes.Index(text, []byte(s)); at >= 0 {
			t.Errorf("%s holds the secret %q: …%q…", where, s, text[max(at-200, 0):min(at+len(s)+50, len(text))])
		}
	}
}

// expectNoSecretIn looks into every file of an archive, and into what is
// compressed in its packs.
func expectNoSecretIn(t *testing.T, dir string) {
	t.Helper()
	packs := 0
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		raw, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		expectNoSecret(t, name, raw)
		if !strings.HasSuffix(name, ".zst") {
			return nil
		}
		packs++
		z, err := zstd.NewReader(bytes.NewReader(raw))
		if err != nil {
			return err
		}
		defer z.Close()
		plain, err := io.ReadAll(z)
		expectNoSecret(t, name+", decompressed", plain)
		if len(plain) <= len(raw)/2 {
			t.Errorf("%s holds %d bytes, decompressed %d: it was not read", name, len(raw), len(plain))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if packs == 0 {
		t.Errorf("no pack in %s: nothing was tested", dir)
	}
}

// terminal is a pseudo-terminal on which somebody has typed a line.
func terminal(t *testing.T, line string) *os.File {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	fd := int(master.Fd())
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err := errors.Join(err, unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)); err != nil {
		t.Fatal(err)
	}
	slave, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { slave.Close() })
	if _, err := master.WriteString(line + "\n"); err != nil {
		t.Fatal(err)
	}
	return slave
}

// way is a way to give credentials.
type way struct {
	name, login string
	flags, env  []string
	typed       string
	inArgs      bool // they are on the command line, where everybody can read them
}

func ways(t *testing.T) []way {
	file := filepath.Join(t.TempDir(), "credentials")
	if err := os.WriteFile(file, []byte(alice+":"+secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return []way{
		{name: "flag", login: alice, flags: []string{"-c", alice + ":" + secret}, inArgs: true},
		{name: "file", login: alice, flags: []string{"--credentials-file", file}},
		{name: "environment", login: alice, env: []string{"MAILHAUL_CREDENTIALS=" + alice + ":" + secret}},
		{name: "prompt", login: alice, typed: alice + ":" + secret},
		{name: "bearer", login: robot, flags: []string{"--auth", "bearer"}, env: []string{"MAILHAUL_CREDENTIALS=" + bearing}},
		{name: "bearer flag", login: robot, flags: []string{"--auth", "bearer", "-c", bearing}, inArgs: true},
	}
}

// run runs mailhaul that way and looks at all it says.
func (w way) run(t *testing.T, url string, args ...string) result {
	t.Helper()
	var stdin *os.File
	if w.typed != "" {
		stdin = terminal(t, w.typed)
	}
	r := startWith(t, w.env, stdin, slices.Concat([]string{"-u", url, "--give-up-after", "1s"}, w.flags, args)...)
	if !w.inArgs {
		for _, pid := range family(r.cmd.Process.Pid) {
			// It may have ended by now; it has read its arguments by then, and so have we.
			args, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			expectNoSecret(t, "the command line of a process", args)
		}
	}
	err := r.cmd.Wait()
	r.cancel()
	res := result{r.cmd.ProcessState.ExitCode(), r.stdout.String(), r.stderr.String()}
	if res.code < 0 {
		t.Fatal(err)
	}
	expectNoSecret(t, "standard output of "+strings.Join(args, " "), []byte(res.stdout))
	expectNoSecret(t, "standard error of "+strings.Join(args, " "), []byte(res.stderr))
	return res
}

// family is a process and its children.
func family(pid int) []int {
	list := []int{pid}
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid)) // none, or it has ended
	for _, f := range strings.Fields(string(children)) {
		var n int
		if _, err := fmt.Sscan(f, &n); err == nil {
			list = append(list, n)
		}
	}
	return list
}

// No password and no token turns up in what mailhaul says, as text or as JSON,
// nor in its archives, nor, given otherwise, on a command line.
func TestNoSecretIsLeftAnywhere(t *testing.T) {
	t.Parallel()
	s, to := startMemory(t).(memory), startMemory(t).(memory)
	for _, s := range []memory{s, to} {
		s.Server.AddUser(jmaptest.User{Login: alice, Password: secret, Emails: []string{alice}})
		s.Server.AddUser(jmaptest.User{Login: robot, Token: bearing, Emails: []string{robot}})
	}
	for _, login := range []string{alice, robot} {
		s.Put(login, slices.Collect(mailgen.Sized(91, 10, 2000))...)
	}
	for _, w := range ways(t) {
		for _, loud := range [][]string{{"-v"}, {"-v", "--json"}} {
			dir := t.TempDir()
			path := filepath.Join(dir, w.login)
			for _, args := range [][]string{
				{"export", "account", w.login, dir},
				{"import", "account", w.login, path},
				{"verify", path, w.login},
			} {
				w.run(t, s.URL(), slices.Concat(loud, args)...).expect(t, 0)
			}
			both := w
			both.env = append(slices.Clone(w.env), "MAILHAUL_FROM_URL="+s.URL(), "MAILHAUL_FROM_CREDENTIALS="+alice+":"+secret)
			sync := []string{"sync", w.login, dir}
			if w.login == robot {
				both.env[len(both.env)-1] = "MAILHAUL_FROM_CREDENTIALS=" + bearing
				sync = append(sync, "--from-auth", "bearer")
			}
			both.run(t, to.URL(), slices.Concat(loud, sync)...).expect(t, 0)
			expectNoSecretIn(t, path)
		}
	}
}

// A server that throws credentials back at whoever gave them finds no printer.
func TestServersThatEchoCredentials(t *testing.T) {
	t.Parallel()
	good := startMemory(t).(memory)
	good.Server.AddUser(jmaptest.User{Login: alice, Password: secret, Emails: []string{alice}})
	good.Server.AddUser(jmaptest.User{Login: robot, Token: bearing, Emails: []string{robot}})
	for _, login := range []string{alice, robot} {
		good.Put(login, slices.Collect(mailgen.Sized(92, 10, 2000))...)
	}
	ways := ways(t)
	for _, w := range []way{ways[2], ways[4]} {
		path := filepath.Join(t.TempDir(), w.login)
		w.run(t, good.URL(), "export", "account", w.login, filepath.Dir(path)).expect(t, 0)
		for _, status := range []int{400, 401, 403, 404, 500} {
			for _, late := range []bool{false, true} { // at once, or after a good session
				url := echoing(t, good, status, late)
				for _, args := range [][]string{
					{"export", "account", w.login, t.TempDir()},
					{"import", "account", w.login, path},
				} {
					if r := w.run(t, url, slices.Concat([]string{"-v", "--json"}, args)...); r.code == 0 {
						t.Errorf("a server that answers all with %d is fine?\n%s", status, r.output())
					}
				}
			}
		}
		expectNoSecretIn(t, path)
	}
}

// echoing is a server whose errors hold the credentials it was given.
func echoing(t *testing.T, good server, status int, late bool) string {
	p := newProxy(t, good)
	h := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if kind, _ := classify(r); late && kind == "session" {
			p.ServeHTTP(w, r)
			return
		}
		said := r.Header.Get("Authorization")
		_, code, _ := strings.Cut(said, " ")
		plain, _ := base64.StdEncoding.DecodeString(code) // of a token nothing is left
		w.Header().Set("Content-Type", "application/problem+json")
		w.Header().Set("X-You-Said", said)
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"type":"about:blank","status":%d,"title":"you said %s","detail":"that is %s and %s"}`, status, said, plain, code)
	}))
	t.Cleanup(h.Close)
	return h.URL
}
