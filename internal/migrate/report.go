package migrate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// The files that the step report writes, beside the archives.
const (
	ReportPage = "report.html"
	ReportJSON = "report.json"
)

// Report is what became of a plan.
type Report struct {
	Plan     string     `json:"plan"`
	Old      string     `json:"old"` // servers, as the plan names them
	New      string     `json:"new"`
	Written  time.Time  `json:"written"`
	Started  time.Time  `json:"started,omitzero"` // of the first step of any account
	Ended    time.Time  `json:"ended,omitzero"`
	Totals   Totals     `json:"totals"`
	Accounts []*Account `json:"accounts"`
	Chart    []Point    `json:"chart"`
	Borrowed int        `json:"borrowedSignIns,omitempty"` // that are still to be returned
}

// Totals are the sums over all accounts.
type Totals struct {
	Accounts     int   `json:"accounts"`
	Verified     int   `json:"verified"` // everything that the archive has is on the new server
	Attention    int   `json:"attention"`
	Unfinished   int   `json:"unfinished"` // neither: something was not done yet
	Messages     int64 `json:"messages"`
	Bytes        int64 `json:"bytes"`
	Failed       int64 `json:"failedItems"`
	Differences  int64 `json:"differences"`
	Unsubscribed int   `json:"unsubscribed"` // accounts whose subscriptions could not be carried over
}

// Verdict is what became of an account as a whole.
func (a *Account) Verdict() string {
	for _, step := range Steps {
		if o := a.Steps[step]; o.State.bad() && step != CheckStep || o.State == Failed {
			return map[State]string{Partial: "items failed", Differs: "differs", Failed: "failed", Blocked: "not tried"}[o.State]
		}
	}
	switch {
	case a.Steps[VerifyStep].State == Done:
		return "verified"
	case a.Steps[CutoverStep].State == Done:
		return "cut over"
	case a.Steps[CopyStep].State == Done:
		return "copied"
	}
	return "not yet"
}

// Of is what became of a step, for the page.
func (a *Account) Of(step string) Outcome { return a.Steps[Step(step)] }

// Worst is the outcome that decides the verdict: the first that went wrong, else
// the last.
func (a *Account) Worst() Outcome {
	var last Outcome
	for _, step := range Steps {
		o, ok := a.Steps[step]
		if ok && (o.State == Failed || o.State.bad() && step != CheckStep) {
			return o
		}
		if ok {
			last = o
		}
	}
	return last
}

// MakeReport gathers the report of a plan from its state.
func MakeReport(p *Plan) (rep *Report, err error) {
	s, err := readStore(p.Directory())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	rep = &Report{Plan: p.path, Old: p.Old.URL, New: p.New.URL, Written: time.Now().UTC()}
	if rep.Accounts, err = s.accounts(); err != nil {
		return nil, err
	}
	if rep.Chart, err = s.points(); err != nil {
		return nil, err
	}
	if err := s.db.QueryRow("SELECT count(*) FROM borrowed").Scan(&rep.Borrowed); err != nil {
		return nil, fmt.Errorf("could not read the state: %w", err)
	}
	t := &rep.Totals
	for _, a := range rep.Accounts {
		t.Accounts++
		t.Messages += a.Messages
		t.Bytes += a.Bytes
		if worst := a.Worst(); worst.State.bad() && worst.Step != CheckStep || worst.State == Failed {
			t.Attention++
		} else if a.Verdict() == "verified" {
			t.Verified++
		} else {
			t.Unfinished++
		}
		unsubscribed := false
		for _, o := range a.Steps {
			if o.Step == CopyStep || o.Step == CutoverStep {
				unsubscribed = o.Detail.Unsubscribed
			}
			if !o.Started.IsZero() && (rep.Started.IsZero() || o.Started.Before(rep.Started)) {
				rep.Started = o.Started
			}
			if o.Ended.After(rep.Ended) {
				rep.Ended = o.Ended
			}
		}
		if unsubscribed {
			t.Unsubscribed++
		}
		if o, ok := a.Steps[CutoverStep]; ok {
			t.Failed += o.Detail.ItemsAll
		} else {
			t.Failed += a.Steps[CopyStep].Detail.ItemsAll
		}
		t.Differences += a.Steps[VerifyStep].Detail.ItemsAll
	}
	return rep, nil
}

// Write writes the report as a page and as JSON beside the archives and answers
// the page's path.
func (rep *Report) Write(dir string) (string, error) {
	page, err := rep.page()
	if err != nil {
		return "", err
	}
	data, err := json.MarshalIndent(rep, "", "  ")
	if err != nil {
		return "", err
	}
	for name, content := range map[string][]byte{ReportPage: page, ReportJSON: append(data, '\n')} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			return "", fmt.Errorf("could not write the report: %w", err)
		}
	}
	return filepath.Join(dir, ReportPage), nil
}
