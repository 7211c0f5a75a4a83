package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/emersion/go-message/mail"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/internal/mailtext"
	"mailhaul/internal/progress"
)

// shownText is how much of a text is shown, in octets.
const shownText = 1 << 20

// letter is a message as a person reads it.
type letter struct {
	Message     account.Object `json:"message"`
	Mailboxes   []string       `json:"mailboxes"`
	Text        string         `json:"text"`
	Cut         bool           `json:"textIsCut,omitempty"`
	Attachments []attachment   `json:"attachments,omitempty"`

	header  mail.Header
	archive string
}

type attachment struct {
	Part string `json:"part"`
	Type string `json:"type"`
	Name string `json:"name,omitempty"`
	Size int64  `json:"size"`
}

// show shows whatever has the id, a message first.
func (l *look) show(context.Context) (*report, error) {
	id := l.args[0]
	if _, err := l.ar.Object(l.at, account.Email, id); !errors.Is(err, archive.ErrNotFound) {
		return l.showMessage(id)
	}
	for _, t := range account.Types {
		r, err := l.ar.Object(l.at, t, id)
		if err == nil {
			return l.showOther(t, r)
		}
		if !errors.Is(err, archive.ErrNotFound) {
			return nil, err
		}
	}
	_, err := l.message(id)
	return nil, err
}

func (l *look) showMessage(id string) (*report, error) {
	r, err := l.message(id)
	if err != nil {
		return nil, err
	}
	blob, _, err := l.ar.OpenBlob(r.Blob)
	if err != nil {
		return nil, err
	}
	text, err := mailtext.Read(blob, shownText)
	if err := errors.Join(err, blob.Close()); err != nil {
		return nil, err
	}
	show := &letter{Message: r.Object, Text: text.Body, Cut: text.Cut, header: text.Header, archive: l.ar.path}
	tree, err := folders(l.ar.Archive, l.at)
	if err != nil {
		return nil, err
	}
	for _, f := range tree {
		if inSet(r.Object, "mailboxIds", f.ID) {
			show.Mailboxes = append(show.Mailboxes, f.Path)
		}
	}
	for _, a := range text.Attachments {
		show.Attachments = append(show.Attachments, attachment{a.Number, a.Type, a.Name, a.Size})
	}
	return &report{show, show.text}, nil
}

func (m *letter) text(w io.Writer) {
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(w, "%-12s%s\n", name+":", oneLine(value))
		}
	}
	for _, name := range []string{"From", "To", "Cc", "Bcc", "Reply-To", "Subject", "Date", "Message-Id"} {
		value, err := m.header.Text(name)
		if err != nil {
			value = m.header.Get(name) // as it stands
		}
		field(name, value)
	}
	field("Received", date(m.Message.Time("receivedAt")))
	field("Mailboxes", strings.Join(m.Mailboxes, ", "))
	field("Keywords", strings.Join(m.Message.Set("keywords"), " "))
	field("Size", size(m.Message.Int("size")))
	fmt.Fprintf(w, "\n%s\n", strings.TrimRight(clean(m.Text), "\n"))
	if m.Cut {
		fmt.Fprintln(w, "[there is more; cat shows all]")
	}
	if len(m.Attachments) == 0 {
		return
	}
	fmt.Fprintln(w, "\nattachments:")
	t := newTable("part", "type", ">size", "name")
	for _, a := range m.Attachments {
		t.add(a.Part, a.Type, size(a.Size), a.Name)
	}
	t.write(w)
	fmt.Fprintf(w, "  `mailhaul inspect %s save %s DIR` writes them into a directory\n", shellWord(m.archive), shellWord(m.Message.ID()))
}

// other is an object that is no message.
type other struct {
	Type   string         `json:"type"`
	Object account.Object `json:"object"`
	Text   string         `json:"text,omitempty"` // of a script

	lines []line // for a person
}

