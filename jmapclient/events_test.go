package jmapclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

// eventsIn reads a stream as a list of its events.
func eventsIn(stream string) (list []string, err error) {
	err = readEvents(strings.NewReader(stream), func(name string, data []byte) { list = append(list, name+"|"+string(data)) })
	return list, err
}

func TestEventsAreRead(t *testing.T) {
	for stream, want := range map[string][]string{
		"event: state\ndata: {}\n\n":                          {"state|{}"},
		"event:state\r\ndata:{}\r\n\r\ndata: x\r\n\r\n":       {"state|{}", "|x"},
		"event: ping\rdata: 1\r\rdata: 2\r\r":                 {"ping|1", "|2"},
		"data: a\ndata: b\nid: 7\nretry: 3\n\n":               {"|a\nb"},
		": still here\n\nevent: state\ndata: {}\n\ndata: cut": {":|", "state|{}"},
		"\n\n\n":   nil,
		"data\n\n": {"|"},
	} {
		got, err := eventsIn(stream)
		if err != nil {
			t.Errorf("%q: %v", stream, err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%q (-want +got):\n%s", stream, d)
		}
	}
}

func TestAnEventWithoutEndIsGivenUp(t *testing.T) {
	for _, stream := range []string{
		"data: " + strings.Repeat("x", maxEvent+1) + "\n\n",
		strings.Repeat("data: "+strings.Repeat("x", 1000)+"\n", maxEvent/1000+1),
	} {
		if _, err := eventsIn(stream); !errors.Is(err, errLongEvent) {
			t.Errorf("an event of %d octets: %v", len(stream), err)
		}
	}
}

func FuzzEvents(f *testing.F) {
	f.Add("event: state\ndata: {\"@type\":\"StateChange\",\"changed\":{\"a\":{\"Email\":\"1\"}}}\n\n")
	f.Add("data: a\r\ndata: b\r\r\n: c\n\n")
	f.Fuzz(func(t *testing.T, stream string) {
		var all int
		err := readEvents(strings.NewReader(stream), func(name string, data []byte) {
			all += len(name) + len(data)
			changes(name, data, "a")
		})
		if all > len(stream) {
			t.Errorf("%d octets read out of %d", all, len(stream))
		}
		if err != nil && len(stream) < maxEvent {
			t.Error(err)
		}
		// However it is cut into pieces, the events are the same.
		want, _ := eventsIn(stream)
		var got []string
		_ = readEvents(iotest.OneByteReader(strings.NewReader(stream)), func(name string, data []byte) { got = append(got, name+"|"+string(data)) })
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("octet by octet (-whole +pieces):\n%s", d)
		}
	})
}

// listening is a server with an event source, of which its session says that it is
// elsewhere: credentials go there no more than to any other URL of a session.
func listening(t *testing.T, o Options, serve http.HandlerFunc) *Account {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/jmap/events/", serve)
	mux.HandleFunc("/.well-known/jmap", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"capabilities":{"urn:ietf:params:jmap:core":{}},"apiUrl":"/jmap/","uploadUrl":"/u/{accountId}","downloadUrl":"/d/{accountId}/{blobId}",
			"eventSourceUrl":"https://elsewhere.example/jmap/events/?types={types}&closeafter={closeafter}&ping={ping}","username":"alice","accounts":{"a":{"name":"alice","isPersonal":true}}}`)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	o.URL, o.Auth = s.URL, Auth{Username: "alice", Password: "secret word"}
	c, err := Dial(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return &Account{Client: c, ID: "a", Name: "alice"}
}

func TestEventsTellOfChangesInTheAccount(t *testing.T) {
	var query string
	a := listening(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
		query = r.URL.RawQuery
		if _, password, _ := r.BasicAuth(); password != "secret word" || r.Header.Get("Accept") != "text/event-stream" {
			t.Errorf("asked with %v", r.Header)
		}
		w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
		fmt.Fprint(w, "event: ping\ndata: {\"interval\":60}\n\nevent: state\ndata: {\"@type\":\"StateChange\",\"changed\":{\"b\":{}}}\n\n"+
			"event: state\ndata: {\"@type\":\"StateChange\",\"changed\":{\"a\":{\"Email\":\"7\"}}}\n\nevent: state\ndata: {\n\n")
	})
	var got []bool
	err := a.Events(context.Background(), func(changed bool) { got = append(got, changed) })
	if KindOf(err) != Unreachable {
		t.Errorf("the end of the stream is %v", err)
	}
	if d := cmp.Diff([]bool{false, false, true, false}, got); d != "" {
		t.Errorf("heard (-want +got):\n%s", d)
	}
	if query != "types=%2A&closeafter=no&ping=60" {
		t.Errorf("asked for %q", query)
	}
}

func TestWhereThereAreNoEvents(t *testing.T) {
	page := func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") }
	for name, a := range map[string]*Account{
		"refused":        listening(t, Options{}, http.NotFound),
		"a page instead": listening(t, Options{}, page),
		"one connection": listening(t, Options{MaxConnections: 1}, page),
	} {
		if err := a.Events(context.Background(), func(bool) {}); KindOf(err) != Unsupported {
			t.Errorf("%s: %v", name, err)
		}
	}
	other := listening(t, Options{}, page)
	other.ID = "not in the session"
	if err := other.Events(context.Background(), func(bool) {}); KindOf(err) != Unsupported {
		t.Errorf("an account that the session does not list: %v", err)
	}
}
