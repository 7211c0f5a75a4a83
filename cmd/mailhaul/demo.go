package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"mailhaul/importer"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

func (a *app) demoCommand() *cobra.Command {
	var keep string
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Watch a made-up account move",
		Long: `Move a made-up account between two servers that live in this process, the way the
commands do: export, import, verify. At the end the two servers are compared with
each other, without mailhaul's own verification.`,
		Args: takes(0, 0, "no arguments"),
	}
	cmd.Flags().StringVar(&keep, "keep", "", "leave the archive in this `directory`")
	cmd.RunE = a.does(func(ctx context.Context, _ *cobra.Command, _ []string) (rep *report, err error) {
		dir := keep
		if dir == "" {
			if dir, err = os.MkdirTemp("", "mailhaul-demo-"); err != nil {
				return nil, fmt.Errorf("could not make a directory for the demo: %w", err)
			}
			defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
		}
		d, err := a.demo(ctx, dir)
		if err != nil {
			return nil, err
		}
		if keep != "" {
			d.Archive = filepath.Join(keep, demoUser.Login)
		}
		return &report{d, d.text}, d.verdict()
	})
	return cmd
}

// demonstrated is what the demo has to show.
type demonstrated struct {
	Archive  string    `json:"archive,omitempty"` // if it was kept
	Old      []kind    `json:"old"`
	New      []kind    `json:"new"`
	Moved    *imported `json:"moved"`
	Verified *verified `json:"verified"`
	Unlike   []string  `json:"unlike,omitempty"` // what the judge found
}

// demo runs the three steps between two servers.
func (a *app) demo(ctx context.Context, dir string) (*demonstrated, error) {
	before, after := jmaptest.New(jmaptest.Options{}), jmaptest.New(jmaptest.Options{})
	defer before.Close()
	defer after.Close()
	before.AddUser(demoUser)
	after.AddUser(demoUser)
	a.screen.say("Filling an account on the old server, " + before.URL)
	settle(before)

	from, err := a.demoClient(ctx, before)
	if err != nil {
		return nil, err
	}
	defer from.Close()
	a.screen.say(fmt.Sprintf("mailhaul -u %s export account %s %s", before.URL, demoUser.Login, dir))
	saved, err := a.export(ctx, from, demoUser.Login, dir, nil)
	if err != nil {
		return nil, err
	}

	to, err := a.demoClient(ctx, after)
	if err != nil {
		return nil, err
	}
	defer to.Close()
	ar, err := a.openArchive(ctx, saved.Archive)
	if err != nil {
		return nil, err
	}
	defer ar.Close()
	d := &demonstrated{Verified: &verified{Archive: saved.Archive}}
	a.screen.say(fmt.Sprintf("mailhaul -u %s import account %s %s", after.URL, demoUser.Login, saved.Archive))
	if d.Moved, err = a.restore(ctx, ar, to, demoUser.Login, importer.Options{}); err != nil {
		return nil, err
	}

	a.screen.say(fmt.Sprintf("mailhaul -u %s verify %s %s", after.URL, saved.Archive, demoUser.Login))
	if err := a.verifyArchive(ctx, ar, 0, d.Verified); err != nil {
		return nil, err
	}
	if err := a.verifyServer(ctx, ar, to, demoUser.Login, importer.VerifyOptions{}, d.Verified); err != nil {
		return nil, err
	}
	d.Old, d.New = contentsOf(before, demoUser.Login), contentsOf(after, demoUser.Login)
	d.Unlike = unlike(d.Old, d.New)
	return d, nil
}

func (a *app) demoClient(ctx context.Context, s *jmaptest.Server) (*jmapclient.Client, error) {
	return a.connect(ctx, jmapclient.Options{URL: s.URL, Auth: jmapclient.Auth{Username: demoUser.Login, Password: demoUser.Password}})
}

// verdict is nil only if verify and the judge agree that all is there.
func (d *demonstrated) verdict() error {
	if err := d.Verified.verdict(nil); err != nil {
		return err
	}
	if n := int64(len(d.Unlike)); n > 0 {
		return &differencesError{n}
	}
	return nil
}

func (d *demonstrated) text(w io.Writer) {
	d.Verified.text(w)
	fmt.Fprintf(w, "\nThe two servers themselves, without mailhaul between:\n\n")
	t := newTable("", ">old", ">new", "")
	for i, k := range d.Old {
		same := "the same"
		if !slices.Equal(k.lines, d.New[i].lines) {
			same = "NOT THE SAME"
		}
		t.add(k.Name, k.Count, d.New[i].Count, same)
	}
	t.write(w)
	listed(w, "They differ in:", d.Unlike, int64(len(d.Unlike)), shownDifferences, "all of them: --json")
	if d.Archive != "" {
		fmt.Fprintf(w, "\nThe archive is in %s: try `mailhaul inspect %s`.\n", d.Archive, shellWord(d.Archive))
	}
}
