package account

import "slices"

// dataless are capabilities that announce no data of an account's own: methods
// on types that others announce, or how to talk to the server.
var dataless = []string{
	"urn:ietf:params:jmap:core", "urn:ietf:params:jmap:blob", "urn:ietf:params:jmap:websocket", "urn:ietf:params:jmap:mdn",
	"urn:ietf:params:jmap:smimeverify", "urn:ietf:params:jmap:webpush-vapid", "urn:ietf:params:jmap:emailpush",
	"urn:ietf:params:jmap:principals:owner", "urn:ietf:params:jmap:principals:availability",
	"urn:ietf:params:jmap:contacts:parse", "urn:ietf:params:jmap:calendars:parse",
	"https://cyrusimap.org/ns/jmap/blob", "https://cyrusimap.org/ns/jmap/debug", "https://cyrusimap.org/ns/jmap/performance",
	"https://cyrusimap.org/ns/jmap/usercounters",
	"urn:stalwart:jmap", // management of the server
}

// KnowsCapability says whether what a capability announces is taken, or is no data.
func KnowsCapability(urn string) bool {
	return slices.Contains(dataless, urn) || slices.ContainsFunc(Types, func(t Type) bool {
		return slices.Contains(t.Capabilities, urn) || slices.Contains(t.Sharing, urn)
	})
}

// PropertiesUnder are what /get asks for where this capability announces the type.
func (t Type) PropertiesUnder(urn string) []string {
	if props, ok := t.PropertiesBy[urn]; ok {
		return props
	}
	return t.Properties
}
