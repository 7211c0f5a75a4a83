package jmapclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func opener(b []byte) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }
}

// receive is an upload handler that counts the bytes.
func receive(w http.ResponseWriter, r *http.Request, _ int) {
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	fmt.Fprintf(w, `{"accountId":"a1","blobId":"b","type":%q,"size":%d}`, r.Header.Get("Content-Type"), n)
}

// Cyrus 3.6 answers so while another first upload makes the account's collection
// of uploads. One that stays is believed.
func TestAnUploadThatIsNotFoundIsTriedAgain(t *testing.T) {
	for times, want := range map[int]Kind{1: 0, 2: 0, 3: NotFound} {
		f := newFake(t)
		f.upload = func(w http.ResponseWriter, r *http.Request, n int) {
			if n <= times {
				http.NotFound(w, r)
				return
			}
			fmt.Fprint(w, `{"blobId":"B","size":3}`)
		}
		a, _ := dial(t, f.URL)
		_, err := a.Upload(t.Context(), "", 3, opener([]byte("abc")))
		if (err == nil) != (want == 0) || err != nil && KindOf(err) != want {
			t.Errorf("%d times not found: %v", times, err)
		}
	}
}

func TestUpload(t *testing.T) {
	f := newFake(t)
	f.upload = receive
	a, _ := dial(t, f.URL)
	for _, size := range []int{0, 1, 1 << 20} {
		got, err := a.Upload(t.Context(), "message/rfc822", int64(size), opener(make([]byte, size)))
		if err != nil || got.Size != int64(size) || got.BlobID != "b" || size > 0 && got.Type != "message/rfc822" {
			t.Errorf("%d bytes: %+v, %v", size, got, err)
		}
	}
	if out := a.Client.Stats().BytesOut; out != 1<<20+1 {
		t.Errorf("%d bytes went out", out)
	}
}

func TestAnUploadThatTheServerCountsOtherwise(t *testing.T) {
	f := newFake(t)
	f.upload = func(w http.ResponseWriter, r *http.Request, _ int) { fmt.Fprint(w, `{"blobId":"b","size":2}`) }
	a, _ := dial(t, f.URL)
	_, err := a.Upload(t.Context(), "", 3, opener([]byte("abc")))
	if e := wantKind(t, err, ServerFault); !strings.Contains(e.Error(), "3 bytes were sent and the server counts 2") {
		t.Error(e)
	}
	f.upload = func(w http.ResponseWriter, r *http.Request, _ int) { fmt.Fprint(w, `{"size":3}`) }
	_, err = a.Upload(t.Context(), "", 3, opener([]byte("abc")))
	wantKind(t, err, ServerFault)
}

func TestTheCallersOwnErrorsComeBackAsTheyAre(t *testing.T) {
	f := newFake(t)
	f.upload = receive
	f.download = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, "abc") }
	a, k := dial(t, f.URL)
	mine := errors.New("the disk is on fire")

	_, err := a.Upload(t.Context(), "", 3, func() (io.ReadCloser, error) { return nil, mine })
	if err != mine {
		t.Errorf("open failed: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 1<<20)), iotest.ErrReader(mine))
	_, err = a.Upload(t.Context(), "", 2<<20, func() (io.ReadCloser, error) { return io.NopCloser(broken), nil })
	if err != mine {
		t.Errorf("read failed: %v", err)
	}
	for _, size := range []int64{2, 4} {
		if _, err = a.Upload(t.Context(), "", size, opener([]byte("abc"))); err == nil || KindOf(err) != 0 {
			t.Errorf("3 bytes for %d: %v", size, err)
		}
	}
	if err := a.Download(t.Context(), "b", 3, func(io.Reader) error { return mine }); err != mine {
		t.Errorf("take failed: %v", err)
	}
	if len(k.waits) != 0 || f.counted("download") != 1 {
		t.Errorf("%d further tries", len(k.waits))
	}
}

func TestAnUploadTooLargeIsNotSent(t *testing.T) {
	f := newFake(t)
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("/", `"maxSizeUpload":2`))
	}
	a, _ := dial(t, f.URL)
	_, err := a.Upload(t.Context(), "", 3, opener([]byte("abc")))
	wantKind(t, err, Limit)
	if f.counted("upload") != 0 {
		t.Error("it was sent")
	}
}

