package harness

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
	"mailhaul/jmapclient/jmaptest"
)

const (
	login, password           = "alice", "secret"
	adminLogin, adminPassword = "admin", "root"
)

// newServer is a server with an empty account. It is closed at once: what
// listens to a network keeps the clock from going on, and its handler serves
// all the same.
func newServer(profile string) *jmaptest.Server {
	s := jmaptest.New(jmaptest.Options{Profile: profileOf(profile), Admin: [2]string{adminLogin, adminPassword}})
	s.Close()
	s.AddUser(jmaptest.User{Login: login, Password: password, Emails: []string{"alice@example.org"}})
	return s
}

func signIn(who string) jmapclient.Auth {
	if who == adminLogin {
		return jmapclient.Auth{Username: adminLogin, Password: adminPassword}
	}
	return jmapclient.Auth{Username: login, Password: password}
}

// do carries out a deed at the source, and says whether a message came by it.
func do(s *jmaptest.Server, d deed) (came bool) {
	ids := s.EmailIDs(login)
	if d.Do == "forget" {
		s.ForgetHistory(login)
		return false
	}
	if d.Do != "deliver" && len(ids) == 0 {
		return false
	}
	var id string
	if len(ids) > 0 {
		id = ids[d.Which%len(ids)]
	}
	switch d.Do {
	case "destroy":
		s.Destroy(login, id)
		return false
	case "move", "flag":
		s.Modify(login, id, d.Boxes, d.Keywords)
		return false
	case "reuse": // where ids are used again, the new message gets this one's
		s.Destroy(login, id)
	}
	s.Deliver(login, jmaptest.Message{Mailboxes: d.Boxes, Keywords: d.Keywords, Raw: []byte(d.Raw),
		ReceivedAt: time.Date(2015, 3, 4, 5, 6, d.Second, 0, time.UTC)})
	return true
}

// letter is a message as it is compared.
type letter struct {
	boxes    []string
	keywords []string
	received time.Time
	raw      string
}

func (l letter) String() string {
	sum := sha256.Sum256([]byte(l.raw))
	return fmt.Sprintf("%q %q %s %d bytes %x (%s)", l.boxes, l.keywords, l.received.UTC().Format(time.RFC3339), len(l.raw), sum[:4],
		strings.ReplaceAll(cmp.Or(headerOf(l.raw, "Message-ID"), "no Message-ID"), "\r\n", " "))
}

func headerOf(raw, name string) string {
	head, _, _ := strings.Cut(raw, "\r\n\r\n")
	for line := range strings.SplitSeq(head, "\r\n") {
		if v, ok := strings.CutPrefix(line, name+": "); ok {
			return v
		}
	}
	return ""
}

// lettersOf is what an account holds.
func lettersOf(s *jmaptest.Server) []letter {
	var list []letter
	for _, m := range s.Messages(login) {
		list = append(list, letter{slices.Clone(m.Mailboxes), slices.Clone(m.Keywords), m.ReceivedAt, string(m.Raw)})
	}
	return list
}

// archived is what the newest snapshot holds, and where, by id.
func archived(ar *archive.Archive) (map[string]letter, error) {
	boxes := map[string]account.Object{}
	for rec, err := range ar.Objects(0, account.Mailbox) {
		if err != nil {
			return nil, err
		}
		boxes[rec.Object.ID()] = rec.Object
	}
	list := map[string]letter{}
	for rec, err := range ar.Objects(0, account.Email) {
		if err != nil {
			return nil, err
		}
		raw, err := bytesOf(ar, rec.Blob)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", account.Describe(rec.Object), err)
		}
		l := letter{keywords: rec.Object.Set("keywords"), received: rec.Object.Time("receivedAt"), raw: raw}
		for _, id := range rec.Object.Set("mailboxIds") {
			l.boxes = append(l.boxes, pathOf(boxes, id))
		}
		slices.Sort(l.boxes)
		list[rec.Object.ID()] = l
	}
	return list, nil
}

var escape = strings.NewReplacer(`\`, `\\`, `/`, `\/`)

func pathOf(boxes map[string]account.Object, id string) string {
	o, ok := boxes[id]
	if !ok {
		return "?" + id
	}
	name := escape.Replace(o.Text("name"))
	if p := o.Text("parentId"); p != "" {
		return pathOf(boxes, p) + "/" + name
	}
	return name
}

// less takes the letters of b away from those of a.
func less(a, b []letter) []letter {
	count := map[string]int{}
	for _, l := range b {
		count[l.String()]++
	}
	var rest []letter
	for _, l := range a {
		if count[l.String()]--; count[l.String()] < 0 {
			rest = append(rest, l)
		}
	}
	return rest
}

func lines(list []letter) string {
	var b strings.Builder
	for _, l := range list {
		fmt.Fprintf(&b, "\n  %s", l)
	}
	return cmp.Or(b.String(), " none")
}

func bytesOf(ar *archive.Archive, h archive.Hash) (string, error) {
	r, _, err := ar.OpenBlob(h)
	if err != nil {
		return "", err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	return string(data), err
}
