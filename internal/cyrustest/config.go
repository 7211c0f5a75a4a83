package cyrustest

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// Where Debian puts the programs.
const (
	master     = "/usr/sbin/cyrmaster"
	dispatcher = "/usr/sbin/cyrus"
	httpd      = "/usr/lib/cyrus/bin/httpd"
)

// missing says what keeps Cyrus from running here, "" when nothing does.
func missing() string {
	for _, program := range []string{master, dispatcher, httpd, "saslpasswd2", "setsid"} {
		if _, err := exec.LookPath(program); err != nil {
			return program + " is not installed"
		}
	}
	if os.Geteuid() != 0 {
		return "only root can start it"
	}
	if _, err := user.Lookup("cyrus"); err != nil {
		return err.Error()
	}
	return ""
}

// imapdConf is Cyrus's configuration; $DIR is the server's directory. Account
// ids are addresses or bare names alike (virtdomains: userid), folders are
// separated by slashes so that names may have dots, and mailboxes are made at
// the first IMAP login, with special uses and subscribed. munge8bit is Cyrus's
// own default made off: on, it writes an X over each octet above 127 in a
// header, and no message of the 1990s would be what was put in. Off too is the
// keyword $hasattachment that Cyrus gives each message with an attachment that
// comes over JMAP (and takes from no other way in): judges count keywords.
const imapdConf = `configdirectory: $DIR/lib
partition-default: $DIR/spool
defaultpartition: default
sievedir: $DIR/sieve
proc_path: $DIR/proc
mboxname_lockpath: $DIR/lock
lmtpsocket: $DIR/socket/lmtp
idlesocket: $DIR/socket/idle
notifysocket: $DIR/socket/notify
servername: localhost
admins: admin
virtdomains: userid
defaultdomain: internal.invalid
sasl_pwcheck_method: auxprop
sasl_auxprop_plugin: sasldb
sasl_sasldb_path: $DIR/sasldb2
sasl_mech_list: PLAIN LOGIN
allowplaintext: yes
altnamespace: yes
unixhierarchysep: yes
autocreate_post: yes
autocreate_quota: 0
autocreate_inbox_folders: Sent|Drafts|Trash|Junk|Archive
autocreate_subscribe_folders: Sent|Drafts|Trash|Junk|Archive
xlist-sent: Sent
xlist-drafts: Drafts
xlist-trash: Trash
xlist-junk: Junk
xlist-archive: Archive
httpmodules: caldav carddav jmap
jmap_nonstandard_extensions: yes
conversations: yes
conversations_db: twoskip
search_engine: xapian
defaultsearchtier: t1
t1searchpartition-default: $DIR/search
sieve_extensions: fileinto reject envelope body relational regex subaddress copy vacation date index imap4flags mailbox variables duplicate
munge8bit: no
jmap_set_has_attachment: no
umask: 077
`

const cyrusConf = `START {
  recover cmd="` + dispatcher + ` ctl_cyrusdb -C $DIR/imapd.conf -r"
}
SERVICES {
  http  cmd="httpd -C $DIR/imapd.conf -U 30" listen="$HTTP" prefork=0
  imap  cmd="imapd -C $DIR/imapd.conf -U 30" listen="$IMAP" prefork=0
  sieve cmd="timsieved -C $DIR/imapd.conf" listen="$SIEVE" prefork=0
}
EVENTS {
  checkpoint cmd="` + dispatcher + ` ctl_cyrusdb -C $DIR/imapd.conf -c" period=30
}
`

// configure lays out the server's directory and gives it to Cyrus's user.
func (s *Server) configure() error {
	fill := strings.NewReplacer("$DIR", s.dir, "$HTTP", s.httpAddr, "$IMAP", s.IMAPAddr, "$SIEVE", s.SieveAddr)
	for _, sub := range []string{"lib", "spool", "sieve", "proc", "lock", "search", "socket"} {
		if err := os.Mkdir(filepath.Join(s.dir, sub), 0o755); err != nil {
			return err
		}
	}
	for name, text := range map[string]string{"imapd.conf": imapdConf, "cyrus.conf": cyrusConf} {
		if err := os.WriteFile(filepath.Join(s.dir, name), []byte(fill.Replace(text)), 0o644); err != nil {
			return err
		}
	}
	return filepath.WalkDir(s.dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return chown(path)
	})
}

// chown gives a file to Cyrus's user.
func chown(path string) error {
	u, err := user.Lookup("cyrus")
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(u.Gid)
	if err != nil {
		return err
	}
	return os.Chown(path, uid, gid)
}

// setPassword stores a user's password in the server's own password file.
func (s *Server) setPassword(u User) error {
	name, realm, ok := strings.Cut(u.Login, "@")
	if !ok {
		realm = "localhost"
	}
	file := filepath.Join(s.dir, "sasldb2")
	cmd := exec.Command("saslpasswd2", "-p", "-c", "-f", file, "-u", realm, name)
	cmd.Stdin = strings.NewReader(u.Password)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("saslpasswd2 for %s: %w: %s", u.Login, err, out)
	}
	return chown(file)
}
