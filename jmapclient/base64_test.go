package jmapclient

import (
	"bytes"
	"encoding/base64"
	"testing"
)

func FuzzDecodeBase64SaysWhatTheStandardLibrarySays(f *testing.F) {
	for _, s := range []string{"", "QQ==", "QUI=", "QUJD", "QUJDRA==", "QUJ\nDRA==", "QUJD====", "=QUJ", "QUJDé", "QUJDQ", "QUJDQQ=", "QQ==QUJD", "Q\r\nUI=", "+/+/"} {
		f.Add([]byte(s))
	}
	long := make([]byte, 1000)
	for i := range long {
		long[i] = byte(i * 7)
	}
	f.Add(base64.StdEncoding.AppendEncode(nil, long))
	f.Fuzz(func(t *testing.T, src []byte) {
		want := make([]byte, base64.StdEncoding.DecodedLen(len(src)))
		n, wantErr := base64.StdEncoding.Decode(want, src)
		got := make([]byte, len(want))
		m, err := decodeBase64(got, src)
		if m != n || err != wantErr || !bytes.Equal(got[:m], want[:n]) {
			t.Errorf("%q decodes to %q, %v; it is %q, %v", src, got[:m], err, want[:n], wantErr)
		}
	})
}

func BenchmarkDecodeBase64(b *testing.B) {
	data := base64.StdEncoding.AppendEncode(nil, make([]byte, 12<<10))
	dst := make([]byte, 12<<10)
	for name, decode := range map[string]func(dst, src []byte) (int, error){"here": decodeBase64, "encoding/base64": base64.StdEncoding.Decode} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			for b.Loop() {
				_, _ = decode(dst, data)
			}
		})
	}
}
