package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/exporter"
	"mailhaul/importer"
	"mailhaul/internal/progress"
	"mailhaul/jmapclient"
)

func (a *app) syncCommand() *cobra.Command {
	var from sourceFlags
	var o importer.Options
	var to, imapURL string
	var watch bool
	cmd := &cobra.Command{
		Use:   "sync ACCOUNT DIR",
		Short: "Export and import in one step, and again for what changed",
		Long: `Copy the account ACCOUNT of the server --from-url into the account of that name
of the server -u, through the archive DIR/ACCOUNT: the same as export account and
then import account, but that the import begins while the export goes on. Both
take hardly longer together than the slower one alone.

Given again, the command carries over what changed since: new messages, flags,
folders, and with --delete also removals. With --watch it stays and does so
whenever something changes, until it is told to stop (Ctrl-C): between two passes
that is no interruption, and the exit code is that of the last pass.`,
		Args: takes(2, 2, "ACCOUNT and DIR"),
	}
	from.register(cmd.Flags())
	cmd.Flags().StringVar(&to, "to-account", "", "the `account` to copy into, if it has another name")
	cmd.Flags().BoolVar(&o.Delete, "delete", false, "remove what an earlier pass put there and the source no longer has")
	cmd.Flags().BoolVar(&watch, "watch", false, "go on with what changes, until told to stop")
	cmd.Flags().StringVar(&imapURL, "imap-url", "", "see `import account`")
	cmd.RunE = a.does(func(ctx context.Context, cmd *cobra.Command, args []string) (*report, error) {
		options, err := a.sourceOptions(ctx, cmd, from)
		if err != nil {
			return nil, err
		}
		target, door, err := a.dialWithIMAP(ctx, cmd, imapURL)
		if err != nil {
			return nil, err
		}
		defer target.Close()
		source, err := a.connect(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("the server to copy from (--from-url, --from-credentials): %w", err)
		}
		defer source.Close()
		o.IMAP = door
		if to == "" {
			to = args[0]
		}
		s, err := a.newSyncer(ctx, source, target, args[0], to, args[1], o)
		if err != nil {
			return nil, err
		}
		a.resumes = true
		done, err := s.run(ctx, watch)
		err = errors.Join(err, s.ar.Close())
		if done == nil {
			return nil, err
		}
		return &report{done, done.text}, err
	})
	return cmd
}

// syncCommits is how often what is exported is there for the import to see.
const syncCommits = 500 * time.Millisecond

// syncer is what the passes of one sync have in common.
type syncer struct {
	a        *app
	from, to *jmapclient.Account
	ar       *opened
	o        importer.Options

	passes  int
	settled bool // the last pass left nothing to import

	mu   sync.Mutex
	told map[string]bool // warnings, which each pass would repeat
}

func (a *app) newSyncer(ctx context.Context, source, target *jmapclient.Client, who, to, parent string, o importer.Options) (*syncer, error) {
	s := &syncer{a: a, o: o, told: map[string]bool{}}
	var err error
	if s.from, err = source.Account(ctx, who); err != nil {
		return nil, fmt.Errorf("the server to copy from: %w", err)
	}
	if s.to, err = target.Account(ctx, to); err != nil {
		return nil, fmt.Errorf("the server to copy to: %w", err)
	}
	if source.Origin() == target.Origin() && s.from.ID == s.to.ID {
		return nil, fmt.Errorf("%s on %s would be copied into itself: give the new server with -u, or another account with --to-account", s.from.Name, source.Origin())
	}
	if o.IMAP != nil && !s.to.Own {
		return nil, fmt.Errorf("--imap-url is for an account that is the signed-in user's own, and %s is not: leave it out, "+
			"or sign in as %[1]s (as administrator it is not needed)", s.to.Name)
	}
	dir := filepath.Join(parent, folderName(who))
	ar, err := openOrCreate(dir, exporter.JMAP(s.from).Origin())
	if err != nil {
		return nil, err
	}
	ar.CommitEvery(syncCommits)
	s.ar = &opened{Archive: ar, path: dir}
	a.tellWho(source, s.from)
	a.tellWho(target, s.to)
	a.tellOrigin(s.ar, s.to)
	return s, nil
}

