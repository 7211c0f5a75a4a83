package jmaptest

import (
	"strings"

	"mailhaul/internal/shacrypt"
)

// opens says whether a password is one of the account's.
func (a *account) opens(password string) bool {
	for _, secret := range a.user.Secrets {
		if app, ok := strings.CutPrefix(secret, appPrefix); ok && a.s.p.Secrets != SecretsAreList {
			_, secret, _ = strings.Cut(app, "$")
		}
		if a.s.isSecret(secret, password) {
			return true
		}
	}
	return false
}

// appPrefix begins an app password in Stalwart 0.8.3 to 0.15: $app$NAME$PASSWORD.
const appPrefix = "$app$"

// isSecret says whether a secret as it is stored, plain or a hash, is of a password.
func (s *Server) isSecret(stored, password string) bool {
	if !strings.HasPrefix(stored, shacrypt.Prefix) {
		return stored == password
	}
	key := [2]string{stored, password}
	is, known := s.hashed[key]
	if !known {
		is = shacrypt.Hash(stored, password) == stored
		s.hashed[key] = is // it takes thousands of rounds, and a client asks often
	}
	return is
}
