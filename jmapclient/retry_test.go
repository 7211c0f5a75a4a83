package jmapclient

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"mailhaul/account"
)

// always answers every API request with this.
func always(status int, header, body string) func(http.ResponseWriter, *http.Request, int, []invocation) {
	return func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) {
		if name, value, ok := strings.Cut(header, ": "); ok {
			w.Header().Set(name, value)
		}
		problem(w, status, body)
	}
}

func methodError(typ string) string {
	return fmt.Sprintf(`{"methodResponses":[["error",{"type":%q,"description":"so it is"},"0"]],"sessionState":"s"}`, typ)
}

func limitProblem(limit string) string {
	return fmt.Sprintf(`{"type":"urn:ietf:params:jmap:error:limit","status":400,"detail":"too much","limit":%q}`, limit)
}

// What each answer means for a request that only reads, and for one that
// creates: the kind of the error, and whether it was sent again.
func TestWhatAnAnswerMeans(t *testing.T) {
	const once, some, long = "once", "a few times", "until it gives up"
	for _, test := range []struct {
		status      int
		body        string
		read        Kind
		readTries   string
		create      Kind
		createTries string
	}{
		{401, "", Unauthorized, once, Unauthorized, once},
		{403, "", Forbidden, once, Forbidden, once},
		{404, "", NotFound, once, NotFound, once},
		{413, "", Limit, once, Limit, once},
		{429, "", Unreachable, long, Unreachable, long},
		{500, "", ServerFault, some, Unknown, once},
		{502, "", Unreachable, long, Unknown, once},
		{503, "", Unreachable, long, Unreachable, long},
		{504, "", Unreachable, long, Unknown, once},
		{507, "", OverQuota, once, OverQuota, once},
		{599, "", ServerFault, some, Unknown, once},
		{418, "", Invalid, once, Invalid, once},
		{302, "", NotJMAP, once, NotJMAP, once},
		{400, limitProblem("maxSizeRequest"), Limit, once, Limit, once},
		{400, limitProblem("maxConcurrentRequests"), Unreachable, long, Unreachable, long},
		{400, `{"type":"urn:ietf:params:jmap:error:unknownCapability","detail":"x"}`, Unsupported, once, Unsupported, once},
		{400, `{"type":"urn:ietf:params:jmap:error:notJSON"}`, Invalid, once, Invalid, once},
		{200, methodError("serverUnavailable"), Unreachable, long, Unreachable, long},
		{200, methodError("rateLimit"), Unreachable, long, Unreachable, long},
		{200, methodError("serverFail"), ServerFault, some, Unknown, once},
		{200, methodError("serverPartialFail"), ServerFault, some, Unknown, once},
		{200, methodError("unknownMethod"), Unsupported, once, Unsupported, once},
		{200, methodError("accountNotSupportedByMethod"), Unsupported, once, Unsupported, once},
		{200, methodError("accountNotFound"), NoAccount, once, NoAccount, once},
		{200, methodError("accountReadOnly"), Forbidden, once, Forbidden, once},
		{200, methodError("forbidden"), Forbidden, once, Forbidden, once},
		{200, methodError("anchorNotFound"), AnchorNotFound, once, AnchorNotFound, once},
		{200, methodError("cannotCalculateChanges"), CannotCalculateChanges, once, CannotCalculateChanges, once},
		{200, methodError("requestTooLarge"), Limit, once, Limit, once},
		{200, methodError("overQuota"), OverQuota, once, OverQuota, once},
		{200, methodError("invalidArguments"), Invalid, once, Invalid, once},
		{200, methodError("somethingNew"), Invalid, once, Invalid, once},
		{200, "", ServerFault, some, Unknown, once},
	} {
		for _, creates := range []bool{false, true} {
			kind, tries := test.read, test.readTries
			if creates {
				kind, tries = test.create, test.createTries
			}
			t.Run(fmt.Sprintf("%d %.40s creates %v", test.status, test.body, creates), func(t *testing.T) {
				f := newFake(t)
				f.api = always(test.status, "", test.body)
				a, k := dial(t, f.URL)
				_, err := a.Call(t.Context(), []string{coreURN}, "Email/x", nil, !creates)
				e := wantKind(t, err, kind)
				if e.Op != "Email/x" || test.status != 200 && e.Status != test.status {
					t.Errorf("op %q, status %d: %v", e.Op, e.Status, e)
				}
				n := f.counted("api")
				switch tries {
				case once:
					if n != 1 {
						t.Errorf("sent %d times", n)
					}
				case some:
					if n != 1+againFor[faulty] {
						t.Errorf("sent %d times", n)
					}
				case long:
					if total := k.total(); total > a.Client.giveUpAfter || total < a.Client.giveUpAfter-2*mostPause || n != len(k.waits)+1 {
						t.Errorf("sent %d times, gave up after waiting %v of %v", n, total, a.Client.giveUpAfter)
					}
				}
				if s := a.Client.Stats(); s.Retries != int64(n-1) || s.Requests != int64(n+1) { // and the session's
					t.Errorf("%+v after %d tries", s, n)
				}
			})
		}
	}
}

