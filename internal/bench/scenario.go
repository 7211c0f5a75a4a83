package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"mailhaul/internal/mailgen"
)

// scenario is one server with one class of mail, near or far.
type scenario struct {
	server accounts
	name   string // of the server
	class  class
	n      int
	rtt    time.Duration
	rounds int
	// trial is how long a bare loop is tried at a number of connections, limit
	// how long one is measured.
	trial, limit time.Duration
	out          io.Writer
	dir          string // for archives
	profiles     string // a directory for profiles, "" none
	only         string // export or import, "" both
	syncing      bool   // measure sync, and nothing else

	url  string // through the proxy
	mail []mailgen.Message
	all  []remote
	kept string // an archive of the source
}

// measured is one line over several rounds.
type measured struct {
	name    string
	figures []figure
}

// median is the round in the middle by rate; of two, the faster one.
func (m *measured) median() figure {
	sorted := slices.Clone(m.figures)
	slices.SortFunc(sorted, func(a, b figure) int { return cmp.Compare(a.rate(), b.rate()) })
	return sorted[len(sorted)/2]
}

// ratio is the median of the ratios of rounds, which were measured one right
// after the other: a machine's load changes more slowly.
func (m *measured) ratio(to *measured) float64 {
	var all []float64
	for i, f := range m.figures {
		all = append(all, f.rate()/to.figures[i].rate())
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

// line is something that is measured anew in each round.
type line struct {
	name string
	run  func(ctx context.Context) (figure, error)
}

func (s *scenario) measure(ctx context.Context) error {
	p, err := away(s.server.Addr(), s.rtt)
	if err != nil {
		return err
	}
	defer p.Close()
	s.url = "http://" + p.Addr
	if s.syncing {
		return s.syncs(ctx)
	}
	if s.only != "import" {
		if err := s.exports(ctx); err != nil {
			return fmt.Errorf("export: %w", err)
		}
	}
	if s.only != "export" {
		if err := s.imports(ctx); err != nil {
			return fmt.Errorf("import: %w", err)
		}
	}
	return nil
}

func (s *scenario) exports(ctx context.Context) error {
	w, err := dial(ctx, s.url, source)
	if err != nil {
		return err
	}
	defer w.close()
	try := func(limit time.Duration) func(context.Context, tuned) (figure, error) {
		return func(ctx context.Context, t tuned) (figure, error) {
			jobs, err := t.jobs(ctx, w)
			if err != nil {
				return figure{}, err
			}
			return run(ctx, w, jobs, t.connections, limit)
		}
	}
	best, tried, err := fastest(ctx, exportLoops(w, s.all), try(s.trial))
	if err != nil {
		return err
	}
	old := oldExport(s.all)
	lines := []line{
		{"mailhaul", s.export},
		{ceilingName(best), func(ctx context.Context) (figure, error) { return try(s.limit)(ctx, best) }},
		{oldName(old), func(ctx context.Context) (figure, error) { return try(s.limit/2)(ctx, old) }},
	}
	if s.server.IMAPAddr() != "" && haveMbsync() {
		lines = append(lines, line{"mbsync, IMAP to Maildir", s.mbsync})
	}
	listing := tuned{listLoop(s.all, 1), 1}
	lines = append(lines, line{listing.name, func(ctx context.Context) (figure, error) { return try(s.limit/2)(ctx, listing) }})
	return s.table(ctx, "export", lines, tried)
}

func (s *scenario) imports(ctx context.Context) error {
	if err := s.keep(ctx); err != nil {
		return err
	}
	w, err := dial(ctx, s.url, source)
	if err != nil {
		return err
	}
	defer w.close()
	try := func(limit time.Duration) func(context.Context, tuned) (figure, error) {
		return func(ctx context.Context, t tuned) (figure, error) { return s.bareImport(ctx, t, limit) }
	}
	best, tried, err := fastest(ctx, importLoops(w, s.mail), try(s.trial))
	if err != nil {
		return err
	}
	old := oldImport(s.mail)
	return s.table(ctx, "import", []line{
		{"mailhaul", s.restore},
		{ceilingName(best), func(ctx context.Context) (figure, error) { return try(s.limit)(ctx, best) }},
		{oldName(old), func(ctx context.Context) (figure, error) { return try(s.limit/2)(ctx, old) }},
	}, tried)
}

func ceilingName(t tuned) string {
	return fmt.Sprintf("ceiling: %s, %d at once", t.name, t.connections)
}

func oldName(t tuned) string { return fmt.Sprintf("old way: %s, %d at once", t.name, t.connections) }

// trial is how fast a loop was when it was tried.
type trial struct {
	tuned
	figure
}

// fastest finds the fastest loop at its best number of connections.
func fastest(ctx context.Context, loops []loop, try func(context.Context, tuned) (figure, error)) (tuned, []trial, error) {
	var all []trial
	for _, l := range loops {
		t, f, err := tune(l, func(t tuned) (figure, error) { return try(ctx, t) })
		if err != nil {
			return t, all, fmt.Errorf("%s: %w", l.name, err)
		}
		all = append(all, trial{t, f})
	}
	slices.SortStableFunc(all, func(a, b trial) int { return cmp.Compare(b.rate(), a.rate()) })
	return all[0].tuned, all, nil
}

// bareImport runs a bare loop into an empty account.
func (s *scenario) bareImport(ctx context.Context, t tuned, limit time.Duration) (figure, error) {
	login, err := s.server.fresh()
	if err != nil {
		return figure{}, err
	}
	near, err := dial(ctx, "http://"+s.server.Addr(), login)
	if err != nil {
		return figure{}, err
	}
	defer near.close()
	if err := near.makeMailboxes(ctx, s.mail); err != nil { // near: it is not measured
		return figure{}, err
	}
	w, err := dial(ctx, s.url, login)
	if err != nil {
		return figure{}, err
	}
	defer w.close()
	w.mailboxes = near.mailboxes
	jobs, err := t.jobs(ctx, w)
	if err != nil {
		return figure{}, err
	}
	f, err := run(ctx, w, jobs, t.connections, limit)
	runtime.GC() // what was made ready is large, and must not be collected while others are measured
	return f, err
}

// export exports the source into a fresh archive.
func (s *scenario) export(ctx context.Context) (figure, error) {
	dir := filepath.Join(s.dir, "fresh")
	defer os.RemoveAll(dir)
	return s.profiled(haul{Do: "export", URL: s.url, Login: source, Dir: dir}).run(ctx, s.n)
}

// profiled adds what is to be profiled.
func (s *scenario) profiled(h haul) haul {
	if s.profiles != "" {
		name := filepath.Join(s.profiles, fmt.Sprintf("%s-%s-%s-%dms", h.Do, s.name, s.class.name, s.rtt.Milliseconds()))
		h.CPUProfile, h.MemProfile = name+".cpu", name+".allocs"
	}
	return h
}

// keep makes the archive that is imported.
func (s *scenario) keep(ctx context.Context) error {
	if s.kept != "" {
		return nil
	}
	dir := filepath.Join(s.dir, "kept")
	_, err := haul{Do: "export", URL: "http://" + s.server.Addr(), Login: source, Dir: dir}.run(ctx, s.n)
	s.kept = dir
	return err
}

// restore imports a copy of the archive into an empty account: the archive
// itself would gather a journal for each.
func (s *scenario) restore(ctx context.Context) (figure, error) {
	login, err := s.server.fresh()
	if err != nil {
		return figure{}, err
	}
	dir := filepath.Join(s.dir, "copy")
	defer os.RemoveAll(dir)
	if err := os.CopyFS(dir, os.DirFS(s.kept)); err != nil {
		return figure{}, err
	}
	f, err := s.profiled(haul{Do: "import", URL: s.url, Login: login, Dir: dir}).run(ctx, s.n)
	if err != nil {
		return f, err
	}
	w, err := dial(ctx, "http://"+s.server.Addr(), login)
	if err != nil {
		return f, err
	}
	defer w.close()
	there, err := w.count(ctx)
	if err == nil && there != s.n {
		err = fmt.Errorf("%d messages were imported, %d are there", s.n, there)
	}
	return f, err
}
