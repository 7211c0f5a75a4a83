package cyrustest

import (
	"errors"
	"fmt"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/internal/mailgen"
)

// systemFlags pairs JMAP's keywords with IMAP's system flags, RFC 8621 §4.1.1.
var systemFlags = map[string]imap.Flag{
	"$seen": imap.FlagSeen, "$answered": imap.FlagAnswered, "$flagged": imap.FlagFlagged, "$draft": imap.FlagDraft,
}

// flagOf is a JMAP keyword as IMAP has it.
func flagOf(keyword string) imap.Flag {
	if f, ok := systemFlags[keyword]; ok {
		return f
	}
	return imap.Flag(keyword)
}

// Append puts a message into a mailbox. Cyrus finds that the same bytes in
// several mailboxes are one message.
func Append(conn *imapclient.Client, path string, m mailgen.Message) error {
	o := &imap.AppendOptions{Time: m.ReceivedAt}
	for _, k := range m.Keywords {
		o.Flags = append(o.Flags, flagOf(k))
	}
	cmd := conn.Append(path, int64(len(m.Raw)), o)
	_, err := cmd.Write(m.Raw)
	if err = errors.Join(err, cmd.Close()); err == nil {
		_, err = cmd.Wait()
	}
	if err != nil {
		return fmt.Errorf("putting a message into %q: %w", path, err)
	}
	return nil
}
