package jmapclient

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// The three things that are asked of a villain.
var (
	listsMailboxes = func(ctx context.Context, a *Account) error { _, err := a.All(ctx, mailbox, nil); return err }
	uploads        = func(ctx context.Context, a *Account) error {
		_, err := a.Upload(ctx, "", 3, opener([]byte("abc")))
		return err
	}
	downloads = func(ctx context.Context, a *Account) error {
		return a.Download(ctx, "b", 4, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
	}
)

// Whatever a server does, the client takes a bounded amount of it, ends with an
// error that says what was wrong, and sends nothing to where it is led.
func TestHostileServers(t *testing.T) {
	const mega = 1 << 20
	for name, test := range map[string]struct {
		serve func(v *villain)
		act   func(ctx context.Context, a *Account) error // nil: signing in
		kind  Kind                                        // 0: no error
		says  string
		most  int64 // octets of bodies that the client may take, 0: a megabyte
	}{
		"an endless session": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { v.flood(w, `{"x":"`, filler) }
			}, kind: NotJMAP, says: "more than", most: maxSessionBytes,
		},
		"a session that is a zip bomb": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { v.bomb(w, `{"x":"`) }
			}, kind: NotJMAP, says: "more than", most: maxSessionBytes,
		},
		"a session that nests without end": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
					fmt.Fprint(w, strings.Replace(sessionJSON("/", ""), `"state":"s"`, `"x":`+strings.Repeat("[", mega)+strings.Repeat("]", mega), 1))
				}
			}, kind: NotJMAP, says: "not a JMAP session", most: 3 * mega,
		},
		"a session of a million accounts": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
					head, tail, _ := strings.Cut(sessionJSON("/", ""), `"accounts":{`)
					fmt.Fprint(w, head, `"accounts":{`, strings.Repeat(`"a":{},`, 1_000_000), tail)
				}
			}, kind: NotJMAP, says: "not a JMAP session", most: maxSessionBytes,
		},
		"a refusal without end": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("Content-Type", "text/plain")
					w.WriteHeader(401)
					v.flood(w, "no", " and no")
				}
			}, kind: Unauthorized, says: "no and no",
		},
		"a session under thousands of headers": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { manyHeaders(w) }
			}, kind: ServerFault, says: "headers",
		},
		"an endless answer": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					v.flood(w, `{"methodResponses":[["Mailbox/get",{"x":"`, filler)
				}
			}, act: func(ctx context.Context, a *Account) error {
				a.Client.maxAnswer = 8 * mega
				_, err := a.State(ctx, mailbox)
				return err
			}, kind: ServerFault, says: "beyond all bounds", most: 8 * mega,
		},
		"an answer that is a zip bomb": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					v.bomb(w, `{"methodResponses":[["Mailbox/get",{"x":"`)
				}
			}, act: func(ctx context.Context, a *Account) error {
				a.Client.maxAnswer = 8 * mega
				_, err := a.State(ctx, mailbox)
				return err
			}, kind: ServerFault, says: "beyond all bounds", most: 8 * mega,
		},
		"an answer that nests without end": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
					answer(w, [3]string{calls[0].method, `{"state":"1","list":` + strings.Repeat("[", mega) + strings.Repeat("]", mega) + `}`, "0"})
				}
			}, act: listsMailboxes, kind: ServerFault, says: "nests deeper", most: 9 * mega, // it is asked again
		},
		"a million mailboxes": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
					list := strings.Repeat(`{"id":"a"},`, 1_000_000)
					answer(w, [3]string{calls[0].method, `{"state":"1","ids":["a"],"list":[` + list + `{}]}`, "0"},
						[3]string{"Mailbox/get", `{}`, "1"})
				}
			}, act: listsMailboxes, kind: ServerFault, says: "more than 1000000 values", most: 40 * mega, // once all, once by page
		},
		"a list that never ends": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
					fmt.Fprint(w, sessionJSON("/", `"maxObjectsInGet":5000`))
				}
				v.api = func(w http.ResponseWriter, _ *http.Request, n int, _ []invocation) {
					get := `{"state":"1","list":[` + strings.Repeat(`{},`, 5000) + `{}]}`
					answer(w, [3]string{"Mailbox/query", fmt.Sprintf(`{"ids":["%d"]}`, n), "0"},
						[3]string{"Mailbox/get", get, "0"}, [3]string{"Mailbox/get", get, "1"})
				}
			}, act: listsMailboxes, kind: ServerFault, says: "the list does not end", most: 8 * mega,
		},
		"a list that begins anew": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
					fmt.Fprint(w, sessionJSON("/", `"maxObjectsInGet":2`))
				}
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					get := `{"state":"1","list":[{"id":"a"},{"id":"b"}]}`
					answer(w, [3]string{"Mailbox/query", `{"ids":["a","b"]}`, "0"}, [3]string{"Mailbox/get", get, "0"}, [3]string{"Mailbox/get", get, "1"})
				}
			}, act: listsMailboxes,
		},
		"an error without end": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					w.Header().Set("Content-Type", "application/problem+json")
					w.WriteHeader(413)
					v.flood(w, `{"type":"`, filler)
				}
			}, act: listsMailboxes, kind: Limit,
		},
		"a method error of megabytes": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					fmt.Fprint(w, methodError(strings.Repeat("\u202e\\u0000x", mega/8)))
				}
			}, act: listsMailboxes, kind: Invalid, most: 2 * mega,
		},
		"an answer under thousands of headers": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) { manyHeaders(w) }
			}, act: listsMailboxes, kind: ServerFault, says: "headers",
		},
		"an answer of an octet now and then": {
			serve: func(v *villain) {
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) { v.drip(w) }
			}, act: listsMailboxes, kind: Unreachable, says: "bytes a second",
		},
		"an API elsewhere": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, sessionJSON(v.other+"/", "")) }
				v.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
					answer(w, [3]string{"Mailbox/get", `{"state":"1","list":[]}`, "0"})
				}
			}, act: listsMailboxes,
		},
		"an upload's answer without end": {
			serve: func(v *villain) {
				v.upload = func(w http.ResponseWriter, _ *http.Request, _ int) { v.flood(w, `{"blobId":"`, filler) }
			}, act: uploads, kind: ServerFault, says: "names no blob", most: 4 * mega, // in four tries
		},
		"an upload's answer of an octet now and then": {
			serve: func(v *villain) {
				v.upload = func(w http.ResponseWriter, _ *http.Request, _ int) { v.drip(w) }
			}, act: uploads, kind: Unreachable, says: "bytes a second",
		},
		"an upload that is read by the octet": {
			serve: func(v *villain) {
				v.upload = func(_ http.ResponseWriter, r *http.Request, _ int) {
					for part := make([]byte, 8<<10); ; {
						v.clock.pass(time.Minute)
						if _, err := r.Body.Read(part); err != nil {
							return
						}
					}
				}
			}, act: func(ctx context.Context, a *Account) error {
				_, err := a.Upload(ctx, "", 40*mega, func() (io.ReadCloser, error) { return io.NopCloser(io.LimitReader(zeros{}, 40*mega)), nil })
				return err
			}, kind: Unreachable, says: "bytes a second",
		},
		"an upload elsewhere": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, sessionJSON(v.other+"/", "")) }
				v.upload = receive
			}, act: uploads,
		},
		"a download without end": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { v.flood(w, "", filler) }
			}, act: downloads, kind: ServerFault, says: "more than the 4 bytes",
		},
		"a download that is a zip bomb": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { v.bomb(w, "") }
			}, act: func(ctx context.Context, a *Account) error {
				return a.Download(ctx, "b", -1, func(r io.Reader) error { return errors.New("there was something to read") })
			}, kind: ServerFault, says: "as gzip",
		},
		"a refused download that is a zip bomb": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) {
					w.Header().Set("Content-Encoding", "gzip")
					w.WriteHeader(404)
					v.bomb(w, "")
				}
			}, act: downloads, kind: NotFound,
		},
		"a download of an octet now and then": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { v.drip(w) }
			}, act: func(ctx context.Context, a *Account) error {
				return a.Download(ctx, "b", -1, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
			}, kind: Unreachable, says: "bytes a second",
		},
		"a download under thousands of headers": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { manyHeaders(w) }
			}, act: downloads, kind: ServerFault, says: "headers",
		},
		"a download elsewhere": {
			serve: func(v *villain) {
				v.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, sessionJSON(v.other+"/", "")) }
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, "blob") }
			}, act: downloads,
		},
		"a blob id of a megabyte": {
			serve: func(v *villain) {
				v.download = func(w http.ResponseWriter, _ *http.Request, _ int) { v.asked.Add(1) }
			}, act: func(ctx context.Context, a *Account) error {
				return a.Download(ctx, strings.Repeat("x", mega), -1, nil)
			},
			kind: Invalid, says: "not an id",
		},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVillain(t)
			test.serve(v)
			check := func(err error) {
				t.Helper()
				if test.kind == 0 {
					if err != nil {
						t.Error(err)
					}
				} else if e := wantKind(t, err, test.kind); !strings.Contains(e.Error(), test.says) || len(e.Error()) > 4096 {
					t.Errorf("it does not say %q: %.4096v", test.says, e)
				}
			}
			before := allocated()
			c, err := v.meet(t, test.act)
			check(err)
			most := max(test.most, mega)
			if n := c.Stats().BytesIn; n > most+mega { // a buffer more
				t.Errorf("%d MB were taken, at most %d should be", n/mega, most/mega)
			}
			if n := v.sent.Load(); n > most+64*mega { // what the system's buffers hold, for each try
				t.Errorf("%d MB could be sent, at most %d should be", n/mega, most/mega)
			}
			// Buffers double as they grow, and what is decoded is some times as
			// large; the servers themselves, in this process too, take their share.
			if n := allocated() - before; n > 6*most+160*mega {
				t.Errorf("%d MB were allocated for an answer of which %d MB are to be taken", n/mega, most/mega)
			}
			if v.asked.Load() != 0 {
				t.Errorf("a request went where it should not, %d times", v.asked.Load())
			}
		})
	}
}