func TestPausesGrowAndAreTold(t *testing.T) {
	f := newFake(t)
	f.api = always(503, "", `{"detail":"maintenance until `+secret+`"}`)
	var told []string
	a, k := dial(t, f.URL, func(o *Options) {
		o.OnWait = func(reason string, until time.Time) { told = append(told, reason) }
	})
	_, err := a.State(t.Context(), mailbox)
	wantKind(t, err, Unreachable)
	for i, w := range k.waits {
		base := min(firstPause<<i, mostPause)
		if w < base/2 || w > base*3/2 {
			t.Errorf("pause %d is %v, want about %v", i, w, base)
		}
	}
	if len(told) != len(k.waits) || !strings.Contains(told[0], "maintenance") || strings.Contains(told[0], secret) {
		t.Errorf("told %q", told)
	}
}

func TestRetryAfterIsHonouredWithinBounds(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"7": 7 * time.Second, " 7 ": 7 * time.Second, "1785": maxRetryAfter, "0": 0, "-3": 0, "soon": 0, "": 0,
		"99999999999999999999":                            0,
		now.Add(90 * time.Second).Format(http.TimeFormat): 90 * time.Second,
		now.Add(-time.Hour).Format(http.TimeFormat):       0,
		now.Add(99 * time.Hour).Format(http.TimeFormat):   maxRetryAfter,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("Retry-After: %s: %v, want %v", value, got, want)
		}
	}

	// Waits that are asked for may be longer than GiveUpAfter, but end too.
	f := newFake(t)
	f.api = always(429, "Retry-After: 400", "")
	a, k := dial(t, f.URL)
	_, err := a.State(t.Context(), mailbox)
	wantKind(t, err, Unreachable)
	if n, most := len(k.waits), int(patience*a.Client.giveUpAfter/(400*time.Second)); n != most {
		t.Errorf("waited %d times %v, want %d", n, k.waits, most)
	}
	for _, w := range k.waits {
		if w != 400*time.Second {
			t.Errorf("waited %v", w)
		}
	}
}

func TestItGoesOnWhenTheServerIsBack(t *testing.T) {
	for name, fail := range map[string]func(http.ResponseWriter){
		"429":               func(w http.ResponseWriter) { w.WriteHeader(429) },
		"503":               func(w http.ResponseWriter) { w.WriteHeader(503) },
		"serverUnavailable": func(w http.ResponseWriter) { fmt.Fprint(w, methodError("serverUnavailable")) },
		"too many at once":  func(w http.ResponseWriter) { problem(w, 400, limitProblem("maxConcurrentRequests")) },
	} {
		f := newFake(t)
		f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
			if n < 3 {
				fail(w)
				return
			}
			answer(w, [3]string{"Email/import", `{"created":{"k":{"id":"e","size":1}}}`, "0"})
		}
		a, _ := dial(t, f.URL)
		got, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
		if err != nil || got.Created["k"].ID != "e" || f.counted("api") != 3 {
			t.Errorf("%s: %v, %v after %d requests", name, got, err, f.counted("api"))
		}
	}
}

func TestTooManyAtOnceNarrowsTheGate(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		if n <= 5 {
			problem(w, 400, limitProblem("maxConcurrentRequests"))
			return
		}
		answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
	}
	a, _ := dial(t, f.URL)
	if _, err := a.State(t.Context(), mailbox); err != nil {
		t.Fatal(err)
	}
	if n := a.Client.gate.rations[0].max; n != 1 {
		t.Errorf("the gate lets %d through, want one", n)
	}
}

