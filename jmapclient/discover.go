package jmapclient

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

const (
	wellKnown       = "/.well-known/jmap" // RFC 8620 §2.2
	maxRedirects    = 5
	maxSessionBytes = 16 << 20
)

// origin is a scheme, a host in lower case and a port unless it is the
// scheme's own (RFC 6454).
type origin struct{ scheme, host string }

func (o origin) String() string { return o.scheme + "://" + o.host }

func (o origin) hasPort() bool {
	return strings.LastIndex(o.host, ":") > strings.LastIndex(o.host, "]")
}

func originOf(u *url.URL) origin {
	o := origin{strings.ToLower(u.Scheme), strings.ToLower(u.Hostname())}
	if strings.Contains(o.host, ":") {
		o.host = "[" + o.host + "]"
	}
	if p := u.Port(); p != "" && p != map[string]string{"http": "80", "https": "443"}[o.scheme] {
		o.host += ":" + p
	}
	return o
}

// discover finds the session: at the URL itself if it has a path, else where
// RFC 8620 §2.2 says.
func (c *Client) discover(ctx context.Context, o Options) error {
	places, elsewhere, err := c.places(ctx, o)
	if err != nil {
		return err
	}
	var first *Error
	for i, place := range places {
		err := c.greet(ctx, place, o.TrustSessionURLs)
		if err == nil {
			c.greeting = false
			return nil
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind == Cancelled {
			return err
		}
		if first == nil || e.Kind == Unauthorized {
			first = e
		}
		if i == len(places)-1 {
			break
		}
		sameServer := originOf(place) == originOf(places[i+1])
		if e.Kind == Unreachable && sameServer || e.Kind == Unauthorized && !sameServer {
			break // the next would say the same
		}
	}
	if elsewhere != "" && first.Kind != Unauthorized {
		return &Error{Kind: NotJMAP, Op: "session", Item: places[0].Redacted(), Err: first,
			Detail: fmt.Sprintf("the DNS names %s, which is outside of %s, and anybody may have made it say so; if that is right, give https://%[1]s",
				elsewhere, places[0].Hostname())}
	}
	return first
}

// places lists where the session may be, in the order to try. elsewhere is
// where the DNS says it is, but credentials do not go unasked.
func (c *Client) places(ctx context.Context, o Options) (places []*url.URL, elsewhere string, err error) {
	given := strings.TrimSpace(o.URL)
	bad := func(format string, args ...any) ([]*url.URL, string, error) {
		return nil, "", &Error{Kind: Invalid, Op: "reading the URL", Detail: fmt.Sprintf(format, args...)}
	}
	if given == "" {
		return bad("no server was named")
	}
	if !strings.Contains(given, "://") {
		if local, domain, ok := cutLast(given, "@"); ok && !strings.Contains(given, "/") {
			if strings.Contains(local, ":") || local == "" || domain == "" {
				return bad("credentials do not belong in the URL: give the host alone")
			}
			return c.domainPlaces(ctx, o, domain)
		}
		if ip := net.ParseIP(given); ip != nil && strings.Contains(given, ":") {
			given = "[" + given + "]"
		}
		given = "https://" + given
	}
	u, err := url.Parse(given)
	if err != nil {
		return bad("not a URL, host or address") // the parser's error would repeat what may hold a secret
	}
	u.Scheme = strings.ToLower(u.Scheme)
	switch {
	case u.User != nil:
		return bad("credentials do not belong in the URL: give it without them")
	case u.Scheme != "http" && u.Scheme != "https":
		return bad("%q is not http or https", u.Scheme)
	case u.Hostname() == "":
		return bad("%q names no host", given)
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.Atoi(p); err != nil || n < 1 || n > 65535 {
			return bad("port %s is not between 1 and 65535", p)
		}
	}
	u.Fragment = ""
	places = []*url.URL{{Scheme: u.Scheme, Host: u.Host, Path: wellKnown}}
	if strings.Trim(u.Path, "/") != "" && u.Path != wellKnown {
		places = slices.Insert(places, 0, u)
	}
	return places, "", nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// domainPlaces looks the domain of an address up (RFC 8620 §2.2). The DNS is
// not signed: only hosts of the domain itself are believed (RFC 6186 §6).
func (c *Client) domainPlaces(ctx context.Context, o Options, domain string) (places []*url.URL, elsewhere string, err error) {
	lookup := o.LookupSRV
	if lookup == nil {
		lookup = lookupSRV
	}
	hosts, err := lookup(ctx, domain)
	if err != nil && ctx.Err() != nil {
		return nil, "", &Error{Kind: Cancelled, Op: "looking up " + domain, Err: ctx.Err()}
	}
	for _, host := range append(hosts, domain) { // without a record, or when it leads nowhere: the domain itself
		u, err := url.Parse("https://" + host + wellKnown)
		if err != nil || u.User != nil || u.Hostname() == "" {
			return nil, "", &Error{Kind: Invalid, Op: "reading the URL", Detail: fmt.Sprintf("%q names no host", quote(host))}
		}
		name, home := strings.ToLower(u.Hostname()), strings.ToLower(strings.TrimSuffix(domain, "."))
		switch {
		case host == domain || name == home || strings.HasSuffix(name, "."+home):
			places = append(places, u)
		case elsewhere == "":
			elsewhere = strings.TrimSuffix(u.Host, ":443")
		}
	}
	return places, elsewhere, nil
}

func lookupSRV(ctx context.Context, domain string) ([]string, error) {
	_, records, err := net.DefaultResolver.LookupSRV(ctx, "jmap", "tcp", domain)
	var hosts []string
	for _, r := range records {
		if host := strings.TrimSuffix(r.Target, "."); host != "" { // "." says: no such service
			hosts = append(hosts, net.JoinHostPort(host, strconv.Itoa(int(r.Port))))
		}
	}
	return hosts, err
}

// greet asks for the session at u, following redirects on the same origin.
func (c *Client) greet(ctx context.Context, u *url.URL, trust bool) error {
	c.origin = originOf(u)
	for range maxRedirects {
		x := &exchange{
			op: "session", item: u.Redacted(), method: http.MethodGet, url: u.String(), accept: "application/json", lane: reading,
		}
		x.take = func(resp *http.Response) *fault {
			s, f := c.readSession(x, resp)
			if f == nil {
				f = c.adopt(x, s, u.Path, trust)
			}
			return f
		}
		err := c.do(ctx, x)
		if x.location == "" {
			return asNotJMAP(err, c.origin)
		}
		if u, err = c.follow(u, x.location); err != nil {
			return err
		}
	}
	return &Error{Kind: NotJMAP, Op: "session", Item: u.Redacted(), Detail: fmt.Sprintf("more than %d redirects", maxRedirects)}
}

// follow is where a redirect leads, if the credentials may go there.
func (c *Client) follow(from *url.URL, location string) (*url.URL, error) {
	fail := func(why string) error {
		return &Error{Kind: NotJMAP, Op: "session", Item: from.Redacted(), Detail: why}
	}
	to, err := from.Parse(location)
	if err != nil || to.Hostname() == "" || to.User != nil {
		return nil, fail("the server redirects to no URL")
	}
	to.Fragment = ""
	have, want := c.origin, originOf(to)
	switch {
	case want == have:
	case have == origin{"http", want.host} && want.scheme == "https" && !want.hasPort():
		c.origin = want // both on their default ports: the same server, now with TLS
	case have.scheme == "https" && want.scheme == "http" && strings.EqualFold(from.Hostname(), to.Hostname()):
		// A proxy speaks TLS for a server that does not know it (Cyrus builds
		// http:// from the Host header): same path, but still with TLS.
		to.Scheme, to.Host = from.Scheme, from.Host
	default:
		return nil, fail(fmt.Sprintf("it redirects to another server, %s, and the credentials are for %s; if that is right, give that URL", want, have))
	}
	return to, nil
}

// readSession reads the answer as a session.
func (c *Client) readSession(x *exchange, resp *http.Response) (*Session, *fault) {
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxSessionBytes+1))
	if err != nil {
		return nil, c.readFault(x, err)
	}
	if len(body) > maxSessionBytes {
		return nil, x.says(final, NotJMAP, "it answers with more than %d bytes, not a JMAP session", maxSessionBytes)
	}
	s, ok := parseSession(body)
	if !ok {
		what := "something else"
		if t := strings.TrimSpace(string(body[:min(len(body), 512)])); strings.HasPrefix(t, "<") {
			what = "a web page"
		} else if strings.HasPrefix(t, "{") || strings.HasPrefix(t, "[") {
			what = "other JSON"
		}
		return nil, x.says(final, NotJMAP, "%s answers with %s, not a JMAP session", bare(x.url), what)
	}
	return s, nil
}