// Nobody is led elsewhere by a redirect, wherever it comes and whatever its status.
func TestRedirectsElsewhereAreNotFollowed(t *testing.T) {
	for name, act := range map[string]func(context.Context, *Account) error{
		"session": nil, "API": listsMailboxes, "upload": uploads, "download": downloads,
		"import": func(ctx context.Context, a *Account) error {
			_, err := a.Import(ctx, map[string]EmailImport{"k": {}})
			return err
		},
	} {
		for _, status := range redirects {
			for _, port := range []bool{true, false} { // another port of the same host, another host
				v := newVillain(t)
				to := v.other + "/jmap"
				if !port {
					to = strings.Replace(to, "127.0.0.1", "localhost", 1)
				}
				lead := func(w http.ResponseWriter, r *http.Request, _ int) { http.Redirect(w, r, to, status) }
				if act == nil {
					v.session = lead
				}
				v.api = func(w http.ResponseWriter, r *http.Request, n int, _ []invocation) { lead(w, r, n) }
				v.upload, v.download = lead, lead
				_, err := v.meet(t, act)
				if e := wantKind(t, err, NotJMAP); !strings.Contains(e.Error(), v.other[strings.LastIndex(v.other, ":"):]) {
					t.Errorf("%s, %d: it does not say where it was to go: %v", name, status, e)
				}
				if v.asked.Load() != 0 {
					t.Errorf("%s: a redirect with %d to %s was followed", name, status, to)
				}
			}
		}
	}
}

