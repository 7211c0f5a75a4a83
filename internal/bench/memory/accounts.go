package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mailhaul/internal/mailgen"
	"mailhaul/internal/migrate"
	"mailhaul/jmapclient/jmaptest"
)

const (
	perAccount = 20
	// accountsLimit is the most resident memory of a migration, in octets.
	accountsLimit = 300 << 20
	// mostOverhead is how much longer a migration may take than its steps do, as a share.
	mostOverhead = 0.10
	concurrency  = 4
)

// measureAccounts moves so many accounts of 20 messages with `mailhaul migrate`
// and compares how long that takes with the sum of what its steps take, account
// by account.
func measureAccounts(accounts int) error {
	dir, err := os.MkdirTemp("", "mailhaul-accounts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	binary, err := build(dir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	serving := exec.Command(self, "-serve", "-accounts", fmt.Sprint(accounts))
	serving.Stderr = os.Stderr
	out, err := serving.StdoutPipe()
	if err != nil {
		return err
	}
	stdin, err := serving.StdinPipe()
	if err != nil {
		return err
	}
	if err := serving.Start(); err != nil {
		return err
	}
	defer func() { _ = stdin.Close(); _ = serving.Wait() }() // it ends when its input does
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		return fmt.Errorf("the servers did not start: %w", err)
	}
	urls := strings.Fields(line)
	file := filepath.Join(dir, "plan.toml")
	plan := fmt.Sprintf("concurrency = %d\n[old]\nurl = %q\ncredentials = \"env:BENCH\"\n[new]\nurl = %q\ncredentials = \"env:BENCH\"\n[provision]\nskip = true\n[accounts]\nmatch = [\"user*\"]\n",
		concurrency, urls[0], urls[1])
	if err := os.WriteFile(file, []byte(plan), 0o600); err != nil {
		return err
	}
	if err := os.Setenv("BENCH", "admin:"+password); err != nil {
		return err
	}
	took, process, err := run(binary, []string{"migrate", file})
	if err != nil {
		return err
	}
	b, err := os.ReadFile(filepath.Join(dir, "archives", migrate.ReportJSON))
	if err != nil {
		return err
	}
	var rep migrate.Report
	if err := json.Unmarshal(b, &rep); err != nil {
		return err
	}
	var work time.Duration
	for _, a := range rep.Accounts {
		for _, o := range a.Steps {
			work += o.Ended.Sub(o.Started)
		}
	}
	peak, err := peakResident(process)
	if err != nil {
		return err
	}
	overhead := took.Seconds()*concurrency/work.Seconds() - 1
	fmt.Printf("%d accounts, %d messages: %.1f s, %.1f s of work %d at a time, overhead %.1f %%, peak resident %.0f MB\n",
		rep.Totals.Verified, rep.Totals.Messages, took.Seconds(), work.Seconds(), concurrency, overhead*100, float64(peak)/(1<<20))
	switch {
	case rep.Totals.Verified != accounts:
		return fmt.Errorf("%d of %d accounts are verified", rep.Totals.Verified, accounts)
	case peak > accountsLimit:
		return fmt.Errorf("%d MB of resident memory, at most %d are allowed", peak>>20, accountsLimit>>20)
	case overhead > mostOverhead:
		return errors.New("the overhead is more than 10 %")
	}
	return nil
}

// serveAccounts is both servers, until its input ends.
func serveAccounts(accounts int) error {
	var urls []string
	for n := range 2 {
		s := jmaptest.New(jmaptest.Options{Admin: [2]string{"admin", password}})
		defer s.Close()
		for i := range accounts {
			login := fmt.Sprintf("user%05d", i)
			s.AddUser(jmaptest.User{Login: login, Emails: []string{login + "@example.org"}})
			if n > 0 {
				continue
			}
			for m := range mailgen.Sized(uint64(i), perAccount, 4000) {
				s.Deliver(login, jmaptest.Message(m))
			}
		}
		urls = append(urls, s.URL)
	}
	fmt.Println(strings.Join(urls, " "))
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}