// bare shortens a URL to what tells it apart.
func bare(s string) string {
	s, _, _ = strings.Cut(s, "?")
	return s
}

// adopt takes the session over.
func (c *Client) adopt(x *exchange, s *Session, path string, trust bool) *fault {
	if len(s.Accounts) == 0 {
		// Stalwart from 0.12.5 answers so when nobody is signed in.
		return x.says(final, Unauthorized, "the session has no accounts: nobody is signed in")
	}
	for _, url := range []struct {
		name, given string
		into        *string
	}{
		{"apiUrl", s.APIURL, &c.apiURL},
		{"uploadUrl", s.UploadURL, &c.uploadURL},
		{"downloadUrl", s.DownloadURL, &c.downloadURL},
	} {
		var ok bool
		if *url.into, ok = resolve(url.given, c.origin, path, trust); !ok {
			return x.says(final, NotJMAP, "the session's %s is no URL that credentials may go to: %q", url.name, c.quote(url.given))
		}
	}
	c.eventsURL, _ = resolve(s.EventSourceURL, c.origin, path, trust)
	c.session = s
	c.limits = readLimits(s.Capabilities[coreURN])
	c.gate.allow(c.limits.MaxConcurrentRequests, c.limits.MaxConcurrentUpload)
	return nil
}

// asNotJMAP words a page that is not there as what it means here.
func asNotJMAP(err error, o origin) error {
	var e *Error
	if errors.As(err, &e) && (e.Kind == NotFound || e.Kind == Invalid && e.Status >= 400) {
		e.Kind = NotJMAP
		e.Detail = o.String() + " answers, but has no JMAP session there"
	}
	return err
}