func (l *look) showOther(t account.Type, r archive.Record) (*report, error) {
	o := &other{Type: t.Name, Object: r.Object, lines: readable(t, r.Object)}
	if t.Name == account.SieveScript.Name && r.Blob != "" {
		blob, _, err := l.ar.OpenBlob(r.Blob)
		if err != nil {
			return nil, err
		}
		text, err := io.ReadAll(io.LimitReader(blob, shownText))
		if err := errors.Join(err, blob.Close()); err != nil {
			return nil, err
		}
		o.Text = string(text)
	}
	return &report{o, o.text}, nil
}

func (o *other) text(w io.Writer) {
	fmt.Fprintf(w, "%s %s\n", o.Type, oneLine(o.Object.ID()))
	for _, l := range o.lines {
		if l.value != "" {
			fmt.Fprintf(w, "%-14s%s\n", l.name+":", oneLine(l.value))
		}
	}
	var lines bytes.Buffer
	if json.Indent(&lines, o.Object.Without("id").Encode(), "", "  ") == nil {
		fmt.Fprintln(w, clean(lines.String()))
	}
	if o.Text != "" {
		fmt.Fprintf(w, "\n%s\n", strings.TrimRight(clean(o.Text), "\n"))
	}
}

// savedFile is an attachment that was written.
type savedFile struct {
	Part string `json:"part"`
	Path string `json:"path"`
	Size int64  `json:"size"`
}

// save writes a message's attachments into a directory, each under its own name
// made harmless. What is there already is never written over.
func (l *look) save(ctx context.Context) (*report, error) {
	r, err := l.message(l.args[0])
	if err != nil {
		return nil, err
	}
	dir := "."
	if len(l.args) > 1 {
		dir = l.args[1]
	}
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return nil, err
	}
	blob, _, err := l.ar.OpenBlob(r.Blob)
	if err != nil {
		return nil, err
	}
	defer blob.Close()
	saved := []savedFile{}
	err = mailtext.Walk(blob, func(p mailtext.Part, content io.Reader) error {
		if !p.Attached {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		f, err := newFile(dir, attachmentName(p))
		if err != nil {
			return err
		}
		n, cut := io.Copy(f, content)
		if err := f.Close(); err != nil {
			return fmt.Errorf("write %s: %w", f.Name(), err)
		}
		if errors.As(cut, new(*fs.PathError)) {
			return fmt.Errorf("write %s: %w", f.Name(), cut)
		}
		if cut != nil { // what could be decoded is there
			l.app.screen.emit(progress.Event{Kind: progress.Warning, Item: f.Name(), Text: fmt.Sprintf("the attachment is broken (%v): what could be read of it was written", cut)})
		}
		saved = append(saved, savedFile{p.Number, f.Name(), n})
		return nil
	})
	if err == nil && len(saved) == 0 {
		err = fmt.Errorf("%s has no attachment", account.Describe(r.Object))
	}
	return &report{saved, func(w io.Writer) {
		for _, f := range saved {
			fmt.Fprintf(w, "%s, %s\n", clean(f.Path), size(f.Size))
		}
	}}, err
}

// attachmentName is a file name for a part: its own, or one of its number.
func attachmentName(p mailtext.Part) string {
	name := p.Name
	if i := strings.LastIndexAny(name, `/\`); i >= 0 { // a whole path, as old programs send
		name = name[i+1:]
	}
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, "_"))
	const most = 200 // octets; file systems take 255
	ext := filepath.Ext(name)
	if len(ext) > 20 || ext == "." {
		ext = ""
	}
	base := strings.TrimSuffix(name, ext)
	for len(base)+len(ext) > most {
		r := []rune(base)
		base = string(r[:len(r)-1])
	}
	if strings.Trim(base, ". ") == "" {
		base = "part-" + p.Number
	}
	return folderName(base + ext)
}

// newFile makes a file that was not there, with a number before its extension
// when one with the name was.
func newFile(dir, name string) (*os.File, error) {
	ext := filepath.Ext(name)
	base := strings.TrimSuffix(name, ext)
	for n := 1; ; n++ {
		try := name
		if n > 1 {
			try = fmt.Sprintf("%s-%d%s", base, n, ext)
		}
		f, err := os.OpenFile(filepath.Join(dir, try), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}
