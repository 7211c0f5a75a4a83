package shacrypt_test

import (
	"testing"

	"mailhaul/internal/shacrypt"
)

// What crypt(3) itself answers: by way of libxcrypt and openssl passwd -6.
func TestHashesAreThoseOfCrypt(t *testing.T) {
	for _, c := range []struct{ password, hash string }{
		{"Hello world!", "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1"},
		{"secret", "$6$abcdefgh$ltjgWl6579NluT/Vi1nwEvcil.G5Nbc4NiXZaNGStk8PSwGfQv72N2CKPPrVACtLtip/cZ/1GM/O6IND4WQhG."},
		{"s", "$6$rounds=1200$ab$7XgP3giLCmWukVxJRXR1uZrO8Prc99PqJCTS45tqrSNUQaWml4ngwlgsYc8w5JNWXRpujHks6Winil1G977yG1"},
		{"a password of more than sixty-four octets, which takes the scheme round once more than others", "$6$sixteen.letters.$TofdcjwzPCj9wXRixtjwqth14b8J3VS/C/Xb6Y.Ew/i4uwB3QGn138SAuabzeWuSo0XnPrrNjIIxlV9PsqUI.0"},
	} {
		if got := shacrypt.Hash(c.hash, c.password); got != c.hash {
			t.Errorf("the hash of %q is %s, should be %s", c.password, got, c.hash)
		}
		if got := shacrypt.Hash(c.hash, c.password+"x"); got == c.hash {
			t.Errorf("%q has the hash of another password", c.password+"x")
		}
	}
}
