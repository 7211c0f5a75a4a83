package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"mailhaul/internal/mailgen"
	"mailhaul/jmapclient/jmaptest"
)

// memory is jmaptest in a process of its own.
type memory struct {
	addr string
	cmd  *exec.Cmd
	in   io.WriteCloser
	out  *bufio.Reader
}

func profileNamed(name string) (jmaptest.Profile, error) {
	if name == "jmaptest" {
		return jmaptest.Strict, nil
	}
	known := []string{"cyrus", "jmaptest"}
	for _, p := range jmaptest.Profiles {
		if p.Name == name {
			return p, nil
		}
		known = append(known, p.Name)
	}
	return jmaptest.Profile{}, fmt.Errorf("there is no server %q: %s", name, strings.Join(known, ", "))
}

func startMemory(profile string) (*memory, error) {
	if _, err := profileNamed(profile); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	m := &memory{cmd: exec.Command(self, "-serve", profile)}
	m.cmd.Stderr = os.Stderr
	if m.in, err = m.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := m.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := onServers(m.cmd.Start); err != nil {
		return nil, err
	}
	m.out = bufio.NewReader(out)
	line, err := m.out.ReadString('\n')
	if err == nil {
		m.addr, err = hostOf(line)
	}
	if err != nil {
		m.Close()
		return nil, fmt.Errorf("the server %s did not start: %w", profile, err)
	}
	return m, nil
}

func (m *memory) Addr() string { return m.addr }

func (m *memory) IMAPAddr() string { return "" }

func (m *memory) Fill(c class, n int) error { return m.ask("fill", c.name, strconv.Itoa(n)) }

func (m *memory) AddUser(login string) error { return m.ask("user", login) }

func (m *memory) Close() {
	m.in.Close()
	_ = m.cmd.Wait() // it has said what was wrong
}

func (m *memory) ask(words ...string) error {
	if _, err := fmt.Fprintln(m.in, strings.Join(words, " ")); err != nil {
		return err
	}
	line, err := m.out.ReadString('\n')
	if err != nil {
		return err
	}
	if line = strings.TrimSpace(line); line != "ok" {
		return errors.New(line)
	}
	return nil
}

// serve is the process: it prints its URL and does what standard input asks
// for, until that ends.
func serve(profile string) error {
	p, err := profileNamed(profile)
	if err != nil {
		return err
	}
	s := jmaptest.New(jmaptest.Options{Profile: p})
	defer s.Close()
	fmt.Println(s.URL)
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if err := obey(s, strings.Fields(lines.Text())); err != nil {
			fmt.Println(err)
		} else {
			fmt.Println("ok")
		}
	}
	return nil
}

func obey(s *jmaptest.Server, words []string) error {
	switch {
	case len(words) == 2 && words[0] == "user":
		s.AddUser(jmaptest.User{Login: words[1], Password: password, Emails: []string{words[1]}})
		return nil
	case len(words) == 3 && words[0] == "fill":
		c, err := classNamed(words[1])
		if err != nil {
			return err
		}
		n, err := strconv.Atoi(words[2])
		if err != nil {
			return err
		}
		fill(s, c, n)
		return nil
	}
	return fmt.Errorf("not understood: %q", words)
}

func fill(s *jmaptest.Server, c class, n int) {
	s.AddUser(jmaptest.User{Login: source, Password: password, Emails: []string{source}})
	inbox := ""
	for _, m := range s.Mailboxes(source) {
		if m.Role == "inbox" {
			inbox = m.Path
		}
	}
	for m := range c.mail(n) {
		for i, path := range m.Mailboxes {
			if path == mailgen.Inbox {
				m.Mailboxes[i] = inbox
			}
		}
		s.Deliver(source, jmaptest.Message(m))
	}
}
