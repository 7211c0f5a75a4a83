package jmaptest

import (
	"hash/crc32"
	"net/http"
	"strconv"
)

// Capability is one that a server announces, with its objects for the session
// and for the accounts (RFC 8620 §2).
type Capability struct {
	URN     string
	Session object
	Account object
	// Shared: groups' accounts have it too.
	Shared bool
	// SessionOnly: no account has it.
	SessionOnly bool
	// AccountOnly: the session's own capabilities have it not.
	AccountOnly bool
}

const (
	urnCore       = "urn:ietf:params:jmap:core"
	urnMail       = "urn:ietf:params:jmap:mail"
	urnSubmission = "urn:ietf:params:jmap:submission"
	urnVacation   = "urn:ietf:params:jmap:vacationresponse"
	urnSieve      = "urn:ietf:params:jmap:sieve"
	urnBlob       = "urn:ietf:params:jmap:blob"
	urnQuota      = "urn:ietf:params:jmap:quota"
	urnPrincipals = "urn:ietf:params:jmap:principals"
)

var strictCapabilities = append([]Capability{
	{URN: urnMail, Session: object{}, Shared: true, Account: object{
		"maxMailboxesPerEmail": nil, "maxMailboxDepth": 32, "maxSizeMailboxName": 490,
		"maxSizeAttachmentsPerEmail": 50_000_000, "mayCreateTopLevelMailbox": true,
		"emailQuerySortOptions": []string{"receivedAt", "size", "subject", "from", "to", "sentAt", "hasKeyword"},
	}},
	{URN: urnSubmission, Session: object{}, Account: object{"maxDelayedSend": 0, "submissionExtensions": object{}}},
	{URN: urnVacation, Session: object{}, Account: object{}},
	{URN: urnSieve, Session: object{"implementation": "jmaptest"}, Account: object{
		"maxSizeScriptName": 512, "maxSizeScript": 1_048_576, "maxNumberScripts": 256, "maxNumberRedirects": 1,
		"sieveExtensions": sieveExtensions, "notificationMethods": nil, "externalLists": nil,
	}},
	{URN: urnBlob, Session: object{}, Shared: true, Account: object{
		"maxSizeBlobSet": maxSizeBlobSet, "maxDataSources": 16, "supportedTypeNames": []string{"Email", "SieveScript"},
		"supportedDigestAlgorithms": []string{"sha", "sha-256"},
	}},
	{URN: urnQuota, Session: object{}, Shared: true, Account: object{}},
	{URN: urnPrincipals, Session: object{}, Shared: true, Account: object{}},
}, strictTypeCapabilities...)

// collations are those that core announces.
var collations = []string{"i;ascii-numeric", "i;ascii-casemap", "i;unicode-casemap"}

// session is the session object (RFC 8620 §2) for a caller, nil for nobody.
func (s *Server) session(r *http.Request, caller *account) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	base := s.p.SessionBase
	switch base {
	case "":
		base = "http://" + r.Host
	case "relative":
		base = ""
	}
	core := object{"collationAlgorithms": collations}
	for name, n := range s.p.Limits.table() {
		core[name] = n
	}
	capabilities := object{urnCore: core}
	for _, c := range s.p.Capabilities {
		if !c.AccountOnly {
			capabilities[c.URN] = c.Session
		}
	}
	o := object{
		"capabilities": capabilities, "accounts": object{}, "primaryAccounts": object{}, "username": "",
		"apiUrl":         base + "/jmap/",
		"downloadUrl":    base + "/jmap/download/{accountId}/{blobId}/{name}?accept={type}",
		"uploadUrl":      base + "/jmap/upload/{accountId}/",
		"eventSourceUrl": base + "/jmap/eventsource/?types={types}&closeafter={closeafter}&ping={ping}",
		"state":          s.sessionState(caller),
	}
	if caller == nil {
		return o
	}
	accounts, primary := object{}, object{urnCore: caller.id}
	for _, a := range s.accounts {
		if a == caller || s.member(caller, a) {
			accounts[a.id] = s.sessionAccount(a, a == caller)
		}
	}
	if s.p.NoPrimaryCore {
		delete(primary, urnCore)
	}
	for _, c := range s.p.Capabilities {
		primary[c.URN] = caller.id
	}
	o["accounts"], o["primaryAccounts"] = accounts, primary
	o["username"] = caller.user.Login
	if caller.hidden {
		o["username"] = caller.user.Description
	}
	return o
}

func (s *Server) sessionAccount(a *account, personal bool) object {
	capabilities := object{}
	for _, c := range s.p.Capabilities {
		if !c.SessionOnly && (personal || c.Shared) {
			capabilities[c.URN] = c.Account
			if c.URN == urnPrincipals {
				capabilities[c.URN] = object{"currentUserPrincipalId": a.id}
			}
		}
	}
	name := a.user.Description
	if name == "" || !personal || s.p.NameIsLogin && !a.hidden {
		name = a.user.Login
	}
	return object{
		"name": name, "isPersonal": personal, "isReadOnly": a.user.ReadOnly,
		"accountCapabilities": capabilities,
	}
}

// sessionState changes when the caller's accounts do.
func (s *Server) sessionState(caller *account) string {
	if caller == nil {
		return "0"
	}
	sum := crc32.NewIEEE()
	for _, a := range s.accounts {
		if a == caller || s.member(caller, a) {
			_, _ = sum.Write([]byte(a.id + "/" + a.user.Login + "/" + strconv.FormatBool(a.user.ReadOnly) + ";"))
		}
	}
	return strconv.FormatUint(uint64(sum.Sum32()), 16)
}

// table is the limits by their names in the core capability.
func (l Limits) table() map[string]int64 {
	return map[string]int64{
		"maxSizeUpload": l.MaxSizeUpload, "maxConcurrentUpload": l.MaxConcurrentUpload,
		"maxSizeRequest": l.MaxSizeRequest, "maxConcurrentRequests": l.MaxConcurrentRequests,
		"maxCallsInRequest": l.MaxCallsInRequest, "maxObjectsInGet": l.MaxObjectsInGet,
		"maxObjectsInSet": l.MaxObjectsInSet,
	}
}
