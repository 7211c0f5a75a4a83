package importer

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2/imapclient"

	"mailhaul/jmapclient"
)

// IMAP says how to sign in over IMAP to the account that is imported into. It
// is used only for an account that is the signed-in user's own.
type IMAP struct {
	Addr string      // host:port
	TLS  *tls.Config // nil: in the clear
	Auth jmapclient.Auth
	// Rate bounds what goes over it, both ways together, in octets a second; 0: no
	// bound. It is one connection, beside which hardly a request is out.
	Rate int64

	connect func(context.Context) (net.Conn, error) // in place of Addr (tests)
}

// says words an error without the password, which some servers echo.
func (o *IMAP) says(err error) string {
	return strings.ReplaceAll(err.Error(), o.Auth.Password, "[redacted]")
}

const (
	mostConnections = 3
	dialTimeout     = 30 * time.Second
)

// open makes the mailbox and connects, if that is not done. Without an error
// and without a connection it is useless, or to be tried again.
func (a *appender) open(ctx context.Context) error {
	if a.conn != nil {
		return nil
	}
	if err := a.openBox(ctx); err != nil || a.useless != "" {
		return err
	}
	o := a.r.o.IMAP
	conn, err := o.dial(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		a.failed(err)
		return nil
	}
	if err := conn.Login(o.Auth.Username, o.Auth.Password).Wait(); err != nil {
		conn.Close()
		a.useless = fmt.Sprintf("%s refused the sign-in over IMAP: %s", o.Addr, o.says(err))
		return nil
	}
	there, err := conn.List("", a.name, nil).Collect()
	if err != nil || len(there) == 0 {
		conn.Close()
		if err != nil {
			a.failed(err)
		} else {
			a.useless = fmt.Sprintf("%s opens another account over IMAP than %s over JMAP: a mailbox made there is not to be seen", o.Addr, a.r.to.Client.Origin())
		}
		return nil
	}
	a.conn = conn
	return nil
}

func (o *IMAP) dial(ctx context.Context) (*imapclient.Client, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	var conn net.Conn
	var err error
	if o.connect != nil {
		conn, err = o.connect(ctx)
	} else if o.TLS != nil {
		conn, err = (&tls.Dialer{Config: o.TLS}).DialContext(ctx, "tcp", o.Addr)
	} else {
		conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", o.Addr)
	}
	if err != nil {
		return nil, err
	}
	c := imapclient.New(newGentle(conn, o.Rate), nil)
	if err := c.WaitGreeting(); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// failed counts connections that failed, and gives up after some.
func (a *appender) failed(err error) {
	a.hangUp()
	if a.fails++; a.fails >= mostConnections {
		a.useless = fmt.Sprintf("IMAP at %s: %v", a.r.o.IMAP.Addr, err)
	}
}

func (a *appender) hangUp() {
	if a.conn != nil {
		_ = a.conn.Close() // nothing is under way on it
		a.conn = nil
	}
}
