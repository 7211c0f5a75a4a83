package directory

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"mailhaul/jmapclient"
)

// pageOf is how many names are asked for at once.
const pageOf = 500

// principals is a server of 0.5 to 0.15.
type principals struct {
	c *jmapclient.Client
	v Version
}

// texts is a list of texts, or one alone.
type texts []string

// UnmarshalJSON takes both forms; a number, as a domain has for its members, is none.
func (t *texts) UnmarshalJSON(data []byte) error {
	var one string
	var list []string
	switch {
	case json.Unmarshal(data, &one) == nil:
		*t = nil
		if one != "" {
			*t = texts{one}
		}
	case json.Unmarshal(data, &list) == nil && len(list) > 0:
		*t = list
	default:
		*t = nil
	}
	return nil
}

// principal is an account as the server has it.
type principal struct {
	Type               string `json:"type"`
	Name               string `json:"name"`
	Description        string `json:"description"`
	Quota              int64  `json:"quota"`
	Secrets            texts  `json:"secrets"`
	Emails             texts  `json:"emails"`
	MemberOf           texts  `json:"memberOf"`
	Lists              texts  `json:"lists"`
	Members            texts  `json:"members"`
	ExternalMembers    texts  `json:"externalMembers"`
	Roles              texts  `json:"roles"`
	EnabledPermissions texts  `json:"enabledPermissions"`
	Disabled           texts  `json:"disabledPermissions"`
}

// manage sends a management request and answers the data member. An error member
// in an answer of 200 is an error, data null is none.
func manage(ctx context.Context, c *jmapclient.Client, m jmapclient.ManageRequest) (json.RawMessage, error) {
	raw, err := c.Manage(ctx, m)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Data    json.RawMessage `json:"data"`
		Error   string          `json:"error"`
		Field   string          `json:"field"`
		Value   any             `json:"value"`
		Item    string          `json:"item"`
		Details string          `json:"details"`
		Reason  string          `json:"reason"`
	}
	path, _, _ := strings.Cut(m.Path, "?")
	e := &jmapclient.Error{Op: m.Method + " " + path, Item: m.Item}
	if err := json.Unmarshal(raw, &answer); err != nil {
		e.Kind, e.Detail = jmapclient.ServerFault, "the answer makes no sense: "+err.Error()
		return nil, e
	}
	if answer.Error == "" {
		return answer.Data, nil
	}
	e.Type = answer.Error
	var says []string
	for _, s := range []string{answer.Field, fmt.Sprint(answer.Value), answer.Item, answer.Details, answer.Reason} {
		if s != "" && s != "<nil>" && answer.Field != "secrets" && len(s) < 400 {
			says = append(says, s)
		}
	}
	e.Detail = strings.Join(says, " ")
	for _, s := range m.Hide {
		e.Detail = strings.ReplaceAll(e.Detail, s, "[redacted]")
	}
	switch word := strings.ToLower(answer.Error); {
	case word == "notfound":
		e.Kind = jmapclient.NotFound
	case strings.HasPrefix(word, "unsupported"):
		e.Kind = jmapclient.Unsupported
	default:
		e.Kind = jmapclient.Invalid
	}
	return nil, e
}

// exists says whether an error is that something of that name or address is there.
func exists(err error) bool {
	e, ok := errors.AsType[*jmapclient.Error](err)
	if !ok {
		return false
	}
	word := strings.ToLower(e.Type)
	return strings.HasSuffix(word, "alreadyexists") || word == "primarykeyviolation"
}

func (p *principals) base() string {
	if p.v == V05 {
		return "/admin"
	}
	return "/api"
}

// path is a principal's or a domain's. A name is one segment of it, whatever it
// holds; @ goes as it is, which 0.5 to 0.7.1 want.
func (p *principals) path(what, name string) string {
	return p.base() + "/" + what + "/" + url.PathEscape(name)
}

