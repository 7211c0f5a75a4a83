package jmaptest

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
)

// object is a JSON object on its way out.
type object = map[string]any

// request is RFC 8620 §3.3's Request and what it gathers as it runs.
type request struct {
	using      []string
	createdIDs map[string]string

	calls     []invocation
	responses []invocation
	decoded   map[int]any // responses that a reference looked into
	created   map[string]string
	blobs     map[string]*blob // Blob/set's
	caller    *account
	wrongSize bool // fault
}

type invocation struct {
	name string
	args json.RawMessage
	id   string
}

// parse reads an invocation: a name, arguments that are an object, and an id.
func (i *invocation) parse(raw json.RawMessage) (ok bool) {
	parts, ok := elements(raw)
	if !ok || len(parts) != 3 || parts[1][0] != '{' {
		return false
	}
	i.args = parts[1]
	var isText, isID bool
	i.name, isText = text(parts[0])
	i.id, isID = text(parts[2])
	return isText && isID
}

// methodError is RFC 8620 §3.6.2's error of one method call.
type methodError struct {
	Type        string
	Description string
}

func (e *methodError) Error() string { return e.Type + ": " + e.Description }

func failed(typ, description string) error { return &methodError{typ, description} }

// errUnauthorized refuses the whole request.
var errUnauthorized = errors.New("not for you")

// call is one method call.
type call struct {
	s      *Server
	req    *request
	caller *account
	a      *account // that accountId names
	using  []string
	name   string
	args   json.RawMessage
	extra  []extra // responses after the call's own
}

type extra struct {
	name string
	args any
}

// serveAPI is RFC 8620 §3.
func (s *Server) serveAPI(w http.ResponseWriter, r *http.Request, caller *account, _ string) {
	leave, ok := s.enter(w, "maxConcurrentRequests", caller, s.p.Limits.MaxConcurrentRequests)
	if !ok {
		return
	}
	defer leave()
	body, err := readAll(r, s.p.Limits.MaxSizeRequest)
	if errors.Is(err, errTooLarge) {
		limitProblem(w, "maxSizeRequest")
		return
	}
	if err != nil {
		return // the client went
	}
	req, typ := parseRequest(body)
	if typ == "" && !s.p.AnyContentType && !isJSON(r.Header.Get("Content-Type")) {
		typ = "notJSON"
	}
	f := s.traffic.count(Request{Kind: "api", Login: caller.user.Login, Methods: req.methods()})
	if !f.before(w) {
		return
	}
	if typ == "" {
		typ = s.checkUsing(req)
	}
	switch {
	case typ != "":
		problem(w, http.StatusBadRequest, "urn:ietf:params:jmap:error:"+typ, "", "The request is refused: "+typ+".")
		return
	case int64(len(req.calls)) > s.p.Limits.MaxCallsInRequest:
		limitProblem(w, "maxCallsInRequest")
		return
	}
	req.caller, req.wrongSize = caller, f != nil && f.Do == WrongSize
	if err := s.run(req); err != nil {
		unauthorized(w)
		return
	}
	s.mu.Lock()
	state := s.sessionState(caller)
	s.mu.Unlock()
	leave()
	s.answer(w, r, f, http.StatusOK, "application/json; charset=utf-8", req.answer(state))
}

// answer is RFC 8620 §3.4's Response. It is put together by hand: the parts are
// JSON already, and large.
func (r *request) answer(sessionState string) []byte {
	var b bytes.Buffer
	b.WriteString(`{"methodResponses":[`)
	for i, resp := range r.responses {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('[')
		b.Write(encode(resp.name))
		b.WriteByte(',')
		b.Write(resp.args)
		b.WriteByte(',')
		b.Write(encode(resp.id))
		b.WriteByte(']')
	}
	b.WriteString(`],"sessionState":`)
	b.Write(encode(sessionState))
	if r.createdIDs != nil {
		b.WriteString(`,"createdIds":`)
		b.Write(encode(r.created))
	}
	b.WriteByte('}')
	return b.Bytes()
}

