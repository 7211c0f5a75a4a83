package jmapclient

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// Auth is how to sign in: Username and Password (basic, RFC 7617), or Token
// (bearer, RFC 6750). It prints as "[redacted]" whatever the verb.
type Auth struct{ Username, Password, Token string }

const redacted = "[redacted]"

// Format keeps the secret out of everything that fmt prints.
func (Auth) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, redacted) }

// String is "[redacted]".
func (Auth) String() string { return redacted }

// MarshalJSON keeps the secret out of JSON, structured logs included.
func (Auth) MarshalJSON() ([]byte, error) { return []byte(`"` + redacted + `"`), nil }

// sign adds the credentials to a request.
func (a Auth) sign(h http.Header) {
	switch {
	case a.Token != "":
		h.Set("Authorization", "Bearer "+a.Token)
	case a.Username != "" || a.Password != "":
		h.Set("Authorization", "Basic "+a.basic())
	}
}

func (a Auth) basic() string {
	return base64.StdEncoding.EncodeToString([]byte(a.Username + ":" + a.Password))
}

// redact takes the secrets out of a text that came from a server: some echo
// the request in their errors.
func (a Auth) redact(s string) string {
	secrets := []string{a.Token, a.Password}
	if a.Password != "" {
		secrets = append(secrets, a.basic())
	}
	for _, secret := range secrets {
		if len(secret) >= 4 { // shorter ones would garble every word
			s = strings.ReplaceAll(s, secret, redacted)
		}
	}
	return s
}

// login is the name of the account that the credentials open, "" with a token.
// A master user signs in as "user%master" (Stalwart 0.8 and later) and becomes
// the user.
func (a Auth) login() string {
	user, _, _ := strings.Cut(a.Username, "%")
	return user
}
