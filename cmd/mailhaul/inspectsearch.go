package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"mailhaul/internal/progress"
	"mailhaul/internal/search"
)

// search writes the messages that hold the words, newest first.
func (l *look) search(ctx context.Context) (*report, error) {
	query := strings.Join(l.args, " ")
	if _, err := search.Match(query); err != nil {
		return nil, usage(l.cmd, err)
	}
	at := l.at
	if at == 0 {
		snapshots, err := l.ar.Snapshots()
		if err != nil {
			return nil, err
		}
		at = snapshots[len(snapshots)-1].Snapshot
	}
	x, err := search.Open(l.ar.Archive)
	if err != nil {
		return nil, err
	}
	defer x.Close()
	shown := false
	stage := progress.Event{Kind: progress.Stage, Account: l.ar.Manifest().Account.Name, Stage: "reading for the search"}
	unread, err := x.Update(ctx, at, func(done, total int64) {
		stage.Done, stage.Total = done, total
		l.app.screen.emit(stage)
		shown = true
	})
	if shown {
		stage.Kind = progress.Finished
		l.app.screen.emit(stage)
	}
	if err != nil {
		return nil, err
	}
	if unread > 0 {
		l.app.screen.emit(progress.Event{Kind: progress.Warning, Text: fmt.Sprintf("%s can't be read and are not searched; `mailhaul verify %s` says which",
			plural(unread, "message", "messages"), shellWord(l.ar.path))})
	}
	found := struct {
		Found int64 `json:"found"`
	}{}
	out := bufio.NewWriter(l.app.stdout)
	for hit, err := range x.Find(ctx, at, query) {
		if err != nil {
			return nil, errors.Join(err, out.Flush())
		}
		l.line(out, hit.Record.Object)
		found.Found++
	}
	return &report{found, func(w io.Writer) {
		if found.Found == 0 {
			fmt.Fprintf(w, "no message holds %s\n", oneLine(query))
		}
	}}, out.Flush()
}
