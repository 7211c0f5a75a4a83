package jmaptest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

type importArgs struct {
	AccountID string                     `json:"accountId"`
	IfInState *string                    `json:"ifInState"`
	Emails    map[string]json.RawMessage `json:"emails"`
}

// importItem is one message of an import (RFC 8621 §4.8) or a copy (§4.7).
type importItem struct {
	ID         string          `json:"id"` // a copy's source
	BlobID     string          `json:"blobId"`
	MailboxIDs json.RawMessage `json:"mailboxIds"`
	Keywords   json.RawMessage `json:"keywords"`
	ReceivedAt *string         `json:"receivedAt"`
}

// The answer to a message that was dropped because its Message-ID is known.
const (
	droppedID     = "p333333333333"
	droppedThread = "d333333"
)

var droppedBlob = "e" + strings.Repeat("a", 55)

// emailImport is RFC 8621 §4.8.
func (c *call) emailImport() (any, error) {
	var g importArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	old := c.a.state(typeEmail)
	if g.IfInState != nil && *g.IfInState != old {
		return nil, failed("stateMismatch", "The state is "+old+".")
	}
	items := make(map[string]*importItem, len(g.Emails))
	for key, raw := range g.Emails {
		item := &importItem{}
		if err := strictDecode(raw, item); err != nil {
			return nil, failed("invalidArguments", key+": "+err.Error())
		}
		if err := c.checkImportIDs(item); err != nil {
			return nil, err
		}
		items[key] = item
	}
	r := newSetResult()
	for _, key := range slices.Sorted(maps.Keys(items)) {
		o, bad := c.importOne(items[key])
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
	}
	answer := c.setAnswer(r, old, c.a.state(typeEmail))
	for _, name := range []string{"updated", "destroyed", "notUpdated", "notDestroyed"} {
		delete(answer, name)
	}
	if c.s.p.ImportStateless {
		return object{"accountId": c.a.id, "created": r.created, "notCreated": r.notCreated}, nil
	}
	return answer, nil
}

func (c *call) checkImportIDs(item *importItem) error {
	if !c.s.p.MalformedFailsCall {
		return nil
	}
	if _, ok := c.s.parseBlobID(item.BlobID); !ok {
		return malformed(item.BlobID)
	}
	var in map[string]json.RawMessage
	_ = json.Unmarshal(item.MailboxIDs, &in) // another type is the item's error
	return c.checkIDs(slices.Collect(maps.Keys(in))...)
}

func (c *call) importOne(item *importItem) (object, *setError) {
	blobID := item.BlobID
	if !c.s.p.NoCreationIDsInBlobID {
		blobID = c.resolveID(blobID)
	}
	b := c.a.blobByID(blobID)
	if b == nil {
		b = c.req.blobs[blobID]
	}
	_, ok := c.s.parseBlobID(blobID)
	if !ok && c.s.p.MalformedFailsItem || b == nil && c.s.p.BlobNotFoundInvalid {
		return nil, invalid("It is no blob: "+item.BlobID, "blobId")
	}
	if b == nil {
		return nil, refused("blobNotFound", "There is no blob "+item.BlobID+".")
	}
	return c.store(b, item, c.s.p.DropKnownMessageID)
}

// store makes an email of a blob, or with dropKnown says that it has when its
// Message-ID is known.
func (c *call) store(b *blob, item *importItem, dropKnown bool) (object, *setError) {
	f := fields{}
	if item.MailboxIDs != nil {
		f["mailboxIds"] = item.MailboxIDs
	}
	if len(item.Keywords) > 0 && string(item.Keywords) != "null" {
		f["keywords"] = item.Keywords
	}
	in, keywords, bad := c.emailPatch(f, nil, nil)
	if bad != nil {
		return nil, bad
	}
	p := &c.s.p
	head := parse(b.data)
	if len(b.data) == 0 || !p.AnyBytes && !head.isMessage {
		return nil, refused("invalidEmail", "It is no message.")
	}
	received, bad := c.receivedAt(item.ReceivedAt, head)
	if bad != nil {
		return nil, bad
	}
	if q := c.a.user.Quota; q > 0 && c.a.used()+int64(len(b.data)) > q {
		return nil, refused("overQuota", "The account is full.")
	}
	if p.DuplicateAlreadyExists {
		if e := c.a.emailWith(b); e != nil {
			return nil, &setError{Type: "alreadyExists", Description: "The account has that message.", ExistingID: e.id}
		}
	}
	if dropKnown && slices.ContainsFunc(head.messageID, func(id string) bool { return c.a.emails.byMsgID[id] != nil }) {
		return object{"id": droppedID, "threadId": droppedThread, "blobId": droppedBlob, "size": 0}, nil
	}
	if c.isSpam(b) && len(in) == 1 && in[c.a.mailboxes.byRole("inbox")] {
		in = map[*mailbox]bool{c.a.mailboxes.byRole("junk"): true}
	}
	e := c.a.emailAdd(b, head, in, keywords, received)
	size := e.size()
	if c.req.wrongSize {
		size--
	}
	return object{"id": e.id, "blobId": e.blobID, "threadId": e.thread.id, "size": size}, nil
}