// A server may refuse before it has read the body.
func TestAnUploadRefusedEarly(t *testing.T) {
	f := newFake(t)
	f.upload = func(w http.ResponseWriter, _ *http.Request, _ int) { w.WriteHeader(http.StatusRequestEntityTooLarge) }
	a, _ := dial(t, f.URL)
	const size = 40 << 20
	_, err := a.Upload(t.Context(), "", size, func() (io.ReadCloser, error) { return &onceClosed{r: io.LimitReader(zeros{}, size)}, nil })
	wantKind(t, err, Limit)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// onceClosed fails after Close, as files do.
type onceClosed struct {
	r      io.Reader
	closed atomic.Bool
}

func (o *onceClosed) Read(p []byte) (int, error) {
	if o.closed.Load() {
		return 0, errors.New("read after close")
	}
	return o.r.Read(p)
}

func (o *onceClosed) Close() error { o.closed.Store(true); return nil }

// Stalwart counts uploads by the hour and answers 403, or 429 with a long
// Retry-After.
func TestAFullUploadQuotaIsWaitedFor(t *testing.T) {
	f := newFake(t)
	f.upload = func(w http.ResponseWriter, r *http.Request, n int) {
		switch {
		case n < 5:
			problem(w, 403, `{"type":"about:blank","status":403,"title":"Quota exceeded","detail":"You have exceeded the blob upload quota of 1000 files or 50000000 bytes."}`)
		case n < 7:
			w.Header().Set("Retry-After", "1785")
			problem(w, 429, `{"title":"Quota exceeded"}`)
		default:
			receive(w, r, n)
		}
	}
	a, k := dial(t, f.URL)
	if _, err := a.Upload(t.Context(), "", 3, opener([]byte("abc"))); err != nil || k.total() < 2*maxRetryAfter {
		t.Errorf("%v, after waiting %v", err, k.waits)
	}
	f.upload = func(w http.ResponseWriter, r *http.Request, n int) { problem(w, 403, `{"title":"Quota exceeded"}`) }
	k.waits = nil
	_, err := a.Upload(t.Context(), "", 3, opener([]byte("abc")))
	wantKind(t, err, OverQuota)
	if total := k.total(); total < time.Hour || total > patience*a.Client.giveUpAfter {
		t.Errorf("gave up after %v", total)
	}
}

// blobServer answers a blob; spoil may spoil try n and says whether it did.
func blobServer(t *testing.T, blob []byte, spoil func(w http.ResponseWriter, n int, done chan struct{}) bool) (*Account, *clock, *fake) {
	f := newFake(t)
	f.download = func(w http.ResponseWriter, r *http.Request, n int) {
		if r.Header.Get("Accept-Encoding") != "identity" {
			t.Error("a download may come compressed")
		}
		if !spoil(w, n, f.done) {
			_, _ = w.Write(blob)
		}
	}
	a, k := dial(t, f.URL)
	return a, k, f
}

// standstill is a StallTimeout that no busy machine reaches by itself; tests
// that sit it out run beside each other.
const standstill = 2 * time.Second

func TestABrokenDownloadBeginsAnew(t *testing.T) {
	blob := bytes.Repeat([]byte("0123456789"), 100_000)
	for name, spoil := range map[string]func(w http.ResponseWriter, done chan struct{}){
		"cut": func(w http.ResponseWriter, done chan struct{}) {
			w.Header().Set("Content-Length", fmt.Sprint(len(blob)))
			_, _ = w.Write(blob[:500_000])
		},
		"cut without a length": func(w http.ResponseWriter, done chan struct{}) {
			_, _ = w.Write(blob[:500_000])
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		},
		"short":     func(w http.ResponseWriter, done chan struct{}) { _, _ = w.Write(blob[:500_000]) },
		"no answer": func(w http.ResponseWriter, done chan struct{}) { panic(http.ErrAbortHandler) },
		"503":       func(w http.ResponseWriter, done chan struct{}) { w.WriteHeader(503) },
		"stalled": func(w http.ResponseWriter, done chan struct{}) {
			_, _ = w.Write(blob[:500_000])
			w.(http.Flusher).Flush()
			<-done
		},
		"stalled before the first byte": func(_ http.ResponseWriter, done chan struct{}) { <-done },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, k, _ := blobServer(t, blob, func(w http.ResponseWriter, n int, done chan struct{}) bool {
				if n <= 2 {
					spoil(w, done)
				}
				return n <= 2
			})
			a.Client.stallTimeout = standstill
			var got []byte
			err := a.Download(t.Context(), "b", int64(len(blob)), func(r io.Reader) (err error) {
				got, err = io.ReadAll(r)
				return err
			})
			// net/http itself tries a GET again that a used connection did not answer.
			if err != nil || !bytes.Equal(got, blob) || len(k.waits) > 2 || len(k.waits) == 0 {
				t.Errorf("%d bytes after %d further tries: %v", len(got), len(k.waits), err)
			}
		})
	}
}

func TestADownloadThatIsNeverWhole(t *testing.T) {
	blob := []byte("0123456789")
	all := func(r io.Reader) error { _, err := io.ReadAll(r); return err }
	exactly := func(r io.Reader) error { _, err := io.ReadFull(r, make([]byte, 5)); return err }
	for name, test := range map[string]struct {
		size int64
		take func(io.Reader) error
		kind Kind
		says string
	}{
		"short":                       {11, all, ServerFault, "the server sent 10 of 11 bytes"},
		"long":                        {5, all, ServerFault, "more than the 5 bytes"},
		"long, and nobody would look": {5, exactly, ServerFault, "more than the 5 bytes"},
		"of unknown size":             {-1, all, 0, ""},
		"of which only part is taken": {10, exactly, 0, ""},
		"as long as it should be":     {10, all, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			a, _, _ := blobServer(t, blob, func(http.ResponseWriter, int, chan struct{}) bool { return false })
			err := a.Download(t.Context(), "b", test.size, test.take)
			if test.kind == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if e := wantKind(t, err, test.kind); !strings.Contains(e.Error(), test.says) || !strings.Contains(e.Error(), "blob b") {
				t.Error(e)
			}
		})
	}
}