func (p *principals) read(ctx context.Context) (*Directory, error) {
	d := &Directory{Version: p.v, Server: p.c.Origin()}
	names, err := p.names(ctx, "principal", "individual,group,list")
	if err != nil {
		return nil, err
	}
	kind, domains := "domain", []string(nil)
	if p.v == V010 {
		kind = "principal"
	}
	if domains, err = p.names(ctx, kind, "domain"); err != nil {
		return nil, err
	}
	for _, name := range domains {
		d.Domains = append(d.Domains, Domain{strings.ToLower(name)})
	}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(4)
	for _, name := range names {
		g.Go(func() error {
			a, err := p.account(ctx, name)
			if err != nil || a == nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			d.Accounts = append(d.Accounts, *a)
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	d.tidy()
	return d, nil
}

// names lists all principals or domains: in 0.5 and 0.6 what comes after a name,
// later by the page.
func (p *principals) names(ctx context.Context, what, types string) ([]string, error) {
	var all []string
	seen := map[string]bool{}
	for page := 1; page <= mostPages; page++ {
		query := url.Values{"limit": {strconv.Itoa(pageOf)}}
		if p.v == V05 && len(all) > 0 {
			query.Set("from", all[len(all)-1])
		} else if p.v != V05 {
			query.Set("page", strconv.Itoa(page))
		}
		path := p.base() + "/" + what + "?" + query.Encode()
		if p.v == V010 {
			path += "&types=" + types + "&fields=name,type"
		}
		data, err := manage(ctx, p.c, jmapclient.ManageRequest{Method: "GET", Path: path})
		if err != nil {
			return nil, err
		}
		names, err := namesIn(data)
		if err != nil {
			return nil, &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "GET " + p.base() + "/" + what, Detail: "the answer makes no sense: " + err.Error()}
		}
		fresh := false
		for _, n := range names {
			if n != "" && !seen[n] {
				seen[n], fresh = true, true
				all = append(all, n)
			}
		}
		if !fresh || len(names) < pageOf {
			return all, nil // one page answers all where the limit is not heeded
		}
	}
	return nil, nonsense("GET "+p.base()+"/"+what, errors.New("the list does not end"))
}

// namesIn reads a list of names or of objects with names, alone or under items.
func namesIn(data json.RawMessage) ([]string, error) {
	var paged struct{ Items []json.RawMessage }
	var items []json.RawMessage
	if json.Unmarshal(data, &items) != nil {
		if err := json.Unmarshal(data, &paged); err != nil {
			return nil, err
		}
		items = paged.Items
	}
	names := make([]string, 0, len(items))
	for _, raw := range items {
		var name string
		var o struct{ Name string }
		if json.Unmarshal(raw, &name) != nil {
			if err := json.Unmarshal(raw, &o); err != nil {
				return nil, err
			}
			name = o.Name
		}
		names = append(names, name)
	}
	return names, nil
}

// account reads one, nil when it is not there or is no account.
func (p *principals) account(ctx context.Context, name string) (*Account, error) {
	data, err := manage(ctx, p.c, jmapclient.ManageRequest{Method: "GET", Path: p.path("principal", name), Item: name})
	if jmapclient.KindOf(err) == jmapclient.NotFound {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var in principal
	if err := json.Unmarshal(data, &in); err != nil {
		return nil, &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "GET " + p.base() + "/principal", Item: name, Detail: "the answer makes no sense: " + err.Error()}
	}
	if !strings.EqualFold(in.Name, name) {
		return nil, &jmapclient.Error{Kind: jmapclient.ServerFault, Op: "GET " + p.base() + "/principal", Item: name, Detail: "it answers about " + strconv.Quote(in.Name)}
	}
	return in.account(), nil
}

func (in principal) account() *Account {
	a := &Account{Name: strings.ToLower(in.Name), Emails: lower(in.Emails), Description: in.Description, Quota: in.Quota, Secrets: in.Secrets,
		MemberOf: append(slices.Clone(in.MemberOf), in.Lists...), Members: append(slices.Clone(in.Members), in.ExternalMembers...)}
	switch in.Type {
	case "individual":
		a.Kind = Individual
		if slices.Contains(in.Roles, "admin") {
			a.Kind = Admin
		}
	case "superuser":
		a.Kind = Admin
	case "group":
		a.Kind = Group
	case "list":
		a.Kind = List
	default:
		return nil
	}
	a.Roles = sorted(slices.DeleteFunc(slices.Clone(in.Roles), func(r string) bool { return r == "user" || r == "admin" }))
	if len(in.EnabledPermissions)+len(in.Disabled) > 0 {
		a.Notes = append(a.Notes, "it has permissions of its own, which are not carried")
	}
	return a
}
