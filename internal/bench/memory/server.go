package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"mailhaul/account"
	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

// medianSize of a message, in octets; the mean is about 25 000.
const medianSize = 15_000

// connections is how many downloads the bare loop has under way: what the
// server allows one user.
const connections = 4

// serve is the server's process: it prints its URL and serves until standard
// input ends.
func serve(messages int) error {
	s := jmaptest.New(jmaptest.Options{})
	defer s.Close()
	for _, login := range []string{source, target} {
		s.AddUser(jmaptest.User{Login: login, Password: password, Emails: []string{login}})
	}
	inbox := ""
	for _, m := range s.Mailboxes(source) {
		if m.Role == "inbox" {
			inbox = m.Path
		}
	}
	for m := range mailgen.Sized(1, messages, medianSize) {
		for i, path := range m.Mailboxes {
			if path == mailgen.Inbox {
				m.Mailboxes[i] = inbox
			}
		}
		s.Deliver(source, jmaptest.Message(m))
	}
	fmt.Println(s.URL)
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// plain keeps a connection for each download under way.
var plain = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: connections}}

// server is the server's process, seen from the benchmark.
type server struct {
	url  string
	cmd  *exec.Cmd
	life io.Closer
}

func startServer(messages int) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self, "-serve", "-messages", strconv.Itoa(messages))}
	s.cmd.Stderr = os.Stderr
	if s.life, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	s.url = strings.TrimSpace(line)
	return s, nil
}

func (s *server) stop() {
	s.life.Close()
	_ = s.cmd.Wait() // it has said what was wrong
}

// downloadAll fetches every message of an account and throws it away: nothing
// that keeps mail can be faster. It answers the octets.
func (s *server) downloadAll(ctx context.Context, login string, messages int) (int64, error) {
	c, err := jmapclient.Dial(ctx, jmapclient.Options{URL: s.url, Auth: jmapclient.Auth{Username: login, Password: password}})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	a, err := c.Account(ctx, "")
	if err != nil {
		return 0, err
	}
	ids := make(chan string, 2*connections)
	var octets atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(ids)
		return list(ctx, a, messages, ids)
	})
	for range connections {
		g.Go(func() error {
			for id := range ids {
				n, err := s.download(ctx, c.Session(), a.ID, login, id)
				if err != nil {
					return err
				}
				octets.Add(n)
			}
			return nil
		})
	}
	err = g.Wait()
	return octets.Load(), err
}

// list sends the blob ids of all messages.
func list(ctx context.Context, a *jmapclient.Account, messages int, ids chan<- string) error {
	after, n := "", 0
	for {
		p, err := a.Page(ctx, account.Email, jmapclient.PageArgs{
			Sort:  []jmapclient.Comparator{{Property: "receivedAt", IsAscending: true}},
			After: after, Limit: 500, Props: []string{"id", "blobId"},
		})
		if err != nil {
			return err
		}
		for _, e := range p.List {
			select {
			case ids <- e.Text("blobId"):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		if n += len(p.IDs); len(p.IDs) == 0 {
			if n != messages {
				return fmt.Errorf("%s has %d messages, not %d", a.Name, n, messages)
			}
			return nil
		}
		after = p.IDs[len(p.IDs)-1]
	}
}

func (s *server) download(ctx context.Context, session *jmapclient.Session, accountID, login, blobID string) (int64, error) {
	address := strings.NewReplacer("{accountId}", url.PathEscape(accountID), "{blobId}", url.PathEscape(blobID), "{name}", "m", "{type}", "message%2Frfc822").
		Replace(session.DownloadURL)
	base, err := url.Parse(s.url)
	if err != nil {
		return 0, err
	}
	full, err := base.Parse(address)
	if err != nil {
		return 0, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, full.String(), nil)
	if err != nil {
		return 0, err
	}
	req.SetBasicAuth(login, password)
	resp, err := plain.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("download of %s: %s", blobID, resp.Status)
	}
	return io.Copy(io.Discard, resp.Body)
}