// An id is one step of a URL's path, whatever it holds.
func TestIDsStayIDsInURLs(t *testing.T) {
	for _, id := range []string{"../../etc/passwd", "a/b", `..\..`, "%2e%2e", "a\x00b", "a?b#c", "a\r\nHost: evil", "ü\xff"} {
		f := newFake(t)
		var got string
		f.download = func(w http.ResponseWriter, r *http.Request, _ int) {
			parts := strings.Split(r.URL.EscapedPath(), "/")
			if len(parts) == 5 {
				got = strings.TrimPrefix(r.URL.Path, "/down/a1/")
			}
			fmt.Fprint(w, "blob")
		}
		a, _ := dial(t, f.URL)
		err := a.Download(t.Context(), id, 4, func(r io.Reader) error { _, err := io.Copy(io.Discard, r); return err })
		if err != nil || got != id+"/blob" {
			t.Errorf("%q arrived as %q: %v", id, got, err)
		}
	}
}

// With the session's URLs trusted, TLS is still not given up.
func TestTrustDoesNotReachBelowTLS(t *testing.T) {
	f := newFake(t)
	s := httptest.NewTLSServer(f)
	defer s.Close()
	f.session = func(w http.ResponseWriter, r *http.Request, _ int) {
		fmt.Fprint(w, sessionJSON("http://"+r.Host+"/", ""))
	}
	_, _, err := dialAs(t, Options{URL: s.URL, Insecure: true, TrustSessionURLs: true})
	if e := wantKind(t, err, NotJMAP); !strings.Contains(e.Error(), "apiUrl") {
		t.Error(e)
	}
}

// roundTrip is a transport that a test writes.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// The DNS is not signed: a host outside of the domain gets no credentials on its word.
func TestTheDNSDoesNotLeadElsewhere(t *testing.T) {
	for answers, want := range map[string]Kind{"": NotJMAP, "401 no": Unauthorized, "404 no": NotJMAP} {
		var asked []string
		_, _, err := dialAs(t, Options{
			URL: "alice@example.org",
			LookupSRV: func(context.Context, string) ([]string, error) {
				return []string{"jmap.example.net:443", "example.org.evil:8443"}, nil
			},
			Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
				asked = append(asked, r.URL.Host)
				if answers == "" {
					return nil, errors.New("connection refused")
				}
				w := httptest.NewRecorder()
				fmt.Sscan(answers, &w.Code)
				return &http.Response{StatusCode: w.Code, Status: answers, Header: w.Header(), Body: io.NopCloser(bytes.NewReader(nil)), Request: r}, nil
			}),
		})
		e := wantKind(t, err, want)
		if want == NotJMAP && !strings.Contains(e.Error(), "if that is right, give https://jmap.example.net") {
			t.Errorf("it does not say what to type: %v", e)
		}
		for _, host := range asked {
			if host != "example.org" {
				t.Errorf("%s was asked", host)
			}
		}
	}
}
