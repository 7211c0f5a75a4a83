package jmaptest

import (
	"bytes"
	"encoding/json"
	"slices"
)

// method is one method: the capability that has it, and what it does.
type method struct {
	urn    string
	writes bool
	do     func(*call) (any, error)
}

// methods are all there are.
var methods map[string]method

func init() { // not a literal: the methods refer to the table by way of call.run
	methods = map[string]method{
		"Core/echo": {urnCore, false, (*call).echo},

		"Mailbox/get":     {urnMail, false, (*call).mailboxGet},
		"Mailbox/query":   {urnMail, false, (*call).mailboxQuery},
		"Mailbox/changes": {urnMail, false, (*call).mailboxChanges},
		"Mailbox/set":     {urnMail, true, (*call).mailboxSet},

		"Thread/get":     {urnMail, false, (*call).threadGet},
		"Thread/changes": {urnMail, false, changesOf(typeThread)},

		"Email/get":          {urnMail, false, (*call).emailGet},
		"Email/query":        {urnMail, false, (*call).emailQuery},
		"Email/queryChanges": {urnMail, false, (*call).emailQueryChanges},
		"Email/changes":      {urnMail, false, changesOf(typeEmail)},
		"Email/set":          {urnMail, true, (*call).emailSet},
		"Email/import":       {urnMail, true, (*call).emailImport},
		"Email/copy":         {urnMail, true, (*call).emailCopy},

		"Identity/get":     {urnSubmission, false, (*call).identityGet},
		"Identity/changes": {urnSubmission, false, changesOf(typeIdentity)},
		"Identity/set":     {urnSubmission, true, (*call).identitySet},

		"SieveScript/get":      {urnSieve, false, (*call).scriptGet},
		"SieveScript/query":    {urnSieve, false, (*call).scriptQuery},
		"SieveScript/set":      {urnSieve, true, (*call).scriptSet},
		"SieveScript/validate": {urnSieve, false, (*call).scriptValidate},

		"VacationResponse/get": {urnVacation, false, (*call).vacationGet},
		"VacationResponse/set": {urnVacation, true, (*call).vacationSet},

		"Blob/get":    {urnBlob, false, (*call).blobGet},
		"Blob/upload": {urnBlob, true, (*call).blobUpload},
		"Blob/set":    {urnBlob, true, (*call).blobSet},
		"Blob/lookup": {urnBlob, false, (*call).blobLookup},

		"Quota/get": {urnQuota, false, (*call).quotaGet},

		"Principal/get":   {urnPrincipals, false, (*call).principalGet},
		"Principal/query": {urnPrincipals, false, (*call).principalQuery},
	}
}

func (c *call) echo() (any, error) { return c.args, nil }

// read reads the call's arguments; an argument that is not known is an error.
func (c *call) read(into any) error {
	d := json.NewDecoder(bytes.NewReader(c.args))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return failed("invalidArguments", err.Error())
	}
	return nil
}

// arguments splits the call's arguments; one that is not known is an error.
func (c *call) arguments(known ...string) (fields, error) {
	f, _ := members(c.args)
	for name := range f {
		if !slices.Contains(known, name) {
			return nil, failed("invalidArguments", "There is no argument "+name+".")
		}
	}
	return f, nil
}

// malformed is the answer to an id or a state that is none.
func malformed(id string) error {
	return failed("invalidArguments", "The value "+string(encode(id))+" is not well formed.")
}

// checkIDs refuses the call for a malformed id, where the profile does.
func (c *call) checkIDs(ids ...string) error {
	if !c.s.p.MalformedFailsCall {
		return nil
	}
	for _, id := range ids {
		if !c.s.wellFormed(c.resolveID(id)) {
			return malformed(id)
		}
	}
	return nil
}

// resolveID is the id behind a creation id "#key" (RFC 8620 §5.3), or id itself.
func (c *call) resolveID(id string) string {
	if len(id) > 1 && id[0] == '#' {
		if real, ok := c.req.created[id[1:]]; ok {
			return real
		}
	}
	return id
}