// run is one pass, or with watch as many as it takes until ctx ends between two.
// It answers the last one.
func (s *syncer) run(ctx context.Context, watch bool) (*synced, error) {
	if !watch {
		return s.pass(ctx)
	}
	return s.watch(ctx)
}

// pass is one export and one import. The import begins while the export goes on.
func (s *syncer) pass(ctx context.Context) (*synced, error) {
	s.passes++
	done := &synced{Pass: s.passes, Archive: s.ar.path, screen: s.a.screen, Source: cost{client: s.from.Client}, Target: cost{client: s.to.Client}}
	done.Source.begin()
	done.Target.begin()
	err := s.both(ctx, done)
	done.Source.end()
	done.Target.end()
	s.settled = err == nil
	done.failed = err
	return done, err
}

func (s *syncer) both(ctx context.Context, done *synced) error {
	src := exporter.JMAP(s.from)
	done.Export = &exported{Account: s.from.Name, AccountID: s.from.ID, Server: s.from.Client.Origin(), Archive: s.ar.path, screen: s.a.screen, dir: s.ar.path, half: true}
	res, ahead, err := s.export(ctx, src)
	if err != nil {
		if _, counts, ok, uerr := s.ar.Unfinished(); uerr == nil && ok {
			done.Export.Unfinished = counts
		}
		return fmt.Errorf("copying from %s: %w", s.from.Client.Origin(), err)
	}
	e := done.Export
	e.Unchanged, e.Fetched, e.Bytes, e.Failed, e.Snapshot = res.Unchanged, res.Fetched, res.Bytes, res.Failed, &res.Snapshot
	if res.Unchanged && s.settled {
		return nil
	}
	o := s.o
	o.Events = s.half("import ")
	in, err := importer.Import(ctx, s.ar.Archive, s.to, o)
	if in != nil {
		in.Ahead(ahead)
		done.Import = &imported{Account: s.to.Name, AccountID: s.to.ID, Server: s.to.Client.Origin(), Archive: s.ar.path, Result: in, screen: s.a.screen, failed: err, half: true}
	}
	if err != nil {
		return fmt.Errorf("copying to %s: %w", s.to.Client.Origin(), err)
	}
	if n := int64(res.Failed + len(in.Failures)); n > 0 {
		return &itemsError{n}
	}
	return nil
}

// export is the one half, with the head start of the other.
func (s *syncer) export(ctx context.Context, src exporter.Source) (*exporter.Result, *importer.Result, error) {
	mailboxes, ended, followed := make(chan struct{}), make(chan struct{}), make(chan struct{})
	following, giveUp := context.WithCancel(ctx)
	defer giveUp()
	var ahead *importer.Result
	go func() {
		defer close(followed)
		o := s.o
		o.Events = s.half("import ")
		var err error
		ahead, err = importer.Follow(following, s.ar.Archive, s.to, o, importer.Export{Mailboxes: mailboxes, Ended: ended})
		if err != nil && following.Err() == nil { // the import meets it too, or does without
			s.a.screen.emit(progress.Event{Kind: progress.Note, Text: fmt.Sprintf("the import waits for the end of the export: %v", err)})
		}
	}()
	res, err := exporter.Export(ctx, src, s.ar.Archive, exporter.Options{Events: s.half("export "), Mailboxes: func() { close(mailboxes) }})
	if err != nil {
		giveUp()
	}
	close(ended)
	<-followed
	return res, ahead, err
}

// half is what one of the halves tells, with its stages named after it: both have
// stages of the same names. A warning is told once, however often it comes.
func (s *syncer) half(name string) progress.Func {
	return func(e progress.Event) {
		if e.Kind == progress.Warning && s.toldBefore(name+e.Item+e.Text) {
			return
		}
		if e.Stage != "" {
			e.Stage = name + e.Stage
		}
		s.a.screen.event(e)
	}
}

func (s *syncer) toldBefore(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.told[text]
	s.told[text] = true
	return before
}
