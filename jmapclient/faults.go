package jmapclient

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/foxcpp/go-jmap"
)

// class says how a failed try goes on.
type class int

const (
	final   class = iota // trying again is no use
	passing              // no connection, a gateway's error, a stall: until GiveUpAfter
	busy                 // the server asked to come back later
	filled               // the upload quota is used up for now
	faulty               // the server failed, or answered nonsense
	silent               // the connection was closed with no answer
	broken               // the answer was cut short
)

// fault is a failed try: what it is when no further one follows, and whether one may.
type fault struct {
	Error
	class   class
	refused bool          // surely not carried out
	narrow  bool          // too many requests at once
	after   time.Duration // the server's Retry-After, 0 for none
	own     error         // the caller's own error, to be handed back as it is
}

// fault makes a fault of this exchange.
func (x *exchange) fault(c class, k Kind, err error) *fault {
	f := &fault{class: c, Error: Error{Kind: k, Op: x.op, Account: x.account, Item: x.item, Err: err}}
	return f
}

// says is fault with a text instead of an error beneath.
func (x *exchange) says(c class, k Kind, format string, args ...any) *fault {
	f := x.fault(c, k, nil)
	f.Detail = fmt.Sprintf(format, args...)
	return f
}

// connectionFault is a request that got no answer.
func (c *Client) connectionFault(ctx context.Context, x *exchange, err error, connected bool) *fault {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err // the URL is said once
	}
	f := x.fault(passing, Unreachable, err)
	switch cause := context.Cause(ctx); {
	case ctx.Err() != nil && errors.Is(cause, errStalled):
		f.Detail, f.refused = fmt.Sprintf("%s for %s", errStalled, c.stallTimeout), !connected
	case ctx.Err() != nil && errors.Is(cause, errTimedOut):
		f.Detail, f.refused = fmt.Sprintf("%s (%s)", errTimedOut, c.requestTimeout), !connected
	case ctx.Err() != nil && errors.Is(cause, errCrawls):
		f.Detail = errCrawls.Error()
	case ctx.Err() != nil:
		f.class, f.Kind = final, Cancelled
	case strings.Contains(err.Error(), "response header"): // net/http has no error of its own for it
		f.class, f.Kind = faulty, ServerFault
		f.Detail = fmt.Sprintf("the headers of the answer are larger than %d bytes", maxHeaders)
	case isTLS(err):
		f.class, f.refused = final, true
		f.Detail = "TLS: " + err.Error() + " (a certificate authority of your own is named in a CA file; a server without TLS is http://…)"
	case !connected:
		f.refused = true
		f.Detail = c.origin.String() + " does not answer: " + err.Error()
		if c.greeting {
			f.class = faulty // nothing has begun yet: a few tries tell a typo from a restart
		}
		var dns *net.DNSError
		if errors.As(err, &dns) && dns.IsNotFound && c.greeting {
			f.class, f.Detail = final, "there is no host "+c.origin.host
		}
	default:
		f.class, f.Kind = silent, ServerFault
		f.Detail = "the server closed the connection without an answer to " + x.op
	}
	return f
}

// isTLS says whether err is the certificate's or the protocol's fault, which no
// further try mends.
func isTLS(err error) bool {
	var verify *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &verify) || errors.As(err, &record) || errors.As(err, &alert) || errors.As(err, &authority) ||
		strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// readFault is an answer whose body did not come whole.
func (c *Client) readFault(x *exchange, err error) *fault {
	switch {
	case errors.Is(err, errStalled):
		return x.says(passing, Unreachable, "the answer stalled: %s for %s", errStalled, c.stallTimeout)
	case errors.Is(err, errTimedOut):
		return x.says(passing, Unreachable, "%s (%s)", errTimedOut, c.requestTimeout)
	case errors.Is(err, errCrawls):
		return x.says(passing, Unreachable, "the answer does not come: %s", errCrawls)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return x.fault(final, Cancelled, err)
	}
	f := x.fault(broken, ServerFault, err)
	f.Detail = "the answer was cut short: " + err.Error()
	return f
}

// statuses says what HTTP statuses mean; those that are not there go by their
// first digit. refused: the server surely did nothing.
var statuses = map[int]struct {
	class   class
	kind    Kind
	refused bool
}{
	401: {final, Unauthorized, true},
	403: {final, Forbidden, true},
	404: {final, NotFound, true},
	407: {final, Unreachable, true},
	408: {passing, Unreachable, false},
	410: {final, NotFound, true},
	413: {final, Limit, true},
	429: {busy, Unreachable, true},
	500: {faulty, ServerFault, false},
	501: {final, Unsupported, true},
	502: {passing, Unreachable, false},
	503: {busy, Unreachable, true},
	504: {passing, Unreachable, false},
	507: {final, OverQuota, true},
}

