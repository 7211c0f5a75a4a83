package jmapclient

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

const (
	// eventPing is how often the server is asked to say that it is there.
	eventPing = time.Minute
	// eventSilence is after how long without a byte a stream is taken for dead. A
	// server may ping less often than it was asked to (RFC 8620 §7.3).
	eventSilence = 5 * time.Minute
	// maxEvent bounds one event, in octets.
	maxEvent = 256 << 10
)

// Events listens to the server's event source (RFC 8620 §7.3) until ctx ends or
// the stream does. heard is told of each event and each ping, and whether it was
// that something changed in this account. It is a hint and no more: servers lose
// events, and some send none for accounts that are not the user's own.
//
// The error is of kind Unsupported where there is no event source for the account,
// or no connection to spare for it; otherwise a stream that ended is
// Unreachable. It takes none of the requests that the client may have out at once.
func (a *Account) Events(ctx context.Context, heard func(changed bool)) error {
	c := a.Client
	fail := func(kind Kind, err error, detail string) error {
		return &Error{Kind: kind, Op: "event source", Account: a.Name, Detail: detail, Err: err}
	}
	if _, listed := c.session.Accounts[a.ID]; !listed || c.eventsURL == "" || c.narrow {
		return fail(Unsupported, nil, "there is none for this account")
	}
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	url := expand(c.eventsURL, map[string]string{"types": "*", "closeafter": "no", "ping": fmt.Sprint(int(eventPing.Seconds()))})
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fail(Unsupported, err, "its URL makes no sense")
	}
	c.auth.sign(req.Header)
	req.Header.Set("User-Agent", c.userAgent)
	req.Header.Set("Accept", "text/event-stream")
	req.Header.Set("Accept-Encoding", "identity")
	silent := time.AfterFunc(eventSilence, func() { cut(errStalled) })
	defer silent.Stop()
	c.nRequests.Add(1)
	resp, err := c.http.Do(req)
	if err != nil {
		return fail(Unreachable, err, c.quote(err.Error()))
	}
	defer resp.Body.Close()
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if resp.StatusCode != http.StatusOK || kind != "text/event-stream" {
		return fail(Unsupported, nil, fmt.Sprintf("it answers %s, %s", c.quote(resp.Status), c.quote(kind)))
	}
	err = readEvents(resp.Body, func(name string, data []byte) {
		silent.Reset(eventSilence)
		heard(changes(name, data, a.ID))
	})
	if ctx.Err() == nil || err == nil {
		err = errors.Join(err, io.ErrUnexpectedEOF)
	}
	return fail(Unreachable, err, "the stream ended")
}

// changes says whether an event is a StateChange of the account (RFC 8620 §7.1).
func changes(name string, data []byte, accountID string) bool {
	if name != "state" && name != "" && name != "message" { // a ping
		return false
	}
	var change struct {
		Changed map[string]json.RawMessage `json:"changed"`
	}
	if checkShape(data) != nil || json.Unmarshal(data, &change) != nil {
		return false
	}
	_, ok := change.Changed[accountID]
	return ok
}

var errLongEvent = errors.New("an event is longer than any sensible one")

// readEvents reads a stream of server-sent events (the HTML standard, §9.2.6).
// A comment, by which some servers show that they are there, is handed on as an
// event of the name ":".
func readEvents(r io.Reader, take func(name string, data []byte)) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxEvent)
	lines.Split(splitLines())
	var name string
	var data []byte
	for lines.Scan() {
		line := lines.Text()
		switch field, value, _ := strings.Cut(line, ":"); {
		case line == "":
			if name != "" || data != nil {
				take(name, data)
			}
			name, data = "", nil
		case field == "":
			take(":", nil)
		case field == "event":
			name = strings.TrimPrefix(value, " ")
		case field == "data":
			if data != nil {
				data = append(data, '\n')
			} else {
				data = []byte{}
			}
			if data = append(data, strings.TrimPrefix(value, " ")...); len(data) > maxEvent {
				return errLongEvent
			}
		}
	}
	if errors.Is(lines.Err(), bufio.ErrTooLong) {
		return errLongEvent
	}
	return lines.Err()
}

// splitLines splits at CRLF, LF and CR. A CR ends its line at once, as nothing
// may come after it for long; a LF behind it belongs to it.
func splitLines() bufio.SplitFunc {
	cr := false
	return func(data []byte, atEOF bool) (advance int, line []byte, err error) {
		skip := 0
		if cr && len(data) > 0 {
			cr = false
			if data[0] == '\n' {
				skip, data = 1, data[1:]
			}
		}
		i := bytes.IndexAny(data, "\r\n")
		if i < 0 {
			return skip, nil, nil // what is cut off at the end is no line
		}
		cr = data[i] == '\r'
		return skip + i + 1, data[:i:i], nil
	}
}
