package jmapclient

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/foxcpp/go-jmap"

	"mailhaul/account"
)

// call is one method call of a request and, once it was carried out, its answer.
type call struct {
	method string
	args   map[string]any
	// read takes the answer's arguments in, anew for each try; an answer that it
	// cannot read is asked for again. nil: any JSON will do.
	read    func(args []byte) error
	blobs   map[string][]byte // of Blob/upload, by creation id; they are sent with args
	blobSet bool              // in the form of Cyrus's Blob/set
	mayFail bool              // its failure is not that of the request
	idsOf   *call             // a Foo/query of the same request, whose ids are this one's (RFC 8620 §3.7); nil: they are in args
	answer  json.RawMessage   // out
	failed  *fault            // out, of one that may fail
}

// into is a read that decodes into v, which is set only as a whole.
func into[T any](v *T) func([]byte) error {
	return func(args []byte) error {
		var got T
		err := json.Unmarshal(args, &got)
		if err == nil {
			*v = got
		}
		return err
	}
}

// anyJSON is a read that wants nothing in particular.
func anyJSON(args []byte) error {
	if !json.Valid(args) {
		return errNoJSON
	}
	return nil
}

// request is what a batch of calls needs beside them.
type request struct {
	account *Account // for errors and to know whose right is asked; nil before there is one
	using   []string
	item    string
	creates bool // not to be carried out twice
	once    bool // not to be tried again: whoever asks has another way
	calls   []*call
	body    *[]byte                    // a buffer for the answer, of which then nothing may be kept; nil for one of its own
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
		size: body.size(), open: body.open, endpoint: API, lane: r.lane(), creates: r.creates, once: r.once, bulky: r.body != nil,
	}
	if r.account != nil {
		x.account = r.account.label()
		_, listed := c.session.Accounts[r.account.ID]
		x.foreign = !listed
	}
	if x.size > c.limits.MaxSizeRequest {
		return x.says(final, Limit, "the request has %d bytes and the server takes %d (maxSizeRequest)", x.size, c.limits.MaxSizeRequest).last(x)
	}
	x.take = func(resp *http.Response) *fault { return c.readAnswers(x, r, resp) }
	if err := c.deflate(x); err != nil {
		return x.fault(final, Invalid, err).last(x)
	}
	err := c.do(ctx, x)
	if e, ok := errors.AsType[*Error](err); ok && e.Status == http.StatusUnsupportedMediaType && x.encoding != "" {
		c.mindsGzip.Store(true) // whatever it announces
		x.encoding, x.size, x.open = "", body.size(), body.open
		err = c.do(ctx, x)
	}
	r.tries = x.tries
	return err
}

// lane is where the request waits for its turn.
func (r *request) lane() lane {
	if r.creates || slices.ContainsFunc(r.calls, func(k *call) bool { return k.blobs != nil }) {
		return writing
	}
	return reading
}

// encode writes the request (RFC 8620 §3.3). It does not use the Request's own
// MarshalJSON, which escapes <, > and & as \u003c …: some servers keep keywords
// with their escapes (Stalwart 0.4 to 0.11).
func encode(r *request) payload {
	req := jmap.Request{Using: r.using}
	for i, k := range r.calls {
		if k.idsOf != nil {
			k.args["#ids"] = map[string]any{"resultOf": strconv.Itoa(slices.Index(r.calls, k.idsOf)), "name": k.idsOf.method, "path": "/ids"}
		}
		req.Calls = append(req.Calls, jmap.Invocation{Name: k.method, CallID: strconv.Itoa(i), Args: k.args})
	}
	text := append([]byte(`{"using":`), account.Marshal(req.Using)...)
	text = append(text, `,"methodCalls":[`...)
	var p payload
	for i, inv := range req.Calls {
		if i > 0 {
			text = append(text, ',')
		}
		text = append(append(append(text, '['), account.Marshal(inv.Name)...), ',')
		if r.calls[i].blobs != nil {
			p = append(append(p, part{text: text}), r.calls[i].create()...)
			text = nil
		} else {
			text = append(text, account.Marshal(inv.Args)...)
		}
		text = append(append(append(text, ','), account.Marshal(inv.CallID)...), ']')
	}
	return append(p, part{text: append(text, "]}"...)})
}
