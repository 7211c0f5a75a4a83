package jmapclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"

	"github.com/foxcpp/go-jmap"

	"mailhaul/account"
)

const (
	// maxAnswer bounds an API answer: a page of objects is a few megabytes, a
	// Blob/get of a hundred messages some tens.
	maxAnswer = 256 << 20
	// maxDepth bounds how deep an answer nests; bodyStructure goes deepest.
	maxDepth = 200
	// maxUnnamed bounds how many methods an answer may name that nobody called.
	maxUnnamed = 8
)

// call is one method call of a request and, once it was carried out, its answer.
type call struct {
	method string
	args   map[string]any
	answer json.RawMessage
}

// request is what a batch of calls needs beside them.
type request struct {
	account *Account // for errors and to know whose right is asked; nil before there is one
	using   []string
	item    string
	creates bool // not to be carried out twice
	calls   []*call
	tries   int                        // out
	extra   map[string]json.RawMessage // out: answers of methods that were not called (Email/set after Email/copy)
}

// send carries a request out and fills in the answers of its calls. The first
// call that was answered with an error is the error of the whole.
func (c *Client) send(ctx context.Context, r *request) error {
	body := encode(r)
	x := &exchange{
		op: r.calls[0].method, item: r.item, method: http.MethodPost, url: c.apiURL,
		contentType: "application/json", accept: "application/json",
		size: int64(len(body)), gate: c.requests, creates: r.creates,
	}
	x.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	if r.account != nil {
		x.account = r.account.label()
		_, listed := c.session.Accounts[r.account.ID]
		x.foreign = !listed
	}
	if int64(len(body)) > c.limits.MaxSizeRequest {
		return x.says(final, Limit, "the request has %d bytes and the server takes %d (maxSizeRequest)", len(body), c.limits.MaxSizeRequest).last(x)
	}
	x.take = func(resp *http.Response) *fault { return c.readAnswers(x, r, resp) }
	err := c.do(ctx, x)
	r.tries = x.tries
	return err
}

// encode writes the request (RFC 8620 §3.3). It does not use the Request's own
// MarshalJSON, which escapes <, > and & as \u003c …: some servers keep keywords
// with their escapes (Stalwart 0.4 to 0.11).
func encode(r *request) []byte {
	req := jmap.Request{Using: r.using}
	for i, k := range r.calls {
		req.Calls = append(req.Calls, jmap.Invocation{Name: k.method, CallID: strconv.Itoa(i), Args: k.args})
	}
	calls := make([][3]any, len(req.Calls))
	for i, inv := range req.Calls {
		calls[i] = [3]any{inv.Name, inv.Args, inv.CallID}
	}
	return account.Marshal(struct {
		Using []string `json:"using"`
		Calls [][3]any `json:"methodCalls"`
	}{req.Using, calls})
}

// readAnswers reads an API answer and hands each call its own.
func (c *Client) readAnswers(x *exchange, r *request, resp *http.Response) *fault {
	body, err := io.ReadAll(io.LimitReader(resp.Body, c.maxAnswer+1))
	if err != nil {
		return c.readFault(x, err)
	}
	if int64(len(body)) > c.maxAnswer {
		return x.says(final, ServerFault, "the answer is larger than %d bytes", c.maxAnswer)
	}
	methods := make([]string, len(r.calls))
	for i, k := range r.calls {
		methods[i] = k.method
	}
	answer, err := decode(body, methods)
	if err != nil {
		f := x.says(faulty, ServerFault, "the answer makes no sense: %s", c.quote(err.Error()))
		f.Status, f.Err = resp.StatusCode, err
		return f
	}
	return c.deliver(x, r, answer)
}

// deliver gives each call its answer, the first fault instead if there is one.
func (c *Client) deliver(x *exchange, r *request, answer *jmap.Response) *fault {
	r.extra = map[string]json.RawMessage{}
	for _, k := range r.calls {
		k.answer = nil
	}
	for _, inv := range answer.Responses {
		i, err := strconv.Atoi(inv.CallID)
		known := err == nil && i >= 0 && i < len(r.calls)
		switch args := inv.Args.(type) {
		case jmap.MethodErrorArgs:
			if known && r.calls[i].answer == nil {
				return c.methodFault(x, r.calls[i].method, args)
			}
		case json.RawMessage:
			if known && r.calls[i].answer == nil && inv.Name == r.calls[i].method {
				if f := checkAccount(x, r.calls[i], args); f != nil {
					return f
				}
				r.calls[i].answer = args
			} else {
				r.extra[inv.Name] = args
			}
		}
	}
	for _, k := range r.calls {
		if k.answer == nil {
			f := x.says(faulty, ServerFault, "the server did not answer %s", k.method)
			f.Op = k.method
			return f
		}
	}
	return nil
}

// checkAccount refuses an answer about another account than was asked for.
func checkAccount(x *exchange, k *call, args json.RawMessage) *fault {
	asked, _ := k.args["accountId"].(string)
	about := accountOf(args)
	if about == "" || asked == "" || about == asked {
		return nil
	}
	f := x.says(final, ServerFault, "asked about account %q, the server answers about account %q", asked, quote(about))
	f.Op = k.method
	return f
}

// accountOf is the accountId that an answer names, "" if it names none. Servers
// put it first, and what follows may be megabytes of messages: only where it is
// not first is the whole looked at.
func accountOf(args json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(args))
	if _, err := d.Token(); err != nil {
		return ""
	}
	if key, err := d.Token(); err == nil && key == "accountId" {
		id, _ := d.Token()
		s, _ := id.(string)
		return s
	}
	var about struct {
		AccountID string `json:"accountId"`
	}
	_ = json.Unmarshal(args, &about) // what can't be read here is reported by who reads the rest
	return about.AccountID
}

// decode reads an API answer (RFC 8620 §3.4). go-jmap refuses an answer that
// names a method it was not told about; servers add such answers (an Email/set
// for an Email/copy that destroys), so the names are added as they turn up.
func decode(body []byte, methods []string) (*jmap.Response, error) {
	if err := checkDepth(body); err != nil {
		return nil, err
	}
	names := slices.Clone(methods)
	for range maxUnnamed {
		var resp jmap.Response
		err := resp.Unmarshal(bytes.NewReader(body), jmap.RawUnmarshallers(names))
		var unnamed jmap.UnknownMethodError
		if !errors.As(err, &unnamed) {
			return &resp, err
		}
		names = append(names, unnamed.MethodName)
	}
	return nil, fmt.Errorf("it names more than %d methods that were not called", maxUnnamed)
}

// checkDepth refuses JSON that nests deeper than anything in mail does. It
// looks at brackets outside of strings; whether it is JSON the decoder says.
func checkDepth(data []byte) error {
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch b := data[i]; {
		case quoted && b == '\\':
			i++
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == '{' || b == '[':
			if depth++; depth > maxDepth {
				return fmt.Errorf("the JSON nests deeper than %d levels", maxDepth)
			}
		case b == '}' || b == ']':
			depth--
		}
	}
	return nil
}
