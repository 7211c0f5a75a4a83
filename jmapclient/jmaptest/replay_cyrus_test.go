package jmaptest_test

import (
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"

	"mailhaul/internal/cyrustest"
)

// The recording of Cyrus is held to Cyrus itself, where there is one: it is
// replayed to the real server, with nothing different but the order of
// messages of one second, and what carries times or names the machine.
func TestCyrusAnswersAsRecorded(t *testing.T) {
	for _, rec := range recordings {
		if !strings.HasPrefix(rec.file, "cyrus") {
			continue
		}
		t.Run(rec.file, func(t *testing.T) {
			var users []cyrustest.User
			for _, u := range rec.accounts {
				users = append(users, cyrustest.User{Login: u.Login, Password: u.Password})
			}
			s := cyrustest.Start(t, users...)
			r := newReplay(t, rec)
			r.handler = passTo(s.URL)
			for _, x := range readExchanges(t, rec.file) {
				r.exchange(x)
			}
			t.Logf("%d exchanges asked, %d known differences", r.asked, r.differences)
		})
	}
}

// passTo asks another server the same; a connection that ends there ends here.
func passTo(url string) http.Handler {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out, err := http.NewRequestWithContext(r.Context(), r.Method, url+r.URL.RequestURI(), r.Body)
		if err != nil {
			panic(err)
		}
		out.Header = r.Header
		out.ContentLength = r.ContentLength
		resp, err := client.Do(out)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		defer resp.Body.Close()
		maps.Copy(w.Header(), resp.Header)
		w.WriteHeader(resp.StatusCode)
		if _, err := io.Copy(w, resp.Body); err != nil {
			panic(http.ErrAbortHandler)
		}
	})
}
