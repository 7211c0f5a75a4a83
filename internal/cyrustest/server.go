package cyrustest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"
)

// User is somebody who may sign in. A login is a bare name or an address; both
// are account ids as they stand.
type User struct{ Login, Password string }

// Server is a running Cyrus.
type Server struct {
	URL       string // of JMAP, http://127.0.0.1:port
	IMAPAddr  string // host:port, without TLS
	SieveAddr string // ManageSieve, host:port, without TLS

	dir      string
	httpAddr string
	watcher  *exec.Cmd
	lifeline io.Closer // the watcher stops the server when it closes
	stop     sync.Once
}

// watch runs Cyrus's master in a session of its own (it signals its whole
// process group when it ends) until standard input is closed, which a dying
// test process does too.
const watch = `trap '' INT TERM HUP
setsid "$@" </dev/null & pid=$!
cat >/dev/null
kill -TERM $pid 2>/dev/null
for i in 1 2 3 4 5 6 7 8 9 10; do kill -0 $pid 2>/dev/null || break; sleep 0.2; done
kill -KILL -- -$pid 2>/dev/null
exec rm -rf "$CYRUSTEST_DIR"`

// patience bounds how long a server may take to answer for the first time.
const patience = 60 * time.Second

// Start starts a server with these users. It is stopped at the end of the test.
func Start(t testing.TB, users ...User) *Server {
	t.Helper()
	if why := missing(); why != "" {
		if os.Getenv("CI") != "" || os.Getenv("MAILHAUL_REQUIRE_CYRUS") != "" {
			t.Fatalf("a Cyrus server is required here, but %s", why)
		}
		t.Skipf("no Cyrus server to test with: %s", why)
	}
	s := &Server{}
	t.Cleanup(s.Stop)
	if err := s.start(); err != nil {
		t.Fatalf("starting Cyrus: %v", err)
	}
	for _, u := range users {
		s.AddUser(t, u)
	}
	return s
}

// AddUser makes an account, with its inbox and special-use mailboxes.
func (s *Server) AddUser(t testing.TB, u User) {
	t.Helper()
	if err := s.setPassword(u); err != nil {
		t.Fatal(err)
	}
	s.IMAP(t, u).Close() // the first sign-in makes the mailboxes
}

// IMAP signs in over IMAP. The connection ends with the test.
func (s *Server) IMAP(t testing.TB, u User) *imapclient.Client {
	t.Helper()
	c, err := imapclient.DialInsecure(s.IMAPAddr, nil)
	if err != nil {
		t.Fatalf("IMAP to Cyrus: %v\n%s", err, s.log())
	}
	t.Cleanup(func() { c.Close() })
	if err := c.Login(u.Login, u.Password).Wait(); err != nil {
		t.Fatalf("IMAP sign-in of %s: %v\n%s", u.Login, err, s.log())
	}
	return c
}

// Stop ends the server and removes what it stored. It may be called twice.
func (s *Server) Stop() {
	s.stop.Do(func() {
		if s.watcher != nil {
			s.lifeline.Close()
			s.watcher.Wait()
		}
		if s.dir != "" {
			os.RemoveAll(s.dir)
		}
	})
}

func (s *Server) start() error {
	var err error
	// Not t.TempDir: a socket's path must stay below 108 octets.
	if s.dir, err = os.MkdirTemp(place(), "cyrus"); err != nil {
		return err
	}
	addrs, err := freeAddrs(3)
	if err != nil {
		return err
	}
	s.httpAddr, s.IMAPAddr, s.SieveAddr = addrs[0], addrs[1], addrs[2]
	s.URL = "http://" + s.httpAddr
	if err := s.configure(); err != nil {
		return err
	}
	// Without a password file every sign-in fails for want of it.
	if err := s.setPassword(User{"admin", "secret"}); err != nil {
		return err
	}
	if err := s.launch(); err != nil {
		return err
	}
	return s.await()
}

func (s *Server) launch() error {
	log, err := os.Create(s.logFile())
	if err != nil {
		return err
	}
	defer log.Close()
	in := func(name string) string { return filepath.Join(s.dir, name) }
	s.watcher = exec.Command("sh", "-c", watch, "watch", master, "-C", in("imapd.conf"), "-M", in("cyrus.conf"), "-p", in("master.pid"), "-D")
	s.watcher.Env = append(os.Environ(), "CYRUSTEST_DIR="+s.dir)
	s.watcher.Stdout, s.watcher.Stderr = log, log
	if s.lifeline, err = s.watcher.StdinPipe(); err != nil {
		return err
	}
	if err := s.watcher.Start(); err != nil {
		s.watcher = nil
		return err
	}
	return nil
}

// await returns once JMAP and IMAP answer.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := s.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no answer in %v: %w\n%s", patience, err, s.log())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *Server) answers(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+"/.well-known/jmap", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	for _, addr := range []string{s.IMAPAddr, s.SieveAddr} {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		conn.Close()
	}
	return nil
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "master.log") }

// log is the end of what the server wrote, for a test's failure.
func (s *Server) log() string {
	text, _ := os.ReadFile(s.logFile())
	return string(text[max(0, len(text)-4000):])
}

// freeAddrs finds loopback addresses that nothing listens on.
func freeAddrs(n int) ([]string, error) {
	var addrs []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // kept until all are known, so that no two are the same
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
