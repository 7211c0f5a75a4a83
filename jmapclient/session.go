package jmapclient

import (
	"encoding/json"
	"strings"
)

// Session is RFC 8620 §2, tolerant of what real servers send: ids are any
// strings, and what is missing is empty.
type Session struct {
	Username        string                     `json:"username"`
	Capabilities    map[string]json.RawMessage `json:"capabilities"`
	Accounts        map[string]SessionAccount  `json:"accounts"`
	PrimaryAccounts map[string]string          `json:"primaryAccounts"`
	APIURL          string                     `json:"apiUrl"`
	DownloadURL     string                     `json:"downloadUrl"`
	UploadURL       string                     `json:"uploadUrl"`
	EventSourceURL  string                     `json:"eventSourceUrl"`
	State           string                     `json:"state"`
}

// SessionAccount is an account that the session lists. Name is a display name:
// on some servers the user's description and not the login.
type SessionAccount struct {
	Name         string                     `json:"name"`
	IsPersonal   bool                       `json:"isPersonal"`
	IsReadOnly   bool                       `json:"isReadOnly"`
	Capabilities map[string]json.RawMessage `json:"accountCapabilities"`
}

// parseSession reads a session object; false when it is none.
func parseSession(data []byte) (*Session, bool) {
	if checkShape(data) != nil {
		return nil, false
	}
	var s Session
	if json.Unmarshal(data, &s) != nil || s.APIURL == "" || s.Capabilities == nil {
		return nil, false
	}
	return &s, true
}

// resolve makes one of the session's URLs or URL templates absolute. base is
// the session's own URL. Unless trust is set only path and query are taken:
// servers behind a proxy or on another port than they think write URLs that
// lead nowhere, and the credentials are for the user's origin alone.
func resolve(tmpl string, o origin, basePath string, trust bool) (string, bool) {
	rest := tmpl
	if scheme, after, ok := strings.Cut(tmpl, "://"); ok && !strings.ContainsAny(scheme, "/?{") {
		if trust {
			scheme = strings.ToLower(scheme)
			authority, _, _ := strings.Cut(after, "/")
			safe := scheme == "https" || scheme == "http" && o.scheme == "http" // TLS is not given up
			return tmpl, safe && authority != "" && !strings.Contains(authority, "@")
		}
		rest = pathOf(after)
	} else if after, ok := strings.CutPrefix(tmpl, "//"); ok {
		rest = pathOf(after)
	}
	if rest == "" {
		return "", false
	}
	if !strings.HasPrefix(rest, "/") {
		dir := basePath[:strings.LastIndex(basePath, "/")+1]
		if dir == "" {
			dir = "/"
		}
		rest = dir + rest
	}
	return o.String() + rest, true
}

// pathOf cuts the authority off.
func pathOf(afterScheme string) string {
	if i := strings.IndexAny(afterScheme, "/?"); i >= 0 {
		return afterScheme[i:]
	}
	return "/"
}

// expand fills in a URL template, level 1 of RFC 6570: everything but
// unreserved characters is percent-encoded. Variables without a value become empty.
func expand(tmpl string, vars map[string]string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(tmpl, "{")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		name, after, ok := strings.Cut(rest, "}")
		if !ok {
			return b.String() + "{" + rest
		}
		b.WriteString(escape(vars[name]))
		tmpl = after
	}
}

func escape(s string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0 {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hex[c>>4], hex[c&15]})
		}
	}
	return b.String()
}
