package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

func haveMbsync() bool {
	_, err := exec.LookPath("mbsync")
	return err == nil
}

// mbsync fetches the whole account over IMAP into a Maildir, with isync.
func (s *scenario) mbsync(ctx context.Context) (figure, error) {
	p, err := away(s.server.IMAPAddr(), s.rtt)
	if err != nil {
		return figure{}, err
	}
	defer p.Close()
	host, port, err := net.SplitHostPort(p.Addr)
	if err != nil {
		return figure{}, err
	}
	dir := filepath.Join(s.dir, "mbsync")
	defer os.RemoveAll(dir)
	if err := os.MkdirAll(filepath.Join(dir, "mail"), 0o700); err != nil {
		return figure{}, err
	}
	conf := filepath.Join(dir, "conf")
	text := fmt.Sprintf(`IMAPStore far
Host %s
Port %s
User %s
Pass %s
SSLType None
AuthMechs LOGIN

MaildirStore near
Path %[5]s/mail/
Inbox %[5]s/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState *
CopyArrivalDate yes
`, host, port, source, password, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return figure{}, err
	}
	began := time.Now()
	if out, err := exec.CommandContext(ctx, "mbsync", "-q", "-c", conf, "-a").CombinedOutput(); err != nil {
		return figure{}, fmt.Errorf("%w: %s", err, out)
	}
	f := figure{took: time.Since(began)}
	err = filepath.WalkDir(filepath.Join(dir, "mail"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) != "cur" && filepath.Base(filepath.Dir(path)) != "new" {
			return err
		}
		info, err := d.Info()
		if err == nil {
			f.messages, f.octets = f.messages+1, f.octets+info.Size()
		}
		return err
	})
	// One message in two mailboxes is two for IMAP.
	if err == nil && f.messages < s.n {
		err = fmt.Errorf("of %d messages %d came", s.n, f.messages)
	}
	f.messages = s.n
	return f, err
}