func TestADownloadOfWhatIsNotThere(t *testing.T) {
	a, k, f := blobServer(t, nil, func(w http.ResponseWriter, _ int, _ chan struct{}) bool { w.WriteHeader(404); return true })
	wantKind(t, a.Download(t.Context(), "b", -1, nil), NotFound)
	for _, id := range []string{"", ".", ".."} {
		wantKind(t, a.Download(t.Context(), id, -1, nil), Invalid)
	}
	if len(k.waits) != 0 || f.counted("download") != 1 {
		t.Errorf("%d requests", f.counted("download"))
	}
}

// What the caller does between reads is not the line's slowness.
func TestASlowTakerIsNotCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		blob := make([]byte, 1<<20)
		f := &fake{t: t, counts: map[string]int{}}
		f.download = func(w http.ResponseWriter, _ *http.Request, _ int) { _, _ = w.Write(blob) }
		a := dialWithin(t, &within{Handler: f}, Options{})
		err := a.Download(t.Context(), "b", int64(len(blob)), func(r io.Reader) error {
			for {
				n, err := r.Read(make([]byte, 64<<10))
				time.Sleep(3 * a.Client.stallTimeout)
				if err == io.EOF && n == 0 {
					return nil
				}
				if err != nil && err != io.EOF {
					return err
				}
			}
		})
		if s := a.Client.Stats(); err != nil || s.Retries != 0 {
			t.Errorf("%v after %d further tries", err, s.Retries)
		}
	})
}

func TestAStalledUploadBeginsAnew(t *testing.T) {
	t.Parallel()
	const size = 40 << 20 // more than the buffers between client and server hold
	f := newFake(t)
	f.upload = func(w http.ResponseWriter, r *http.Request, n int) {
		if n == 1 {
			<-f.done
			return
		}
		receive(w, r, n)
	}
	a, k := dial(t, f.URL, func(o *Options) { o.StallTimeout = standstill })
	_, err := a.Upload(t.Context(), "", size, func() (io.ReadCloser, error) {
		return &onceClosed{r: io.LimitReader(zeros{}, size)}, nil
	})
	if err != nil || len(k.waits) != 1 {
		t.Errorf("%v after %d further tries", err, len(k.waits))
	}
}

func TestAnAPIRequestThatIsNotAnsweredInTime(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	f.api = func(w http.ResponseWriter, r *http.Request, n int, calls []invocation) {
		if n == 1 {
			<-f.done
			return
		}
		answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
	}
	slow := func(o *Options) { o.RequestTimeout = standstill }
	a, k := dial(t, f.URL, slow)
	if s, err := a.State(t.Context(), mailbox); err != nil || s != "1" || len(k.waits) != 1 {
		t.Errorf("%q, %v after %d further tries", s, err, len(k.waits))
	}
	f.mu.Lock()
	f.counts["api"] = 0
	f.mu.Unlock()
	_, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
	wantKind(t, err, Unknown)
}

func TestDigests(t *testing.T) {
	sum := sha256.Sum256([]byte("x"))
	digests := `{"list":[{"id":"b1","digest:sha-256":"` + base64.StdEncoding.EncodeToString(sum[:]) + `","size":1},{"id":"b2","digest:sha-256":"short"},{"id":"b3"}],"notFound":["b4"]}`
	f := newFake(t)
	reply := [3]string{"Blob/get", digests, "0"}
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) { answer(w, reply) }
	a, _ := dial(t, f.URL)
	got, ok, err := a.Digests(t.Context(), []string{"b1", "b2", "b3", "b4"})
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if d := cmp.Diff(map[string]BlobDigest{"b1": {SHA256: hex.EncodeToString(sum[:]), Size: 1}}, got); d != "" {
		t.Error(d)
	}
	reply = [3]string{"error", `{"type":"unknownMethod"}`, "0"}
	if _, ok, err := a.Digests(t.Context(), []string{"b1"}); ok || err != nil {
		t.Error("a server that does not know the method:", ok, err)
	}
	before := f.counted("api")
	for _, caps := range []string{`{}`, `{"` + blobURN + `":{"supportedDigestAlgorithms":["sha"]}}`} {
		other := &Account{Client: a.Client, ID: "a1", Capabilities: objectOf(t, caps)}
		if _, ok, err := other.Digests(t.Context(), []string{"b1"}); ok || err != nil {
			t.Error("an account without them:", ok, err)
		}
	}
	if f.counted("api") != before {
		t.Error("it was asked for what the account does not announce")
	}
}
