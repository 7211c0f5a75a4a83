package directory

import (
	"context"
	"encoding/json"

	"mailhaul/jmapclient"
)

// Version is a management API by the first version of Stalwart that has it.
type Version string

// The APIs.
const (
	V05  Version = "0.5"  // 0.5 and 0.6: /admin/principal
	V07  Version = "0.7"  // 0.7 to 0.9: /api/principal and /api/domain
	V010 Version = "0.10" // 0.10 to 0.15: /api/principal, of which domains are some
	V016 Version = "0.16" // methods of JMAP
)

// Target is the API of the server on which accounts are made.
type Target = Version

// Title names the versions that speak the API.
func (v Version) Title() string {
	if t := map[Version]string{V05: "0.5 or 0.6", V07: "0.7 to 0.9", V010: "0.10 to 0.15", V016: "0.16 or later"}[v]; t != "" {
		return "Stalwart " + t
	}
	return "a server of unknown version"
}

// stalwartURN is the capability that has management as methods.
const stalwartURN = "urn:stalwart:jmap"

// Detect asks a server which management API it speaks. It changes nothing. The
// error is of kind Forbidden when there is one which refuses the user, and of
// kind Unsupported when there is none that the user may see.
func Detect(ctx context.Context, c *jmapclient.Client) (Version, error) {
	for _, a := range c.Session().Accounts {
		if _, ok := a.Capabilities[stalwartURN]; ok {
			return V016, nil
		}
	}
	probe := func(path string) (found bool, data json.RawMessage, err error) {
		data, err = manage(ctx, c, jmapclient.ManageRequest{Method: "GET", Path: path})
		if jmapclient.KindOf(err) == jmapclient.NotFound {
			return false, nil, nil
		}
		return err == nil, data, err
	}
	// /api/principal answers 404 to a user who is no administrator (0.7), and so
	// does a server without that API.
	for _, api := range []struct {
		path string
		is   Version
	}{{"/api/principal?limit=1", V07}, {"/admin/principal?limit=1", V05}} {
		found, _, err := probe(api.path)
		if err != nil {
			return "", err
		}
		if !found {
			continue
		}
		if api.is == V07 {
			// What it lists tells nothing as long as there is no account.
			if domains, _, err := probe("/api/domain?limit=1"); err != nil || !domains {
				return V010, err
			}
		}
		return api.is, nil
	}
	return "", &jmapclient.Error{Kind: jmapclient.Unsupported, Op: "reading the accounts",
		Detail: c.Origin() + " has no management API that this user may use (Stalwart from 0.5 has one, for administrators); accounts of other servers come from a CSV file"}
}
