package jmapclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"
)

// Options say how to reach a server.
type Options struct {
	// URL is whatever the user gave: a host, host:port, base URL, session URL,
	// or an address (its domain is looked up). https unless it says http://.
	URL  string
	Auth Auth
	// TrustSessionURLs uses the session's URLs as they stand; otherwise only
	// path and template are taken and the user's origin is kept.
	TrustSessionURLs bool
	// Insecure leaves out the checks of TLS certificates.
	Insecure bool
	// CAFile names a PEM file of certificates to trust beside the system's.
	CAFile    string
	UserAgent string
	// RequestTimeout bounds one API request as a whole, and the wait for an
	// answer once an upload was sent (default 5 minutes). StallTimeout bounds
	// the time in which no byte of a transfer moves (default 1 minute).
	RequestTimeout, StallTimeout time.Duration
	// GiveUpAfter bounds all tries of one request together (default 5 min).
	// Waits that the server itself asked for (Retry-After, an upload quota that
	// is filled anew by the hour) are bounded apart, by 14 times as much.
	GiveUpAfter time.Duration
	// MaxConnections bounds how many requests of all kinds are out at once, below
	// what the server allows; 0: the server's own limits alone.
	MaxConnections int
	// Rate bounds what goes over the wire, both ways together, in octets of
	// bodies a second; 0: no bound. Time that is waited for it counts as nobody's.
	Rate int64
	// OnWait is told when a request is going to be tried again later: why and
	// until when. It may be called from several goroutines at once.
	OnWait func(reason string, until time.Time)
	// Transport replaces the HTTP transport (tests).
	Transport http.RoundTripper
	// LookupSRV replaces the DNS look-up of _jmap._tcp.<domain> (tests). It
	// answers host:port, best first.
	LookupSRV func(ctx context.Context, domain string) ([]string, error)
}

// Client speaks to one JMAP server as one signed-in user. It is safe for
// concurrent use.
type Client struct {
	auth      Auth
	userAgent string
	http      *http.Client

	requestTimeout, stallTimeout, giveUpAfter time.Duration
	maxAnswer                                 int64
	onWait                                    func(string, time.Time)
	now                                       func() time.Time
	sleep                                     func(context.Context, time.Duration) error

	origin                         origin
	session                        *Session
	limits                         Limits
	apiURL, uploadURL, downloadURL string
	eventsURL                      string // "" where there is none, or none to send credentials to
	gate                           *gate
	rate                           *rate.Limiter // of Options.Rate, nil for none
	fromServer, toServer           line
	takesGzip, mindsGzip           atomic.Bool // compressed requests: announced by the server, refused
	noSharing                      atomic.Bool // it refused to tell with whom a mailbox is shared
	breakers                       [endpoints]breaker
	sample                         sample
	nRequests, nRetries, nIn, nOut atomic.Int64
	greeting                       bool // true until the session is there: give up early
	narrow                         bool // one connection at a time
}

// Dial finds the session and signs in. Kinds of its errors: Unauthorized,
// Unreachable, NotJMAP, Invalid (the URL makes no sense), ServerFault.
func Dial(ctx context.Context, o Options) (*Client, error) {
	c, err := newClient(o)
	if err != nil {
		return nil, err
	}
	if err := c.discover(ctx, o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// newClient is a client without a session yet.
func newClient(o Options) (*Client, error) {
	t := o.Transport
	if t == nil {
		var err error
		if t, err = newTransport(o); err != nil {
			return nil, err
		}
	}
	c := &Client{
		auth:           o.Auth,
		userAgent:      o.UserAgent,
		requestTimeout: orDefault(o.RequestTimeout, 5*time.Minute),
		stallTimeout:   orDefault(o.StallTimeout, time.Minute),
		giveUpAfter:    orDefault(o.GiveUpAfter, 5*time.Minute),
		onWait:         o.OnWait,
		now:            time.Now,
		sleep:          sleep,
		http: &http.Client{
			Transport: t,
			// Redirects are followed by discovery alone, which checks the origin.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		greeting:  true,
		maxAnswer: maxAnswer,
		rate:      newRate(o.Rate),
	}
	now := func() time.Time { return c.now() }
	c.gate, c.narrow = newGate(now, o.MaxConnections), o.MaxConnections == 1
	c.fromServer.now, c.toServer.now = now, now
	if c.userAgent == "" {
		c.userAgent = "mailhaul"
	}
	return c, nil
}

func orDefault(d, def time.Duration) time.Duration {
	if d <= 0 {
		return def
	}
	return d
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Format keeps the credentials out of everything that fmt prints.
func (c *Client) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "JMAP client of "+c.Origin()) }

// Close gives up idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Origin is the server's origin as it is spoken to, scheme://host[:port], never
// with credentials.
func (c *Client) Origin() string { return c.origin.String() }

// Session is the session as the server gave it at sign-in. It must not be changed.
func (c *Client) Session() *Session { return c.session }

// Limits are the server's, with defaults where it says nothing sensible.
func (c *Client) Limits() Limits { return c.limits }

// Stats count what went over the wire: HTTP requests, tries beyond the first,
// and octets of bodies (as they were sent: compressed where they were).
type Stats struct{ Requests, Retries, BytesIn, BytesOut int64 }

// Stats are the figures so far.
func (c *Client) Stats() Stats {
	return Stats{c.nRequests.Load(), c.nRetries.Load(), c.nIn.Load(), c.nOut.Load()}
}
