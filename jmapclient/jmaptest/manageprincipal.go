package jmaptest

import (
	"encoding/json"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// kind is an account's type in the management API.
func (a *account) kind() string {
	switch {
	case a.user.Group:
		return "group"
	case a.user.List:
		return "list"
	case a.user.Admin && a.s.p.Management != ManagementPrincipals:
		return "superuser"
	}
	return "individual"
}

// managed are the accounts that management knows, by name.
func (s *Server) managedAccounts() []*account {
	list := slices.DeleteFunc(slices.Clone(s.accounts), func(a *account) bool { return a.hidden })
	slices.SortFunc(list, func(a, b *account) int { return strings.Compare(a.user.Login, b.user.Login) })
	return list
}

func (s *Server) listPrincipals(query url.Values) (any, error) {
	whole := s.p.Management == ManagementPrincipals
	types := strings.FieldsFunc(query.Get("type")+","+query.Get("types"), func(r rune) bool { return r == ',' })
	wanted := func(kind string) bool {
		return len(types) == 0 || slices.Contains(types, kind) || kind == "superuser" && slices.Contains(types, "individual")
	}
	all := map[string]any{}
	for _, a := range s.managedAccounts() {
		switch {
		case !wanted(a.kind()):
		case whole:
			all[a.user.Login] = s.principal(a)
		default:
			all[a.user.Login] = a.user.Login
		}
	}
	if whole && wanted("domain") {
		for _, d := range s.domains {
			all[d.name] = s.domainPrincipal(d)
		}
	}
	var list []any
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return s.page(list, query), nil
}

func (s *Server) domainPrincipal(d *domain) object {
	o := object{"id": d.number, "type": "domain", "name": d.name}
	addresses := 0
	for _, a := range s.accounts {
		for _, e := range a.user.Emails {
			if strings.EqualFold(domainOf(e), d.name) {
				addresses++
			}
		}
	}
	if addresses > 0 {
		o["members"] = addresses
	}
	return o
}

// principal is an account as management shows it.
func (s *Server) principal(a *account) object {
	members := []string{}
	for _, m := range s.managedAccounts() {
		if slices.Contains(m.user.MemberOf, a.user.Login) {
			members = append(members, m.user.Login)
		}
	}
	u := a.user
	o := object{"id": a.number, "type": a.kind(), "name": u.Login, "emails": orNone(u.Emails), "secrets": orNone(u.Secrets),
		"memberOf": orNone(u.MemberOf), "members": members, "quota": u.Quota}
	if s.p.Management != ManagementPrincipals {
		o["usedQuota"], o["description"] = a.used(), any(nil)
		if u.Description != "" {
			o["description"] = u.Description
		}
		return o
	}
	groups, lists := []string{}, []string{}
	for _, m := range u.MemberOf {
		if of := s.byLogin(m); of != nil && of.user.List {
			lists = append(lists, m)
		} else {
			groups = append(groups, m)
		}
	}
	o["memberOf"], o["lists"], o["roles"], o["description"] = groups, lists, orNone(u.Roles), u.Description
	o["externalMembers"] = orNone(u.External)
	for k, v := range o {
		if list, ok := v.([]string); ok && len(list) == 0 || v == "" || v == int64(0) {
			delete(o, k)
		}
	}
	return o
}

func orNone(list []string) []string {
	if list == nil {
		return []string{}
	}
	return slices.Clone(list)
}

// createPrincipal makes an account, or a domain where domains are principals.
func (s *Server) createPrincipal(body []byte) (any, error) {
	var in principalIn
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &refusal{status: http.StatusBadRequest, title: "Invalid parameters", says: err.Error()}
	}
	name := strings.ToLower(in.Name)
	whole := s.p.Management == ManagementPrincipals
	quota, err := s.quotaIn(in.Quota)
	if err != nil {
		return nil, err
	}
	if name == "" {
		return nil, s.refuse("missing", "name", "")
	}
	if s.byLogin(name) != nil || whole && s.domainNamed(name) != nil {
		return nil, s.refuse("exists", "name", name)
	}
	if whole && in.Type == "domain" {
		return s.addDomain(name).number, nil
	}
	if !slices.Contains([]string{"individual", "group", "list"}, in.Type) && (whole || in.Type != "superuser") {
		return nil, &refusal{status: http.StatusBadRequest, title: "Invalid parameters", says: "There is no type " + in.Type + "."}
	}
	if err := s.freeAddresses(nil, in.Emails); err != nil {
		return nil, err
	}
	if err := s.areAccounts(append(slices.Clone(in.MemberOf), in.Members...)); err != nil {
		return nil, err
	}
	u := User{Login: name, Group: in.Type == "group", List: in.Type == "list", Emails: lowered(in.Emails), MemberOf: in.MemberOf, Quota: quota,
		Roles: in.Roles, External: in.ExternalMembers, Admin: in.Type == "superuser" || whole && slices.Contains(in.Roles, "admin")}
	if in.Description != nil {
		u.Description = *in.Description
	}
	u.Secrets = s.keptSecrets(secretsIn(in.Secrets))
	a := s.addAccount(s.newAccountID(), u)
	if s.p.Management != ManagementAdmin { // which ignores them
		for _, m := range in.Members {
			s.byLogin(m).join(name)
		}
	}
	return a.number, nil
}

func (s *Server) quotaIn(n json.Number) (int64, error) {
	quota, err := n.Int64()
	if n != "" && err != nil || quota < 0 || s.p.Management == ManagementAdmin && quota > math.MaxUint32 {
		return 0, &refusal{status: http.StatusBadRequest, title: "Invalid parameters", says: "The quota does not fit."}
	}
	return quota, nil
}

// secretsIn is a text or a list of them.
func secretsIn(raw json.RawMessage) []string {
	var list []string
	if one, ok := text(raw); ok {
		return []string{one}
	}
	_ = json.Unmarshal(raw, &list) // anything else is none
	return list
}

// keptSecrets are those that the version keeps of a list.
func (s *Server) keptSecrets(list []string) []string {
	if s.p.Secrets != SecretOneWithApps {
		return list
	}
	var kept []string
	one := false
	for _, secret := range list {
		app := strings.HasPrefix(secret, appPrefix) || strings.HasPrefix(secret, "otpauth://")
		if app || !one {
			kept = append(kept, secret)
		}
		one = one || !app
	}
	return kept
}

func lowered(list []string) []string {
	var out []string
	for _, v := range list {
		out = append(out, strings.ToLower(v))
	}
	return out
}

// freeAddresses refuses addresses of other accounts and of domains that are not there.
func (s *Server) freeAddresses(of *account, addresses []string) error {
	for _, e := range addresses {
		for _, a := range s.accounts {
			if a != of && slices.Contains(a.user.Emails, strings.ToLower(e)) {
				return s.refuse("exists", "emails", e)
			}
		}
		if s.domainNamed(domainOf(e)) == nil {
			return s.refuse("notFound", "", domainOf(e))
		}
	}
	return nil
}

func (s *Server) areAccounts(names []string) error {
	for _, n := range names {
		if a := s.byLogin(n); a == nil || a.hidden {
			return s.refuse("notFound", "", n)
		}
	}
	return nil
}

// join makes the account a member.
func (a *account) join(of string) {
	if !slices.Contains(a.user.MemberOf, of) {
		a.user.MemberOf = append(slices.Clone(a.user.MemberOf), of)
	}
}

func (a *account) leave(of string) {
	a.user.MemberOf = slices.DeleteFunc(slices.Clone(a.user.MemberOf), func(m string) bool { return m == of })
}
