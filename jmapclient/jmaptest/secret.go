package jmaptest

import (
	"crypto/sha512"
	"strconv"
	"strings"
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
	if !strings.HasPrefix(stored, "$6$") {
		return stored == password
	}
	key := [2]string{stored, password}
	is, known := s.hashed[key]
	if !known {
		is = cryptSHA512(stored, password) == stored
		s.hashed[key] = is // it takes thousands of rounds, and a client asks often
	}
	return is
}

// cryptSHA512 is the crypt(3) scheme "$6$" (Ulrich Drepper, "Unix crypt using
// SHA-256 and SHA-512"), with the salt and the rounds of setting; "" when that is
// none of the scheme.
func cryptSHA512(setting, password string) string {
	rest, ok := strings.CutPrefix(setting, "$6$")
	if !ok {
		return ""
	}
	rounds, head := 5000, "$6$"
	if r, ok := strings.CutPrefix(rest, "rounds="); ok {
		number, after, _ := strings.Cut(r, "$")
		n, err := strconv.Atoi(number)
		if err != nil {
			return ""
		}
		rounds, rest = min(max(n, 1000), 999_999), after
		head += "rounds=" + strconv.Itoa(rounds) + "$"
	}
	salt, _, _ := strings.Cut(rest, "$")
	salt = salt[:min(len(salt), 16)]
	sum := digest(password, salt, rounds)
	return head + salt + "$" + base64of(sum)
}

// digest is the scheme's rounds over password and salt.
func digest(password, salt string, rounds int) []byte {
	sum := func(parts ...string) string {
		s := sha512.Sum512([]byte(strings.Join(parts, "")))
		return string(s[:])
	}
	fill := func(s string, n int) string { return strings.Repeat(s, n/max(len(s), 1)+1)[:n] }
	second := sum(password, salt, password)
	first := []string{password, salt, fill(second, len(password))}
	for n := len(password); n > 0; n >>= 1 {
		if n&1 == 1 {
			first = append(first, second)
		} else {
			first = append(first, password)
		}
	}
	at := sum(first...)
	p := fill(sum(strings.Repeat(password, len(password))), len(password))
	s := fill(sum(strings.Repeat(salt, 16+int(at[0]))), len(salt))
	for i := range rounds {
		var parts []string
		add := func(yes bool, s string) {
			if yes {
				parts = append(parts, s)
			}
		}
		add(i%2 == 1, p)
		add(i%2 == 0, at)
		add(i%3 != 0, s)
		add(i%7 != 0, p)
		add(i%2 == 1, at)
		add(i%2 == 0, p)
		at = sum(parts...)
	}
	return []byte(at)
}

// base64of writes a digest in the scheme's own order and alphabet.
func base64of(sum []byte) string {
	const letters = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	var b strings.Builder
	write := func(n uint32, count int) {
		for range count {
			b.WriteByte(letters[n&63])
			n >>= 6
		}
	}
	i, j, k := 0, 21, 42
	for range 21 {
		write(uint32(sum[i])<<16|uint32(sum[j])<<8|uint32(sum[k]), 4)
		i, j, k = j+1, k+1, i+1
	}
	write(uint32(sum[63]), 2)
	return b.String()
}
