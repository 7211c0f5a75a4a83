package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/exporter"
	"mailhaul/internal/mboxglob"
)

// scopeFlags narrow an export.
type scopeFlags struct {
	types, skipTypes, mailboxes []string
	since, before, maxSize      string
}

func (f *scopeFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringSliceVar(&f.types, "types", nil, "take these `types` only, with those they need: Email,Identity")
	flags.StringSliceVar(&f.skipTypes, "skip-types", nil, "leave these `types` out")
	flags.StringArrayVar(&f.mailboxes, "mailbox", nil, "take only messages in mailboxes that match: 'Projects/**', 'Lists/*', role:sent, or not '!Junk' (several `patterns`: the flag again)")
	flags.StringVar(&f.since, "since", "", "take only messages received since a `date`, or within a time: 2026-01-31, 30d")
	flags.StringVar(&f.before, "before", "", "take only messages received before a `date`")
	flags.StringVar(&f.maxSize, "max-size", "", "take only messages of at most this `size`: 500K, 25M")
}

// scope is what the flags narrow an export to, nil for the whole account.
func (f *scopeFlags) scope(now time.Time) (*archive.Scope, error) {
	s := &archive.Scope{Mailboxes: f.mailboxes}
	var err error
	if s.Types, err = f.chosenTypes(); err != nil {
		return nil, err
	}
	if _, err := mboxglob.Compile(f.mailboxes); err != nil {
		return nil, err
	}
	if f.since != "" {
		at, err := sinceWhen(f.since, now)
		if err != nil {
			return nil, err
		}
		s.Since = &at
	}
	if f.before != "" {
		at, err := startOf(f.before)
		if err != nil {
			return nil, fmt.Errorf("--before takes a date like 2026-01-31 or a moment like 2026-01-31T18:00:00Z, not %q", f.before)
		}
		s.Before = &at
	}
	if s.Since != nil && s.Before != nil && !s.Since.Before(*s.Before) {
		return nil, fmt.Errorf("nothing is received both since %s and before %s", f.since, f.before)
	}
	if f.maxSize != "" {
		n, ok := parseBytes(f.maxSize)
		if !ok || n < 1 {
			return nil, fmt.Errorf("--max-size takes a size like 500K or 25M, not %q", f.maxSize)
		}
		s.MaxSize = int64(n)
	}
	if narrowed := len(f.mailboxes) > 0 || s.Since != nil || s.Before != nil || s.MaxSize > 0; narrowed && !s.HasType(account.Email) {
		return nil, errors.New("--mailbox, --since, --before and --max-size choose among messages (the type Email), which are left out")
	}
	return exporter.Completed(s), nil
}

// chosenTypes are the types that --types and --skip-types leave, none where that
// is all.
func (f *scopeFlags) chosenTypes() ([]string, error) {
	only, err := knownTypes("--types", f.types)
	if err != nil {
		return nil, err
	}
	skip, err := knownTypes("--skip-types", f.skipTypes)
	if err != nil {
		return nil, err
	}
	if len(only)+len(skip) == 0 {
		return nil, nil
	}
	var chosen []string
	for _, name := range choosableTypes() {
		if (len(only) == 0 || slices.Contains(only, name)) && !slices.Contains(skip, name) {
			chosen = append(chosen, name)
		}
	}
	if len(chosen) == 0 {
		return nil, errors.New("--types and --skip-types leave nothing to take")
	}
	s := exporter.Completed(&archive.Scope{Types: chosen})
	for _, name := range skip {
		if t, _ := account.TypeByName(name); s.HasType(t) {
			return nil, fmt.Errorf("%s can't be left out: %s", name, map[bool]string{true: "it is always taken, as messages name it", false: "others that are taken lie in it; leave these out, too"}[name == account.Mailbox.Name])
		}
	}
	return chosen, nil
}

// choosableTypes are the types that can be named; others come with what names them.
func choosableTypes() []string {
	var names []string
	for _, t := range account.Types {
		if !t.Named {
			names = append(names, t.Name)
		}
	}
	return names
}

// knownTypes are types as they are called, whatever letters the user wrote them in.
func knownTypes(flag string, given []string) ([]string, error) {
	all := choosableTypes()
	var names []string
	for _, name := range given {
		i := slices.IndexFunc(all, func(known string) bool { return strings.EqualFold(known, strings.TrimSpace(name)) })
		if i < 0 {
			return nil, fmt.Errorf("%s: there is no type %q: there are %s", flag, name, strings.Join(all, ", "))
		}
		names = append(names, all[i])
	}
	return names, nil
}

// sinceWhen is a moment, the first one of a local day, or one so long ago.
func sinceWhen(s string, now time.Time) (time.Time, error) {
	if at, err := startOf(s); err == nil {
		return at, nil
	}
	if span, err := timeSpan(s); err == nil {
		return now.Add(-span).UTC().Truncate(time.Second), nil
	}
	return time.Time{}, fmt.Errorf("--since takes a date like 2026-01-31, a moment like 2026-01-31T18:00:00Z or a time span like 30d, not %q", s)
}

// startOf is a moment, or the first one of a local day.
func startOf(s string) (time.Time, error) {
	at, err := time.ParseInLocation(time.DateOnly, s, time.Local)
	if err != nil {
		at, err = time.Parse(time.RFC3339, s)
	}
	return at.UTC(), err
}

// partial says on a screen that a snapshot is not the whole account, "" if it is.
func partial(s *archive.Scope) string {
	if s == nil {
		return ""
	}
	return "partial: " + oneLine(s.String())
}

// inBrackets is " (text)", "" for no text.
func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
