package directory

import (
	"strings"
)

// isHash says whether a secret is a hash of a password and not the password
// itself, as mail servers tell them apart: crypt(3)'s $scheme$… or LDAP's {SCHEME}….
func isHash(secret string) bool {
	return strings.HasPrefix(secret, "$") || strings.HasPrefix(secret, "{") && strings.Contains(secret, "}")
}

// Among the secrets of 0.8.3 to 0.15 are those of apps, $app$NAME$PASSWORD, and
// of second factors.
const (
	appPrefix    = "$app$"
	factorPrefix = "otpauth://"
)

// secrets are those that the target can have of an account's.
func (t *translation) secrets(a Account, name string) []string {
	var passwords, apps, factors []string
	for _, s := range a.Secrets {
		switch {
		case s == "":
		case strings.HasPrefix(s, appPrefix):
			apps = append(apps, s)
		case strings.HasPrefix(s, factorPrefix):
			factors = append(factors, s)
		default:
			passwords = append(passwords, s)
		}
	}
	if len(passwords) == 0 {
		t.note(name, "its password is not known: nobody can sign in until it is set")
	}
	if t.v == V07 || t.v == V05 {
		if n := len(apps); n > 0 {
			t.note(name, "its %d app passwords are not carried", n)
		}
		if len(factors) > 0 {
			t.note(name, "its second factor is not carried")
		}
		return passwords
	}
	if n := len(passwords); n > 1 {
		t.note(name, "it has %d passwords, of which %s keeps one: the first", n, t.v.Title())
		passwords = passwords[:1]
	}
	if t.v == V010 {
		return append(append(passwords, factors...), apps...)
	}
	if n := len(apps); n > 0 {
		t.note(name, "its %d app passwords are not carried, as %s makes them itself", n, t.v.Title())
	}
	if len(factors) > 0 {
		t.note(name, "its second factor is not carried: until it is set anew the password alone signs in")
	}
	return passwords
}