// refusal is an answer other than 2xx.
func (c *Client) refusal(x *exchange, resp *http.Response) *fault {
	f := x.fault(final, Invalid, nil)
	f.Status, f.refused = resp.StatusCode, true
	if s, ok := statuses[resp.StatusCode]; ok {
		f.class, f.Kind, f.refused = s.class, s.kind, s.refused
	} else if resp.StatusCode >= 500 {
		f.class, f.Kind, f.refused = faulty, ServerFault, false
	} else if resp.StatusCode < 400 {
		f.Kind = NotJMAP
		x.location = resp.Header.Get("Location")
		f.Detail = "the server redirects to " + quote(resp.Header.Get("Location"))
		return f
	}
	f.after = retryAfter(resp.Header.Get("Retry-After"), c.now())

	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10)) // an error of the error changes nothing
	var problem jmap.RequestError
	if json.Unmarshal(body, &problem) == nil {
		c.problem(x, f, problem)
	} else if isText(resp.Header) {
		f.Detail = c.quote(string(body))
	}
	if f.Detail == "" {
		f.Detail = resp.Status
	}
	switch {
	case resp.StatusCode == 403 && x.lane == uploading && strings.Contains(strings.ToLower(problem.Title+problem.Detail), "quota"):
		f.class, f.Kind = filled, OverQuota
	case resp.StatusCode == 429 && x.lane == uploading && strings.Contains(strings.ToLower(problem.Title), "quota"):
		f.class, f.Kind = filled, OverQuota
	case resp.StatusCode == 401 && x.foreign && !c.greeting:
		// Stalwart 0.6 refuses other people's accounts this way.
		f.Kind = Forbidden
	}
	return f
}

// problem reads a problem details object (RFC 7807, RFC 8620 §3.6.1).
func (c *Client) problem(x *exchange, f *fault, p jmap.RequestError) {
	f.Detail = c.quote(p.Detail)
	if f.Detail == "" {
		f.Detail = c.quote(p.Title)
	}
	code, isJMAP := strings.CutPrefix(string(p.Type), string(jmap.ProblemPrefix))
	if !isJMAP {
		return
	}
	f.Type = c.quote(code)
	switch code {
	case "unknownCapability":
		f.Kind = Unsupported
	case "limit":
		f.Kind = Limit
		limit, _ := p.Properties["limit"].(string)
		if limit != "" {
			f.Type = "limit " + c.quote(limit)
		}
		if strings.HasPrefix(limit, "maxConcurrent") {
			f.class, f.Kind, f.narrow = busy, Unreachable, true
		}
	}
}

func (c *Client) quote(s string) string { return quote(c.auth.redact(s)) }

func isText(h http.Header) bool {
	t := h.Get("Content-Type")
	return strings.HasPrefix(t, "text/plain") || strings.Contains(t, "json")
}

// maxRetryAfter bounds the wait that a server may ask for at once.
const maxRetryAfter = 10 * time.Minute

// retryAfter reads the header's two forms (RFC 9110 §10.2.3), 0 for none.
func retryAfter(v string, now time.Time) time.Duration {
	v = strings.TrimSpace(v)
	if secs, err := strconv.ParseUint(v, 10, 31); err == nil {
		return min(time.Duration(secs)*time.Second, maxRetryAfter)
	}
	if t, err := http.ParseTime(v); err == nil && t.After(now) {
		return min(t.Sub(now), maxRetryAfter)
	}
	return 0
}

// codes says what JMAP's method errors mean (RFC 8620 §3.6.2, §5; RFC 8621).
// What is not there is Invalid.
var codes = map[string]struct {
	class   class
	kind    Kind
	refused bool
}{
	"accountNotFound":                 {final, NoAccount, true},
	"accountNotSupportedByMethod":     {final, Unsupported, true},
	"accountReadOnly":                 {final, Forbidden, true},
	"anchorNotFound":                  {final, AnchorNotFound, true},
	"cannotCalculateChanges":          {final, CannotCalculateChanges, true},
	"forbidden":                       {final, Forbidden, true},
	"fromAccountNotFound":             {final, NoAccount, true},
	"fromAccountNotSupportedByMethod": {final, Unsupported, true},
	"limit":                           {final, Limit, true},
	"notFound":                        {final, NotFound, true},
	"overQuota":                       {final, OverQuota, true},
	"rateLimit":                       {busy, Unreachable, true},
	"requestTooLarge":                 {final, Limit, true},
	"serverFail":                      {faulty, ServerFault, false},
	"serverPartialFail":               {faulty, ServerFault, false},
	"serverUnavailable":               {busy, Unreachable, true},
	"tooManyChanges":                  {final, CannotCalculateChanges, true},
	"unknownMethod":                   {final, Unsupported, true},
	"unsupportedFilter":               {final, Unsupported, true},
	"unsupportedSort":                 {final, Unsupported, true},
}

// methodFault is a method call that was answered with an error. RFC 8620 says
// that serverFail changes nothing; real servers store half a batch and say it
// (Stalwart's Email/import), so it does not count as refused.
func (c *Client) methodFault(x *exchange, method string, e jmap.MethodErrorArgs) *fault {
	f := x.fault(final, Invalid, nil)
	f.Op, f.refused, f.Type = method, true, c.quote(string(e.Type))
	if m, ok := codes[string(e.Type)]; ok {
		f.class, f.Kind, f.refused = m.class, m.kind, m.refused
	}
	if d, ok := e.Properties["description"].(string); ok {
		f.Detail = c.quote(d)
	}
	return f
}
