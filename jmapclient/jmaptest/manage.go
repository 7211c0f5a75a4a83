package jmaptest

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Management is an API over which an administrator makes accounts.
type Management string

// The APIs of Stalwart.
const (
	ManagementAdmin      Management = "/admin"     // 0.5 and 0.6: names, domains apart
	ManagementAPI        Management = "/api"       // 0.7 to 0.9: names with their number, domains apart
	ManagementPrincipals Management = "principals" // 0.10 to 0.15: /api with whole principals, of which domains are some
	ManagementObjects    Management = "objects"    // 0.16: methods x:Account, x:Domain, x:MailingList of JMAP
)

// Secrets is how passwords are kept.
type Secrets string

// The ways.
const (
	SecretsAreList    Secrets = ""     // any of them signs in, and they are only set as a whole
	SecretsWithApps   Secrets = "apps" // an item can be added and removed, $app$NAME$PASSWORD being an app's
	SecretOneWithApps Secrets = "one"  // the same, and of those that are no app's there is one: another replaces it
)

// managesAt says whether a path is that of the management API.
func (s *Server) managesAt(path string) bool {
	head := s.managedBelow()
	return head != "" && (strings.HasPrefix(path, head+"/principal") || strings.HasPrefix(path, head+"/domain"))
}

func (s *Server) managedBelow() string {
	if s.p.Management == ManagementPrincipals {
		return string(ManagementAPI)
	}
	if s.p.Management == ManagementObjects {
		return ""
	}
	return string(s.p.Management)
}

// refusal is an answer with an error in it: a status other than 200, or an error
// member in one of 200.
type refusal struct {
	status      int
	member      object
	title, says string
}

func (r *refusal) Error() string { return r.says }

// serveManagement answers a request of /admin or /api.
func (s *Server) serveManagement(w http.ResponseWriter, r *http.Request, caller *account, path string) {
	f := s.traffic.count(Request{Kind: "manage", Login: caller.user.Login, Methods: []string{r.Method + " " + path}})
	if !f.before(w) {
		return
	}
	body, err := readAll(r, s.p.Limits.MaxSizeRequest)
	if err != nil {
		return // too large for any account, or the client went
	}
	data, err := s.managed(r, caller, path, body)
	if no, ok := err.(*refusal); ok && no.status != 0 {
		problem(w, no.status, "", no.title, no.says)
		return
	} else if ok {
		s.answer(w, r, f, http.StatusOK, "application/json; charset=utf-8", encode(no.member))
		return
	}
	s.answer(w, r, f, http.StatusOK, "application/json; charset=utf-8", encode(object{"data": data}))
}

func (s *Server) managed(r *http.Request, caller *account, path string, body []byte) (any, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !caller.user.Admin {
		return nil, map[Management]*refusal{
			ManagementAdmin:      {status: 401, title: "Unauthorized", says: "You have to authenticate first."},
			ManagementAPI:        {status: 404, title: "Not Found", says: "The requested resource does not exist on this server."},
			ManagementPrincipals: {status: 403, title: "Forbidden", says: "You may not do this."},
		}[s.p.Management]
	}
	what, name, one := strings.Cut(strings.TrimPrefix(path, s.managedBelow()+"/"), "/")
	if s.p.Management != ManagementAdmin { // which takes the path as it stands
		name, _ = url.PathUnescape(name)
	}
	query := r.URL.Query()
	switch route := r.Method + " " + what; {
	case route == "POST principal" && !one:
		return s.createPrincipal(body)
	case route == "GET principal" && !one:
		return s.listPrincipals(query)
	case what == "principal" && one:
		a := s.byLogin(name)
		if d := s.domainNamed(name); d != nil && s.p.Management == ManagementPrincipals && r.Method == http.MethodGet {
			return s.domainPrincipal(d), nil
		}
		if a == nil || a.hidden {
			if s.p.Management == ManagementPrincipals {
				return nil, &refusal{member: object{"error": "notFound", "item": name}}
			}
			return nil, &refusal{status: 404, title: "Not found", says: "Account not found."}
		}
		return s.onePrincipal(r.Method, a, body)
	case s.p.Management == ManagementPrincipals:
	case route == "GET domain" && !one:
		var names []string
		for _, d := range s.domains {
			names = append(names, d.name)
		}
		slices.Sort(names)
		return s.page(asAny(names), query), nil
	case route == "POST domain" && one:
		if !strings.Contains(name, ".") {
			return nil, s.refuse("missing", "name", "")
		}
		s.addDomain(name)
		if s.p.Management == ManagementAdmin {
			return []string{}, nil
		}
		return nil, nil
	}
	return nil, &refusal{status: 404, title: "Not Found", says: "The requested resource does not exist on this server."}
}

