// Package shacrypt makes password hashes of crypt(3)'s scheme "$6$", SHA-512 with
// a salt and rounds, which mail servers take in place of a password.
package shacrypt

import (
	"crypto/rand"
	"crypto/sha512"
	"strconv"
	"strings"
)

// Prefix begins every hash of the scheme.
const Prefix = "$6$"

// New is a hash of a password with a salt of its own.
func New(password string) string { return Hash(Prefix+rand.Text()[:16], password) }

// Hash is the scheme "$6$" (Ulrich Drepper, "Unix crypt using
// SHA-256 and SHA-512"), with the salt and the rounds of setting; "" when that is
// none of the scheme.
func Hash(setting, password string) string {
	rest, ok := strings.CutPrefix(setting, Prefix)
	if !ok {
		return ""
	}
	rounds, head := 5000, Prefix
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
	c, buf := []byte(at), []byte(nil)
	for i := range rounds {
		buf = buf[:0]
		add := func(yes bool, b string) {
			if yes {
				buf = append(buf, b...)
			}
		}
		add(i%2 == 1, p)
		if i%2 == 0 {
			buf = append(buf, c...)
		}
		add(i%3 != 0, s)
		add(i%7 != 0, p)
		if i%2 == 1 {
			buf = append(buf, c...)
		}
		add(i%2 == 0, p)
		next := sha512.Sum512(buf)
		copy(c, next[:])
	}
	return c
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