// parseRequest reads a request; typ is the error of RFC 8620 §3.6.1, "" if there is none.
func parseRequest(body []byte) (req *request, typ string) {
	req = &request{decoded: map[int]any{}, created: map[string]string{}}
	if !json.Valid(body) {
		return req, "notJSON"
	}
	f, _ := members(body)
	calls, ok := elements(f["methodCalls"])
	if !ok || json.Unmarshal(f["using"], &req.using) != nil || req.using == nil {
		return req, "notRequest"
	}
	if f["createdIds"] != nil && json.Unmarshal(f["createdIds"], &req.createdIDs) != nil {
		return req, "notRequest"
	}
	req.calls = make([]invocation, len(calls))
	for i, raw := range calls {
		if !req.calls[i].parse(raw) {
			req.calls = nil
			return req, "notRequest"
		}
	}
	maps.Copy(req.created, req.createdIDs)
	return req, ""
}

func (r *request) methods() []string {
	names := make([]string, len(r.calls))
	for i, c := range r.calls {
		names[i] = c.name
	}
	return names
}

func (s *Server) checkUsing(req *request) (typ string) {
	for _, urn := range req.using {
		if urn != urnCore && !slices.ContainsFunc(s.p.Capabilities, func(c Capability) bool { return c.URN == urn }) {
			return "unknownCapability"
		}
	}
	return ""
}

// run makes the calls in order; an error refuses the request as a whole.
func (s *Server) run(req *request) error {
	for _, inv := range req.calls {
		c := &call{s: s, req: req, caller: req.caller, using: req.using, name: inv.name}
		answer, err := c.run(inv.args)
		if errors.Is(err, errUnauthorized) {
			return err
		}
		name := inv.name
		var me *methodError
		if errors.As(err, &me) {
			o := object{"type": me.Type}
			if me.Description != "" {
				o["description"] = me.Description
			}
			name, answer, c.extra = "error", o, nil
		}
		req.responses = append(req.responses, invocation{name, encode(answer), inv.id})
		for _, e := range c.extra {
			req.responses = append(req.responses, invocation{e.name, encode(e.args), inv.id})
		}
	}
	return nil
}

// run makes one call under the server's lock. What it answers holds nothing
// that changes later, so that it can be encoded without.
func (c *call) run(args json.RawMessage) (any, error) {
	if object, ok := strings.CutPrefix(c.name, "x:"); ok && c.s.p.Management == ManagementObjects {
		return c.manage(object, args)
	}
	m, ok := methods[c.name]
	if !ok {
		m, ok = c.s.typeMethod(c.name)
	}
	if !ok || !c.s.p.has(c.name) || !c.s.p.AnyUsing && !slices.Contains(c.using, c.s.p.urn(m.urn)) {
		return nil, failed("unknownMethod", "There is no method "+c.name+" in what the request uses.")
	}
	var err error
	if c.args, err = c.resolve(args); err != nil {
		return nil, err
	}
	c.s.mu.Lock()
	defer c.s.mu.Unlock()
	if c.name != "Core/echo" {
		if err := c.findAccount(); err != nil {
			return nil, err
		}
		if m.writes && c.a.user.ReadOnly {
			return nil, failed("accountReadOnly", "The account is read-only.")
		}
	}
	return m.do(c)
}

// has says whether the server has a method at all.
func (p *Profile) has(method string) bool {
	switch method {
	case "Identity/set":
		return !p.NoIdentitySet
	case "Blob/set":
		return p.BlobSet
	case "Blob/upload", "Blob/lookup":
		return !p.BlobSet
	}
	return true
}

// urn is the capability that stands for a standard one.
func (p *Profile) urn(standard string) string {
	if own, ok := p.URNs[standard]; ok {
		return own
	}
	return standard
}

func (c *call) findAccount() error {
	f, _ := members(c.args)
	id, ok := text(f["accountId"])
	if !ok {
		return failed("invalidArguments", "accountId is missing or no string.")
	}
	a, err := c.account(id)
	c.a = a
	return err
}

// account is an account that the caller may use.
func (c *call) account(id string) (*account, error) {
	a := c.s.byID[id]
	if a != nil && c.s.allowed(c.caller, a) {
		return a, nil
	}
	if a == nil && c.s.p.MalformedFailsCall && !c.s.wellFormed(id) {
		return nil, malformed(id)
	}
	switch {
	case a != nil && c.s.p.Foreign == ForeignUnauthorized:
		return nil, errUnauthorized
	case c.s.p.Foreign == ForeignForbidden:
		return nil, failed("forbidden", "The account "+id+" is not yours.")
	}
	return nil, failed("accountNotFound", "There is no account "+id+" for you.")
}