// refuse words an error as the version does.
func (s *Server) refuse(what, field, value string) *refusal {
	words := map[string][3]string{
		"exists":      {"alreadyExists", "FieldAlreadyExists", "fieldAlreadyExists"},
		"missing":     {"missingField", "FieldMissing", "fieldMissing"},
		"notFound":    {"notFound", "NotFound", "notFound"},
		"unsupported": {"unsupported", "Unsupported", "unsupported"},
	}[what]
	o := object{}
	switch {
	case s.p.Management == ManagementAdmin:
		o["error"], o["details"] = words[0], "The request is refused: "+field+" "+value
	case s.p.Secrets == SecretsAreList:
		o["error"] = words[1]
	default:
		o["error"] = words[2]
	}
	switch what {
	case "exists":
		o["field"], o["value"] = field, value
	case "missing":
		o["field"] = field
	case "notFound":
		o["item"] = value
	case "unsupported":
		o["details"] = "Requested action is unsupported"
	}
	return &refusal{member: o}
}

// page is what a list answers of all that there is: in 0.5 and 0.6 what comes
// after a name, later a page by its number.
func (s *Server) page(all []any, query url.Values) any {
	limit, _ := strconv.Atoi(query.Get("limit"))
	if s.p.Management == ManagementAdmin {
		if from := query.Get("from"); from != "" {
			all = slices.DeleteFunc(all, func(v any) bool { return v.(string) <= from })
		}
		if limit > 0 {
			all = all[:min(limit, len(all))]
		}
		return all
	}
	total := len(all)
	if limit > 0 {
		number, _ := strconv.Atoi(query.Get("page"))
		at := min(max(number-1, 0)*limit, total)
		all = all[at:min(at+limit, total)]
	}
	return object{"items": all, "total": total}
}

func asAny(names []string) []any {
	list := make([]any, len(names))
	for i, n := range names {
		list[i] = n
	}
	return list
}

// domain is one that the server's accounts may have addresses in.
type domain struct {
	name   string
	number uint64
}

func (s *Server) domainNamed(name string) *domain {
	i := slices.IndexFunc(s.domains, func(d *domain) bool { return strings.EqualFold(d.name, name) })
	if i < 0 {
		return nil
	}
	return s.domains[i]
}

// addDomain makes a domain, unless it is there. Where it is a principal it takes
// one of their numbers.
func (s *Server) addDomain(name string) *domain {
	if d := s.domainNamed(name); d != nil || name == "" {
		return d
	}
	d := &domain{strings.ToLower(name), uint64(len(s.domains)) + 1}
	if s.p.Management == ManagementPrincipals {
		d.number = s.nextID
		s.nextID++
	}
	s.domains = append(s.domains, d)
	return d
}

func domainOf(address string) string {
	_, d, _ := cutLast(address, "@")
	return d
}

// principalIn is a principal as it comes.
type principalIn struct {
	Type            string
	Name            string
	Description     *string
	Secrets         json.RawMessage
	Emails          []string
	MemberOf        []string
	Members         []string
	ExternalMembers []string
	Roles           []string
	Quota           json.Number
}
