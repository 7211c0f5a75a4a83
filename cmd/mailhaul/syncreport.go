package main

import (
	"fmt"
	"io"

	"mailhaul/account"
	"mailhaul/jmapclient"
)

// synced is what a sync has to show: its last pass.
type synced struct {
	Pass    int       `json:"pass"` // from 1
	Archive string    `json:"archive"`
	Export  *exported `json:"export"`
	// Import is nil when the export ended in an error, or nothing was new since
	// the pass before.
	Import *imported `json:"import,omitempty"`
	Source cost      `json:"source"`
	Target cost      `json:"target"`

	screen *screen
	failed error
}

// cost is what a pass cost on one server: HTTP requests, and octets of bodies as
// they went over the wire.
type cost struct {
	Requests int64 `json:"requests"`
	BytesIn  int64 `json:"bytesIn"`
	BytesOut int64 `json:"bytesOut"`

	client *jmapclient.Client
	before jmapclient.Stats
}

func (c *cost) begin() { c.before = c.client.Stats() }

func (c *cost) end() {
	now := c.client.Stats()
	c.Requests, c.BytesIn, c.BytesOut = now.Requests-c.before.Requests, now.BytesIn-c.before.BytesIn, now.BytesOut-c.before.BytesOut
}

func (c cost) String() string {
	return fmt.Sprintf("%s, %s received, %s sent", plural(c.Requests, "request", "requests"), size(c.BytesIn), size(c.BytesOut))
}

func (d *synced) text(w io.Writer) {
	d.Export.text(w)
	if d.Import != nil {
		fmt.Fprintln(w)
		d.Import.text(w)
	}
	fmt.Fprintf(w, "\nThis pass: %s from the old server; %s to the new one.\n", d.Source, d.Target)
	writeWarnings(w, d.screen)
	if d.failed == nil {
		server, to := "https://NEW", d.Export.Account
		if d.Import != nil {
			server, to = d.Import.Server, d.Import.Account
		}
		fmt.Fprintf(w, "\nNext: mailhaul -u %s verify %s %s\n", shellWord(server), shellWord(d.Archive), shellWord(to))
	}
}

// line is the pass in one line.
func (d *synced) line() string {
	text := fmt.Sprintf("Pass %d: ", d.Pass)
	switch {
	case d.Import == nil && d.failed != nil:
		text += "stopped"
	case d.Import == nil:
		text += "nothing new"
	default:
		text += changesOf(d.Import)
	}
	return text + fmt.Sprintf("; this pass: %s, %s.", plural(d.Source.Requests+d.Target.Requests, "request", "requests"),
		size(d.Source.BytesIn+d.Source.BytesOut+d.Target.BytesIn+d.Target.BytesOut))
}

// changesOf is what an import did to the messages, in words.
func changesOf(d *imported) string {
	c := d.Result.Types[account.Email.Name]
	text := fmt.Sprintf("%s new, %d changed, %d removed", plural(c.Created, "message", "messages"), c.Updated, c.Removed)
	if n := len(d.Result.Failures); n > 0 {
		text += fmt.Sprintf(", %s failed", plural(int64(n), "item", "items"))
	}
	return text
}
