// Package bubble is for tests in which time is virtual (testing/synctest): what
// is waited for costs nothing, and a day passes at once. A bubble has no
// network, and nothing that was made in one may be met in the next.
package bubble

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"mailhaul/archive"
)

// Test runs a test in a bubble.
func Test(t *testing.T, f func(t *testing.T)) {
	t.Helper()
	Prepare()
	defer forgetPools()
	synctest.Test(t, f)
}

// Prepare makes ready for a bubble.
func Prepare() {
	warmUp()
	forgetPools()
}

// warmUp makes what a process makes once, outside of any bubble: a channel that
// is made in one can't be used in the next.
var warmUp = sync.OnceFunc(func() {
	dir, err := os.MkdirTemp("", "mailhaul-bubble-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ar, err := archive.Create(filepath.Join(dir, "archive"), archive.Origin{Name: "warm"})
	if err != nil {
		panic(err)
	}
	run, err := ar.Begin()
	if err != nil {
		panic(err)
	}
	_, _, err = run.PutBlob(strings.NewReader("warm"), -1)
	if err = errors.Join(err, run.Close(), ar.Close()); err != nil {
		panic(err)
	}
})

// forgetPools empties all sync.Pools, for the same reason: a pool's content
// survives one collection.
func forgetPools() {
	runtime.GC()
	runtime.GC()
}

// Serve lets h answer a request whose body was read already. It sees nothing of
// the client's cancellation: a request that is out is carried out. io.EOF is a
// server that closed the connection.
func Serve(h http.Handler, req *http.Request, body []byte) (resp *http.Response, err error) {
	defer func() {
		switch p := recover(); p {
		case nil:
		case http.ErrAbortHandler: // a server's way to close the connection
			resp, err = nil, io.EOF
		default:
			panic(p)
		}
	}()
	r := httptest.NewRequest(req.Method, req.URL.String(), bytes.NewReader(body))
	r.Header = req.Header.Clone()
	r.ContentLength = int64(len(body))
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	resp = rec.Result()
	resp.Request = req
	return resp, nil
}
