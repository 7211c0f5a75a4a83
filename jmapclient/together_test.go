package jmapclient

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mailhaul/account"
)

// replies answers each call as a small account would; how often each was
// answered is in its state, so that it shows which answer counts.
func replies(counts map[string]int, calls []invocation) (list [][3]string) {
	for _, c := range calls {
		counts[c.method]++
		body := fmt.Sprintf(`{"state":"s%d","list":[{"id":"x"}],"notFound":[]}`, counts[c.method])
		switch method := c.method[strings.Index(c.method, "/"):]; method {
		case "/query":
			body = `{"queryState":"q","ids":["x"],"total":7}`
		case "/changes":
			body = `{"oldState":"a","newState":"b","created":["x"]}`
		}
		list = append(list, [3]string{c.method, body, c.id})
	}
	return list
}

// namesOf is what one request called.
func namesOf(calls []invocation) (names []string) {
	for _, c := range calls {
		names = append(names, c.method)
	}
	return names
}

func TestReadsTogether(t *testing.T) {
	mailTwice := []string{"Email/get", "Email/query", "Email/get"}
	all := append(slices.Clone(mailTwice), "Mailbox/get", "Identity/get")
	single := [][]string{{"Email/get"}, {"Email/query", "Email/get"}, {"Mailbox/get"}, {"Identity/get"}}
	for name, test := range map[string]struct {
		core     string
		spoil    func(w http.ResponseWriter, calls []invocation, list [][3]string) ([][3]string, bool) // false: it answered
		requests [][]string
		kind     Kind // of all errors
	}{
		"one request": {requests: [][]string{all}},
		"the server dies of it": {spoil: func(w http.ResponseWriter, calls []invocation, list [][3]string) ([][3]string, bool) {
			if len(calls) == len(all) {
				hangUp(t, w)
				return nil, false
			}
			return list, true
		}, requests: append([][]string{all}, single...)},
		"a capability is refused": {spoil: func(w http.ResponseWriter, calls []invocation, list [][3]string) ([][3]string, bool) {
			if len(calls) == len(all) {
				problem(w, 400, `{"type":"urn:ietf:params:jmap:error:unknownCapability"}`)
				return nil, false
			}
			return list, true
		}, requests: append([][]string{all}, single...)},
		"one call fails": {spoil: func(_ http.ResponseWriter, calls []invocation, list [][3]string) ([][3]string, bool) {
			if len(calls) == len(all) {
				list[1] = [3]string{"error", `{"type":"serverFail"}`, "1"}
			}
			return list, true
		}, requests: append([][]string{all}, single[1:]...)},
		"a list may be cut": {core: `"maxObjectsInGet":1`, requests: append(append([][]string{all}, single[2]),
			[]string{"Mailbox/query", "Mailbox/get"}, []string{"Mailbox/query", "Mailbox/get"}, single[3],
			[]string{"Identity/query", "Identity/get"}, []string{"Identity/query", "Identity/get"})},
		"few calls in a request": {core: `"maxCallsInRequest":3`, requests: [][]string{mailTwice, all[3:]}},
		"no signing in": {spoil: func(w http.ResponseWriter, _ []invocation, _ [][3]string) ([][3]string, bool) {
			problem(w, 401, `{}`)
			return nil, false
		}, requests: [][]string{all}, kind: Unauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.session = func(w http.ResponseWriter, _ *http.Request, _ int) { fmt.Fprint(w, sessionJSON("/", test.core)) }
			var requests [][]string
			counts := map[string]int{}
			f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
				requests = append(requests, namesOf(calls))
				list := replies(counts, calls)
				if i := slices.IndexFunc(calls, func(c invocation) bool { return c.method == "Email/query" }); i >= 0 {
					if ref := string(calls[i+1].args["#ids"]); !strings.Contains(ref, fmt.Sprintf(`"resultOf":"%d"`, i)) {
						t.Errorf("the ids of query %d are those of %s", i, ref)
					}
				}
				if test.spoil != nil {
					var on bool
					if list, on = test.spoil(w, calls, list); !on {
						return
					}
				}
				answer(w, list...)
			}
			a, _ := dial(t, f.URL)
			g := a.Together()
			state := g.State(account.Email)
			page := g.Page(account.Email, PageArgs{Limit: 1, Total: true})
			boxes, ids := g.All(account.Mailbox), g.All(account.Identity)
			g.Send(t.Context())
			if diff := cmp.Diff(test.requests, requests); diff != "" {
				t.Errorf("requests (-want +got):\n%s", diff)
			}
			for _, err := range []error{state.Err, page.Err, boxes.Err, ids.Err} {
				if KindOf(err) != test.kind {
					t.Errorf("error %v", err)
				}
			}
			if test.kind != 0 {
				return
			}
			if state.Value == "" || page.Value.Total != 7 || len(page.Value.List) != 1 || len(boxes.Value.List) != 1 || len(ids.Value.List) != 1 {
				t.Errorf("state %q, page %+v, lists %+v, %+v", state.Value, page.Value, boxes.Value, ids.Value)
			}
		})
	}
}

