package jmaptest

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// edit is one part of a PATCH of a principal.
type edit struct {
	Action string // set, addItem, removeItem
	Field  string
	Value  json.RawMessage
}

func (s *Server) onePrincipal(method string, a *account, body []byte) (any, error) {
	switch method {
	case http.MethodGet:
		return s.principal(a), nil
	case http.MethodDelete:
		s.accounts = slices.DeleteFunc(s.accounts, func(x *account) bool { return x == a })
		delete(s.byID, a.id)
		for _, x := range s.accounts {
			x.leave(a.user.Login)
		}
	case http.MethodPatch:
		var edits []edit
		if err := json.Unmarshal(body, &edits); err != nil {
			return nil, &refusal{status: http.StatusBadRequest, title: "Invalid parameters", says: err.Error()}
		}
		before := a.user
		for _, c := range edits {
			if err := s.edit(a, c); err != nil {
				a.user = before
				return nil, err
			}
		}
	default:
		return nil, &refusal{status: http.StatusMethodNotAllowed, title: "Method Not Allowed", says: "No " + method + " here."}
	}
	return nil, nil
}

func (s *Server) edit(a *account, c edit) error {
	var list []string
	var number json.Number
	one, isText := text(c.Value)
	isList := json.Unmarshal(c.Value, &list) == nil
	unsupported := s.refuse("unsupported", c.Field, c.Action)
	items := func(is []string) ([]string, bool) {
		switch {
		case c.Action == "set" && isList:
			return list, true
		case c.Action == "addItem" && isText && !slices.Contains(is, one):
			return append(slices.Clone(is), one), true
		case c.Action == "addItem" && isText:
			return is, true
		case c.Action == "removeItem" && isText:
			return slices.DeleteFunc(slices.Clone(is), func(v string) bool { return v == one }), true
		}
		return nil, false
	}
	u := &a.user
	ok := true
	switch c.Field {
	case "description":
		if !isText || c.Action != "set" {
			return unsupported
		}
		u.Description = one
	case "quota":
		if json.Unmarshal(c.Value, &number) != nil || c.Action != "set" {
			return unsupported
		}
		quota, err := s.quotaIn(number)
		if err != nil {
			return err
		}
		u.Quota = quota
	case "secrets":
		return s.changeSecrets(a, c, one, list)
	case "emails":
		emails, ok := items(u.Emails)
		if !ok {
			return unsupported
		}
		if err := s.freeAddresses(a, emails); err != nil {
			return err
		}
		u.Emails = lowered(emails)
	case "memberOf":
		of, ok := items(u.MemberOf)
		if !ok {
			return unsupported
		}
		if err := s.areAccounts(of); err != nil {
			return err
		}
		u.MemberOf = of
	case "members":
		return s.changeMembers(a, c, items)
	case "roles":
		u.Roles, ok = items(u.Roles)
		u.Admin = slices.Contains(u.Roles, "admin")
	case "externalMembers":
		u.External, ok = items(u.External)
	default:
		ok = false
	}
	if !ok {
		return unsupported
	}
	return nil
}

func (s *Server) changeMembers(a *account, c edit, items func([]string) ([]string, bool)) error {
	var are []string
	for _, m := range s.managedAccounts() {
		if slices.Contains(m.user.MemberOf, a.user.Login) {
			are = append(are, m.user.Login)
		}
	}
	list, ok := items(are)
	if !ok {
		return s.refuse("unsupported", c.Field, c.Action)
	}
	if err := s.areAccounts(list); err != nil {
		return err
	}
	for _, m := range are {
		s.byLogin(m).leave(a.user.Login)
	}
	for _, m := range list {
		s.byLogin(m).join(a.user.Login)
	}
	return nil
}

// changeSecrets is where the versions differ most: what adds a second password
// in one replaces the only one in another.
func (s *Server) changeSecrets(a *account, c edit, one string, list []string) error {
	special := strings.HasPrefix(one, appPrefix) || strings.HasPrefix(one, "otpauth://")
	is := a.user.Secrets
	switch {
	case c.Action == "set" && (one != "" || list != nil || string(c.Value) == "[]"):
		if one != "" {
			list = []string{one}
		}
		a.user.Secrets = s.keptSecrets(list)
	case s.p.Secrets == SecretsAreList || one == "":
		return s.refuse("unsupported", c.Field, c.Action)
	case c.Action == "addItem":
		if slices.Contains(is, one) {
			return nil
		}
		if s.p.Secrets == SecretOneWithApps && !special {
			is = slices.DeleteFunc(slices.Clone(is), func(v string) bool {
				return !strings.HasPrefix(v, appPrefix) && !strings.HasPrefix(v, "otpauth://")
			})
		}
		a.user.Secrets = append(slices.Clone(is), one)
	case c.Action == "removeItem":
		a.user.Secrets = slices.DeleteFunc(slices.Clone(is), func(v string) bool {
			return v == one || special && strings.HasPrefix(v, one)
		})
	default:
		return s.refuse("unsupported", c.Field, c.Action)
	}
	return nil
}