// emailWith is an email of the account with just these bytes, nil if there is none.
func (a *account) emailWith(b *blob) *email {
	if a.held[b.hash] == 0 {
		return nil
	}
	for _, e := range a.emails.order {
		if e.blob == b {
			return e
		}
	}
	return nil
}

// isSpam says whether the message bears the profile's spam header.
func (c *call) isSpam(b *blob) bool {
	name, value, ok := strings.Cut(c.s.p.SpamHeader, ": ")
	if !ok || c.a.mailboxes.byRole("junk") == nil {
		return false
	}
	return strings.HasPrefix(strings.ToLower(headerField(b.data, name)), strings.ToLower(value))
}

type copyArgs struct {
	FromAccountID            string                     `json:"fromAccountId"`
	AccountID                string                     `json:"accountId"`
	IfFromInState            *string                    `json:"ifFromInState"`
	IfInState                *string                    `json:"ifInState"`
	Create                   map[string]json.RawMessage `json:"create"`
	OnSuccessDestroyOriginal bool                       `json:"onSuccessDestroyOriginal"`
	DestroyFromIfInState     *string                    `json:"destroyFromIfInState"`
}

// emailCopy is RFC 8621 §4.7.
func (c *call) emailCopy() (any, error) {
	var g copyArgs
	if err := c.read(&g); err != nil {
		return nil, err
	}
	from, err := c.account(g.FromAccountID)
	if err != nil {
		return nil, err
	}
	old := c.a.state(typeEmail)
	if g.IfInState != nil && *g.IfInState != old || g.IfFromInState != nil && *g.IfFromInState != from.state(typeEmail) {
		return nil, failed("stateMismatch", "The state is another.")
	}
	r := newSetResult()
	var copied []*email
	for _, key := range slices.Sorted(maps.Keys(g.Create)) {
		item := &importItem{}
		if err := strictDecode(g.Create[key], item); err != nil {
			return nil, failed("invalidArguments", key+": "+err.Error())
		}
		source := item.ID
		if c.s.p.CopyKeyedBySource {
			source = key
		}
		if source == "" {
			r.notCreated[key] = invalid("A copy names its source.", "id")
			continue
		}
		e := from.emails.byID[source]
		if e == nil {
			r.notCreated[key] = refused("notFound", "There is no message "+source+" in the account "+from.id+".")
			continue
		}
		o, bad := c.store(e.blob, item.completed(e), false)
		if bad != nil {
			r.notCreated[key] = bad
			continue
		}
		c.req.created[key] = o["id"].(string)
		r.created[key] = o
		copied = append(copied, e)
	}
	answer := c.setAnswer(r, old, c.a.state(typeEmail))
	for _, name := range []string{"updated", "destroyed", "notUpdated", "notDestroyed"} {
		delete(answer, name)
	}
	answer["fromAccountId"] = from.id
	if g.OnSuccessDestroyOriginal && len(copied) > 0 {
		c.extra = append(c.extra, extra{"Email/set", c.destroyCopied(from, copied)})
	}
	return answer, nil
}

// completed is what a copy keeps of the original where it names nothing else.
func (i *importItem) completed(e *email) *importItem {
	full := *i
	if full.Keywords == nil {
		full.Keywords = encode(e.keywords)
	}
	if full.ReceivedAt == nil {
		at := utcDate(e.received)
		full.ReceivedAt = &at
	}
	return &full
}

// destroyCopied is the implicit Email/set of onSuccessDestroyOriginal.
func (c *call) destroyCopied(from *account, copied []*email) object {
	old := from.state(typeEmail)
	r := newSetResult()
	for _, e := range copied {
		r.destroyed = append(r.destroyed, e.id)
		from.emailDestroy(e)
	}
	there := *c
	there.a = from
	return there.setAnswer(r, old, from.state(typeEmail))
}
