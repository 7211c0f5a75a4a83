package jmapclient

import (
	"bytes"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// The same promises hold over HTTP/2, and a certificate authority of one's own
// is trusted when it is named.
func TestHTTP2(t *testing.T) {
	t.Parallel()
	blob := bytes.Repeat([]byte("0123456789"), 300_000)
	f := newFake(t)
	f.api = func(w http.ResponseWriter, r *http.Request, _ int, calls []invocation) {
		if r.ProtoMajor != 2 {
			t.Errorf("spoken to in %s", r.Proto)
		}
		if calls[0].method == "Email/import" {
			f.count("import")
			panic(http.ErrAbortHandler)
		}
		answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
	}
	f.upload = func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			<-f.done
		}
		receive(w, r, n)
	}
	f.download = func(w http.ResponseWriter, _ *http.Request, n int) {
		switch n {
		case 1:
			_, _ = w.Write(blob[:1_000_000])
			panic(http.ErrAbortHandler)
		case 2:
			_, _ = w.Write(blob[:1_000_000])
			w.(http.Flusher).Flush()
			<-f.done
		default:
			_, _ = w.Write(blob)
		}
	}
	s := httptest.NewUnstartedServer(f)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	t.Cleanup(func() { s.CloseClientConnections() })
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}

	a, k := dial(t, s.URL, func(o *Options) { o.CAFile, o.StallTimeout = ca, standstill })
	if st, err := a.State(t.Context(), mailbox); err != nil || st != "1" {
		t.Errorf("state %q, %v", st, err)
	}
	_, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
	if wantKind(t, err, Unknown); f.counted("import") != 1 {
		t.Errorf("the import arrived %d times", f.counted("import"))
	}
	up, err := a.Upload(t.Context(), "", int64(len(blob)), func() (io.ReadCloser, error) { return &onceClosed{r: bytes.NewReader(blob)}, nil })
	if err != nil || up.Size != int64(len(blob)) || f.counted("upload") < 2 {
		t.Errorf("%v, %v after %d tries", up, err, f.counted("upload"))
	}
	var got []byte
	err = a.Download(t.Context(), "b", int64(len(blob)), func(r io.Reader) (err error) { got, err = io.ReadAll(r); return err })
	if err != nil || !bytes.Equal(got, blob) || len(k.waits) < 3 {
		t.Errorf("%d bytes, %v after %d further tries", len(got), err, len(k.waits))
	}
}

func TestACAFileThatIsNone(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte(fmt.Sprintln("nothing")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{empty, filepath.Join(t.TempDir(), "missing.pem")} {
		_, err := Dial(t.Context(), Options{URL: "http://h", CAFile: file})
		wantKind(t, err, Invalid)
	}
}
