package main

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2/imapclient"
	"golang.org/x/sync/errgroup"

	"mailhaul/internal/cyrustest"
	"mailhaul/internal/mailgen"
)

// errNoCyrus: there is none to measure.
var errNoCyrus = errors.New("no Cyrus to measure")

// cyrus is a real Cyrus.
type cyrus struct {
	*cyrustest.Server
	host *host
}

// host stands in for the test that cyrustest wants to serve.
type host struct {
	testing.TB
	cleanups []func()
}

// ended is what a host's test died of.
type ended struct{ error }

func (h *host) Helper()          {}
func (h *host) Cleanup(f func()) { h.cleanups = append(h.cleanups, f) }
func (h *host) Fatal(args ...any) {
	panic(ended{errors.New(strings.TrimSpace(fmt.Sprintln(args...)))})
}
func (h *host) Fatalf(format string, args ...any) { panic(ended{fmt.Errorf(format, args...)}) }
func (h *host) Skipf(format string, args ...any) {
	panic(ended{fmt.Errorf("%w: "+format, append([]any{errNoCyrus}, args...)...)})
}

// guarded turns the end of a host's test into an error.
func guarded(f func()) (err error) {
	defer func() {
		if r := recover(); r != nil {
			e, ok := r.(ended)
			if !ok {
				panic(r)
			}
			err = e.error
		}
	}()
	f()
	return nil
}

func startCyrus() (*cyrus, error) {
	c := &cyrus{host: &host{}}
	err := onServers(func() error { return guarded(func() { c.Server = cyrustest.Start(c.host) }) })
	if err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *cyrus) Addr() string {
	addr, _ := hostOf(c.URL)
	return addr
}

func (c *cyrus) IMAPAddr() string { return c.Server.IMAPAddr }

func (c *cyrus) AddUser(login string) error {
	return guarded(func() { c.Server.AddUser(c.host, cyrustest.User{Login: login, Password: password}) })
}

func (c *cyrus) Close() {
	for i := len(c.host.cleanups) - 1; i >= 0; i-- {
		c.host.cleanups[i]()
	}
}

// Fill appends over IMAP, a few connections at once.
func (c *cyrus) Fill(cl class, n int) error {
	if err := c.AddUser(source); err != nil {
		return err
	}
	mail := make(chan mailgen.Message)
	var g errgroup.Group
	done := make(chan struct{})
	if err := c.makeMailboxes(cl, n); err != nil {
		return err
	}
	for range 2 * runtime.NumCPU() {
		g.Go(func() error {
			conn, err := c.signIn()
			if err == nil {
				defer conn.Close()
				err = putAll(conn, mail)
			}
			if err != nil {
				for range mail { // let the sender end
				}
			}
			return err
		})
	}
	go func() {
		defer close(done)
		defer close(mail)
		for m := range cl.mail(n) {
			mail <- m
		}
	}()
	<-done
	return g.Wait()
}

func (c *cyrus) signIn() (*imapclient.Client, error) {
	conn, err := imapclient.DialInsecure(c.Server.IMAPAddr, nil)
	if err != nil {
		return nil, err
	}
	return conn, conn.Login(source, password).Wait()
}

func (c *cyrus) makeMailboxes(cl class, n int) error {
	conn, err := c.signIn()
	if err != nil {
		return err
	}
	defer conn.Close()
	boxes, err := conn.List("", "*", nil).Collect()
	if err != nil {
		return err
	}
	there := map[string]bool{}
	for _, b := range boxes {
		there[b.Mailbox] = true
	}
	for m := range cl.mail(n) {
		for _, path := range m.Mailboxes {
			if !there[path] {
				if err := conn.Create(path, nil).Wait(); err != nil {
					return fmt.Errorf("making %q: %w", path, err)
				}
				there[path] = true
			}
		}
	}
	return nil
}

// putAll appends each message to each of its mailboxes.
func putAll(conn *imapclient.Client, mail <-chan mailgen.Message) error {
	for m := range mail {
		for _, path := range m.Mailboxes {
			if err := cyrustest.Append(conn, path, m); err != nil {
				return err
			}
		}
	}
	return nil
}
