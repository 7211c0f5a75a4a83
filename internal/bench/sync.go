package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
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
	far, err := startProxy(other.Addr(), s.rtt)
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
	list := make([]measured, len(lines))
	slower := measured{}
	for range s.rounds {
		for i, l := range lines {
			f, err := l.run(ctx)
			if err != nil {
				return fmt.Errorf("%s: %w", l.name, err)
			}
			list[i].figures = append(list[i].figures, f)
		}
		n := len(list[0].figures) - 1
		slower.figures = append(slower.figures, slowest(list[0].figures[n], list[1].figures[n]))
	}
	row(s.out, fmt.Sprintf("**sync**, %s to %s, %v, %d %s messages: export alone", s.name, s.name, s.rtt, s.n, s.class.name), list[0].median(), "")
	row(s.out, "import alone", list[1].median(), "")
	row(s.out, fmt.Sprintf("sync: %.2f of the slower one's time", slower.ratio(&list[2])), list[2].median(), "")
	return nil
}

func slowest(a, b figure) figure {
	if a.took > b.took {
		return a
	}
	return b
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
	_, err = exporter.Export(ctx, src, ar, exporter.Options{Mailboxes: func() { close(mailboxes) }})
	close(ended)
	if ferr := <-followed; err == nil {
		err = ferr
	}
	if err != nil {
		return err
	}
	done, err := importer.Import(ctx, ar, to, importer.Options{})
	if err != nil {
		return err
	}
	done.Ahead(ahead)
	counts := done.Types["Email"]
	res.Messages, res.Octets = counts.Created, counts.Bytes
	res.Requests = c.Stats().Requests
	return ar.Close()
}