// Cyrus's VacationResponse/get kills its process.
func TestAServerThatDiesOfACall(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, _ []invocation) { hangUp(t, w) }
	a, _ := dial(t, f.URL)
	_, err := a.All(t.Context(), account.VacationResponse, nil)
	e := wantKind(t, err, ServerFault)
	if !strings.Contains(e.Error(), "closed the connection without an answer to VacationResponse/get") || f.counted("api") != 3 {
		t.Errorf("after %d tries: %v", f.counted("api"), e)
	}
}

// A server that carries a request out and dies before it answers must not be
// sent it again, by us or by net/http, which does so for connections it used before.
func TestWhatCreatesIsNotSentTwice(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		if strings.HasSuffix(calls[0].method, "/get") {
			answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
			return
		}
		f.count("create")
		hangUp(t, w)
	}
	a, _ := dial(t, f.URL)
	for range 20 {
		if _, err := a.State(t.Context(), mailbox); err != nil { // so that there is a used connection
			t.Fatal(err)
		}
		before := f.counted("create")
		_, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
		wantKind(t, err, Unknown)
		_, err = a.Set(t.Context(), mailbox, SetArgs{Create: map[string]account.Object{"k": {}}})
		wantKind(t, err, Unknown)
		_, err = a.CopyEmails(t.Context(), "b", map[string]account.Object{"k": {}}, true, false)
		wantKind(t, err, Unknown)
		if n := f.counted("create") - before; n != 3 {
			t.Fatalf("3 requests that create arrived %d times", n)
		}
	}
}

// A server that is gone was surely not reached: what creates is tried again
// until it is back.
func TestWhatCreatesIsTriedAgainWhileThereIsNoConnection(t *testing.T) {
	f := newFake(t)
	a, k := dial(t, f.URL)
	f.Close()
	a.Client.Close() // a request that meets the end of a used connection is another matter
	_, err := a.Import(t.Context(), map[string]EmailImport{"k": {}})
	e := wantKind(t, err, Unreachable)
	if !strings.Contains(e.Error(), "does not answer") || len(k.waits) < 5 {
		t.Errorf("after %d further tries: %v", len(k.waits), e)
	}
}

func TestACancelledContextEndsTheWaiting(t *testing.T) {
	f := newFake(t)
	f.api = always(503, "", "")
	a, k := dial(t, f.URL)
	ctx, cancel := context.WithCancel(t.Context())
	k.wake = func(context.Context) { cancel() }
	_, err := a.State(ctx, mailbox)
	e := wantKind(t, err, Cancelled)
	if e.Unwrap() != context.Canceled || f.counted("api") != 1 {
		t.Errorf("after %d requests: %v", f.counted("api"), e)
	}
}

func TestACancelledContextEndsARequest(t *testing.T) {
	f := newFake(t)
	ctx, cancel := context.WithCancel(t.Context())
	f.api = func(http.ResponseWriter, *http.Request, int, []invocation) {
		cancel()
		<-f.done
	}
	a, _ := dial(t, f.URL)
	_, err := a.Import(ctx, map[string]EmailImport{"k": {}})
	wantKind(t, err, Cancelled)
}

// Stalwart 0.6 answers a call about somebody else's account with 401.
func TestARefusalForAnothersAccountIsNotAWrongPassword(t *testing.T) {
	f := newFake(t)
	f.api = always(401, "", "")
	a, _ := dial(t, f.URL)
	other := &Account{Client: a.Client, ID: "b2", Capabilities: a.Capabilities}
	_, err := other.State(t.Context(), mailbox)
	wantKind(t, err, Forbidden)
	_, err = a.State(t.Context(), mailbox)
	wantKind(t, err, Unauthorized)
}

func TestACutAnswerIsAskedForAgain(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		if n < 3 {
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"methodResponses":[`)
			return
		}
		answer(w, [3]string{calls[0].method, `{"state":"1"}`, "0"})
	}
	a, _ := dial(t, f.URL)
	if s, err := a.State(t.Context(), mailbox); err != nil || s != "1" {
		t.Errorf("state %q, %v", s, err)
	}
}