// What is not there is not asked for, and does not keep the rest from it.
func TestReadsTogetherOfWhatAnAccountLacks(t *testing.T) {
	f := newFake(t)
	counts := map[string]int{}
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		answer(w, replies(counts, calls)...)
	}
	a, _ := dial(t, f.URL)
	a.Capabilities = objectOf(t, `{"urn:ietf:params:jmap:mail":{}}`)
	g := a.Together()
	ids, changes := g.All(account.Identity), g.Changes(account.Email, "a")
	g.Send(t.Context())
	wantKind(t, ids.Err, Unsupported)
	if changes.Err != nil || changes.Value.NewState != "b" || f.counted("api") != 1 {
		t.Errorf("%+v, %v, %v", changes.Value, changes.Err, counts)
	}
}

// Changes that lead nowhere are an error together as they are alone.
func TestChangesTogetherThatLeadNowhere(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		counts := map[string]int{}
		list := replies(counts, calls)
		list[0][1] = `{"oldState":"a","newState":"a","hasMoreChanges":true}`
		answer(w, list...)
	}
	a, _ := dial(t, f.URL)
	g := a.Together()
	changes, boxes := g.Changes(account.Email, "a"), g.All(account.Mailbox)
	g.Send(t.Context())
	wantKind(t, changes.Err, ServerFault)
	if boxes.Err != nil {
		t.Error(boxes.Err)
	}
}

// A server that dies of one request and answers others is not made to die of it a
// third time, nor is it waited for.
func TestARequestThatAServerDiesOfAlone(t *testing.T) {
	for name, test := range map[string]struct {
		between, meanwhile bool // another request is answered between the tries, in the pause
		tries, pauses      int
	}{
		"others are answered":              {true, false, 2, 0},
		"others are answered in the pause": {false, true, 2, 1},
		"nothing else is asked":            {false, false, 3, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			var a *Account
			other := func() {
				if _, err := a.State(context.Background(), account.Mailbox); err != nil {
					t.Error(err)
				}
			}
			var deaths atomic.Int32
			f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
				if calls[0].method != "VacationResponse/get" {
					answer(w, replies(map[string]int{}, calls)...)
					return
				}
				if deaths.Add(1) == 2 && test.between {
					other()
				}
				hangUp(t, w)
			}
			var k *clock
			a, k = dial(t, f.URL)
			first := true
			k.wake = func(context.Context) {
				if test.meanwhile && deaths.Load() == 2 && first {
					first = false
					other()
				}
			}
			_, err := a.All(t.Context(), account.VacationResponse, nil)
			wantKind(t, err, ServerFault)
			k.waits = slices.DeleteFunc(k.waits, func(d time.Duration) bool { return d == 0 })
			if int(deaths.Load()) != test.tries || len(k.waits) != test.pauses {
				t.Errorf("sent %d times, waited %v", deaths.Load(), k.waits)
			}
		})
	}
}
