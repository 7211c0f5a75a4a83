package migrate

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"slices"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

const wholeNote = "check"

// free is how many octets may be written in a directory, -1 when unknown.
var free = archive.FreeBytes

// CheckWhole looks at what is no single account's: the two servers, the disk
// here, and how long it will take, from a short measurement. The accounts were
// checked before.
func (r *Run) CheckWhole(ctx context.Context) ([]Finding, error) {
	c := &checking{run: r}
	for _, s := range []*side{r.old, r.new} {
		if s.server.Credentials == "" {
			c.find(Green, s.name+" server", "", "each account signs in by itself")
			continue
		}
		client, err := s.client(ctx)
		if err != nil {
			return nil, err
		}
		c.server(s, client)
	}
	var messages, octets int64
	for _, j := range r.jobs {
		messages += j.Messages
		octets += j.Bytes
	}
	c.disk(octets)
	if err := c.estimate(ctx, messages, octets); err != nil {
		return nil, err
	}
	return c.found, r.store.note(wholeNote, c.found)
}

// server says what a server is.
func (c *checking) server(s *side, client *jmapclient.Client) {
	software := implementation(client.Session())
	if software == "" {
		software = "does not say what it is"
	}
	l := client.Limits()
	c.find(Green, s.name+" server", "", "%s: %s; takes %s an upload, %s a request, %d requests at once, %d objects a call", client.Origin(), software,
		Size(l.MaxSizeUpload), Size(l.MaxSizeRequest), l.MaxConcurrentRequests, l.MaxObjectsInGet)
}

// Mail is stored compressed: about half of what it was on the servers. What an
// index and journals take comes to it.
const storedShare, storedMessage = 0.6, 1000

// disk compares what the archives will take with what is free.
func (c *checking) disk(octets int64) {
	dir := c.run.Plan.Directory()
	need, have := int64(float64(octets)*storedShare), free(dir)
	for _, j := range c.run.jobs {
		need += j.Messages * storedMessage
		if j.Steps[CopyStep].State == Done {
			need -= int64(float64(j.Bytes)*storedShare) + j.Messages*storedMessage
		}
	}
	need = max(need, 0)
	switch {
	case have < 0:
		c.find(Yellow, "disk", "", "how much is free at %s is not known; about %s are needed", dir, Size(need))
	case have < need:
		c.find(Red, "disk", "make room there, or name another directory in the plan (archives)", "%s are free at %s; about %s are needed", Size(have), dir, Size(need))
	default:
		c.find(Green, "disk", "", "%s are free at %s; about %s are needed", Size(have), dir, Size(need))
	}
}

// The measurement: so many messages, none larger than so much.
const measuredMessages, measuredOctets = 16, 1 << 20

// estimate says how long it will take, from some messages of the largest
// account that are fetched and as many octets that are sent, one after the other.
func (c *checking) estimate(ctx context.Context, messages, octets int64) error {
	if messages == 0 || len(c.run.jobs) == 0 {
		c.find(Yellow, "amount", "see that the old server is the right one", "there are no messages at all")
		return nil
	}
	largest := slices.MaxFunc(c.run.jobs, func(a, b *job) int { return int(min(max(a.Bytes-b.Bytes, -1), 1)) })
	from, err := c.run.old.open(ctx, largest.Wanted)
	if err != nil {
		return nil // it was told when the account was checked
	}
	defer from.close()
	page, err := from.Page(ctx, account.Email, jmapclient.PageArgs{Limit: measuredMessages, Props: []string{"id", "blobId", "size"}})
	if err != nil {
		return &sideError{"old", err}
	}
	var moved int64
	begun := time.Now()
	for _, o := range page.List {
		if n := number(o, "size"); n <= measuredOctets {
			if err := from.Download(ctx, o.Text("blobId"), n, func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}); err != nil {
				return &sideError{"old", err}
			}
			moved += n
		}
	}
	down := time.Since(begun)
	up, err := c.sending(ctx, largest, moved)
	if err != nil {
		return err
	}
	if moved == 0 {
		return nil
	}
	took := time.Duration(float64(down+up) * float64(octets) / float64(moved))
	c.find(Green, "amount", "", "%s, about %s, in %s; one thing after the other that would be %s, measured with %s; several go at once",
		plural(messages, "message", "messages"), Size(octets), plural(int64(len(c.run.jobs)), "account", "accounts"), about(took), Size(moved))
	return nil
}

// sending measures an upload: random octets that nothing refers to, which the
// server forgets.
func (c *checking) sending(ctx context.Context, j *job, octets int64) (time.Duration, error) {
	to, err := c.run.new.open(ctx, j.Wanted)
	if err != nil || octets == 0 {
		return 0, nil // it was told when the account was checked
	}
	defer to.close()
	data := make([]byte, min(octets, measuredOctets, to.Client.Limits().MaxSizeUpload))
	if _, err := rand.Read(data); err != nil {
		return 0, err
	}
	begun := time.Now()
	if _, err := to.Upload(ctx, "application/octet-stream", int64(len(data)), func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(data)), nil
	}); err != nil {
		return 0, &sideError{"new", err}
	}
	return time.Duration(float64(time.Since(begun)) * float64(octets) / float64(len(data))), nil
}

// about is a duration in words that do not claim to be exact.
func about(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "less than a minute"
	case d < 90*time.Minute:
		return plural(int64(d.Minutes()+0.5), "minute", "minutes")
	}
	return fmt.Sprintf("%.1f hours", d.Hours())
}

// Whole are the findings of the last CheckWhole.
func Whole(p *Plan) ([]Finding, error) {
	s, err := readStore(p.Directory())
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var found []Finding
	_, err = s.noted(wholeNote, &found)
	return found, err
}
