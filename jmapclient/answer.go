package jmapclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/foxcpp/go-jmap"
)

const (
	// maxAnswer bounds an API answer, decompressed: a page of 5 000 messages is
	// ten megabytes, a Blob/get of the most that is asked for at once some tens.
	maxAnswer = 64 << 20
	// maxUnnamed bounds how many methods an answer may name that nobody called.
	maxUnnamed = 8
)

// readAnswers reads an API answer and hands each call its own.
func (c *Client) readAnswers(x *exchange, r *request, resp *http.Response) *fault {
	var body []byte
	if r.body != nil {
		body = (*r.body)[:0]
	}
	body, err := readAll(resp.Body, body, resp.ContentLength, c.maxAnswer)
	if r.body != nil && body != nil {
		*r.body = body
	}
	if errors.Is(err, errTooMuch) {
		return x.beyond(resp, err)
	}
	if err != nil {
		return c.readFault(x, err)
	}
	methods := make([]string, len(r.calls))
	for i, k := range r.calls {
		methods[i] = k.method
	}
	answer, err := decode(body, methods)
	if errors.Is(err, errTooMuch) {
		return x.beyond(resp, err)
	}
	if err != nil {
		return c.nonsense(x, x.op, resp.StatusCode, err)
	}
	return c.deliver(x, r, answer)
}

// beyond is an answer that is not taken into memory, nor asked for again.
func (x *exchange) beyond(resp *http.Response, err error) *fault {
	f := x.fault(final, ServerFault, err)
	f.Status = resp.StatusCode
	return f
}

// nonsense is an answer that does not say what an answer to op says.
func (c *Client) nonsense(x *exchange, op string, status int, err error) *fault {
	f := x.says(faulty, ServerFault, "the answer makes no sense: %s", c.quote(err.Error()))
	f.Op, f.Status, f.Err = op, status, err
	return f
}

// readAll reads up to limit octets into buf, or a larger one; more is
// errTooMuch. The length that was announced, -1 for none, is believed as far as
// a megabyte, and further once as much has come.
func readAll(r io.Reader, buf []byte, announced, limit int64) ([]byte, error) {
	const first, believed = 4 << 10, 1 << 20
	if size := max(first, min(announced+1, believed)); int64(cap(buf)) < size {
		buf = make([]byte, 0, size)
	}
	for {
		if len(buf) == cap(buf) {
			more := 2 * int64(cap(buf))
			if announced >= int64(len(buf)) {
				more = min(2*more, announced+1)
			}
			buf = slices.Grow(buf, int(max(min(more, limit+1)-int64(len(buf)), 1)))
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		switch {
		case int64(len(buf)) > limit:
			return nil, fmt.Errorf("%w: larger than %d bytes", errTooMuch, limit)
		case err == io.EOF:
			return buf, nil
		case err != nil:
			return nil, err
		}
	}
}

// deliver gives each call its answer. The first fault of one that must not fail
// is the fault of all.
func (c *Client) deliver(x *exchange, r *request, answer *jmap.Response) (first *fault) {
	r.extra = map[string]json.RawMessage{}
	for _, k := range r.calls {
		k.answer, k.failed = nil, nil
	}
	fail := func(k *call, f *fault) {
		switch {
		case k.mayFail:
			k.failed = f
		case first == nil:
			first = f
		}
	}
	for _, inv := range answer.Responses {
		i, err := strconv.Atoi(inv.CallID)
		open := err == nil && i >= 0 && i < len(r.calls) && r.calls[i].answer == nil && r.calls[i].failed == nil
		switch args := inv.Args.(type) {
		case jmap.MethodErrorArgs:
			if open {
				fail(r.calls[i], c.methodFault(x, r.calls[i].method, args))
			}
		case json.RawMessage:
			if open && inv.Name == r.calls[i].method {
				if f := c.accept(x, r.calls[i], args); f != nil {
					fail(r.calls[i], f)
				}
			} else {
				r.extra[inv.Name] = args
			}
		}
	}
	for _, k := range r.calls {
		if k.answer == nil && k.failed == nil {
			f := x.says(faulty, ServerFault, "the server did not answer %s", k.method)
			f.Op = k.method
			fail(k, f)
		}
	}
	return first
}

// accept takes a call's answer in, but none about another account than was asked for.
func (c *Client) accept(x *exchange, k *call, args json.RawMessage) *fault {
	asked, _ := k.args["accountId"].(string)
	if about := accountOf(args); about != "" && asked != "" && about != asked {
		f := x.says(final, ServerFault, "asked about account %q, the server answers about account %q", asked, quote(about))
		f.Op = k.method
		return f
	}
	read := k.read
	if read == nil {
		read = anyJSON
	}
	if err := read(args); err != nil {
		return c.nonsense(x, k.method, 0, err)
	}
	k.answer = args
	return nil
}

// accountOf is the accountId that an answer names, "" if it names none. Servers
// put it first, and what follows may be megabytes of messages.
func accountOf(args json.RawMessage) (id string) {
	found := errors.New("found")
	s := &scanner{data: args}
	// What can't be read here is reported by who reads the rest.
	_ = s.object(func(key string) error {
		raw, err := s.value()
		if err == nil && key == "accountId" {
			id, _ = text(raw)
			return found
		}
		return err
	})
	return id
}

// decode splits an API answer (RFC 8620 §3.4) into its invocations, whose
// arguments lie in body. It finds what go-jmap's Response.Unmarshal finds, but
// reads the body once, and takes answers of methods that were not called too:
// servers add such (an Email/set for an Email/copy that destroys).
func decode(body []byte, methods []string) (*jmap.Response, error) {
	resp := &jmap.Response{}
	var unnamed []string
	s := &scanner{data: body}
	err := s.object(func(key string) error {
		if !strings.EqualFold(key, "methodResponses") {
			_, err := s.value()
			return err
		}
		resp.Responses = nil // of two the last counts
		if s.next() == 'n' {
			_, err := s.value()
			return err
		}
		return s.array(func() error {
			inv, err := s.invocation()
			if err != nil {
				return err
			}
			if inv.Name != "error" && !slices.Contains(methods, inv.Name) && !slices.Contains(unnamed, inv.Name) {
				unnamed = append(unnamed, inv.Name)
			}
			if len(unnamed) > maxUnnamed {
				return fmt.Errorf("it names more than %d methods that were not called", maxUnnamed)
			}
			resp.Responses = append(resp.Responses, inv)
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

// invocation is the Invocation that comes next (RFC 8620 §3.2): its arguments
// are where they lie, or a MethodErrorArgs.
func (s *scanner) invocation() (inv jmap.Invocation, err error) {
	var parts [][]byte
	err = s.array(func() error {
		part, err := s.value()
		if parts = append(parts, part); len(parts) > 3 {
			err = errors.Join(err, errNoInvocation)
		}
		return err
	})
	if err != nil {
		return inv, err
	}
	if len(parts) != 3 || parts[1][0] != '{' {
		return inv, errNoInvocation
	}
	if inv.Name, err = text(parts[0]); err != nil {
		return inv, err
	}
	if inv.CallID, err = text(parts[2]); err != nil {
		return inv, err
	}
	inv.Args = json.RawMessage(parts[1])
	if inv.Name == "error" {
		inv.Args, err = jmap.UnmarshalMethodErrorArgs(parts[1])
	}
	return inv, err
}

var errNoInvocation = errors.New("a method response is an array of name, arguments and id")
