package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/jmapclient"
)

// syncs measures the two halves of a move one after the other, and both at once:
// from the server to another one of the same kind, at the same distance.
func (s *scenario) syncs(ctx context.Context) error {
	if err := s.keep(ctx); err != nil {
		return err
	}
	other, err := startServer(s.name)
	if err != nil {
		return err
	}
	defer other.Close()
	far, err := away(other.Addr(), s.rtt)
	if err != nil {
		return err
	}
	defer far.Close()
	to := scenario{server: accounts{server: other}, name: s.name, class: s.class, n: s.n, rtt: s.rtt, dir: s.dir, kept: s.kept, url: "http://" + far.Addr}

	lines := []line{
		{"export", s.export},
		{"import", to.restore},
		{"sync", func(ctx context.Context) (figure, error) { return s.sync(ctx, &to) }},
	}
	took := make([][]time.Duration, len(lines))
	last := make([]figure, len(lines))
	var ratios []float64
	for range s.rounds {
		for i, l := range lines {
			f, err := l.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			took[i], last[i] = append(took[i], f.took), f
		}
		n := len(took[0]) - 1
		ratios = append(ratios, took[2][n].Seconds()/max(took[0][n], took[1][n]).Seconds())
	}
	slices.Sort(ratios)
	for i, l := range lines {
		slices.Sort(took[i])
		f := last[i]
		f.took = took[i][len(took[i])/2]
		name := l.name
		if i == 0 {
			name = fmt.Sprintf("**sync**, %s to %s, %v, %d %s messages: %s", s.name, s.name, s.rtt, s.n, s.class.name, name)
		}
		if i == len(lines)-1 {
			name = fmt.Sprintf("%s (%.2f times as long as the slower half; each round: %.2f)", name, ratios[len(ratios)/2], ratios)
		}
		row(s.out, name, f, "")
	}
	return nil
}

// sync moves the source into an empty account of another server.
func (s *scenario) sync(ctx context.Context, to *scenario) (figure, error) {
	login, err := to.server.fresh()
	if err != nil {
		return figure{}, err
	}
	dir := filepath.Join(s.dir, "synced")
	defer os.RemoveAll(dir)
	f, err := s.profiled(haul{Do: "sync", URL: s.url, Login: source, Dir: dir, To: to.url, ToLogin: login}).run(ctx, s.n)
	if err != nil {
		return f, err
	}
	w, err := dial(ctx, "http://"+to.server.Addr(), login)
	if err != nil {
		return f, err
	}
	defer w.close()
	there, err := w.count(ctx)
	if err == nil && there != s.n {
		err = fmt.Errorf("%d messages were moved, %d are there", s.n, there)
	}
	return f, err
}

// sync is what `mailhaul sync` does.
func (h haul) sync(ctx context.Context, from *jmapclient.Account, res *hauled) error {
	c, err := jmapclient.Dial(ctx, jmapclient.Options{URL: h.To, Auth: jmapclient.Auth{Username: h.ToLogin, Password: password}})
	if err != nil {
		return err
	}
	defer c.Close()
	to, err := c.Account(ctx, h.ToLogin)
	if err != nil {
		return err
	}
	src := exporter.JMAP(from)
	ar, err := archive.Create(h.Dir, src.Origin())
	if err != nil {
		return err
	}
	ar.CommitEvery(500 * time.Millisecond)
	mailboxes, ended, followed := make(chan struct{}), make(chan struct{}), make(chan error)
	var ahead *importer.Result
	go func() {
		var err error
		ahead, err = importer.Follow(ctx, ar, to, importer.Options{}, importer.Export{Mailboxes: mailboxes, Ended: ended})
		followed <- err
	}()
	began := time.Now()
	trace := func(what string) {
		if os.Getenv("BENCH_TRACE") != "" {
			fmt.Fprintf(os.Stderr, "%s after %v\n", what, time.Since(began).Round(time.Millisecond))
		}
	}
	_, err = exporter.Export(ctx, src, ar, exporter.Options{Mailboxes: func() { close(mailboxes) }})
	close(ended)
	trace("exported")
	if ferr := <-followed; err == nil {
		err = ferr
	}
	trace(fmt.Sprintf("followed: %+v", ahead.Types["Email"]))
	if err != nil {
		return err
	}
	done, err := importer.Import(ctx, ar, to, importer.Options{})
	if err != nil {
		return err
	}
	trace("imported")
	done.Ahead(ahead)
	counts := done.Types["Email"]
	res.Messages, res.Octets = counts.Created, counts.Bytes
	res.Requests = c.Stats().Requests
	return ar.Close()
}
