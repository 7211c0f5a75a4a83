package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"mailhaul/internal/mailgen"
)

// importOctets bounds what a bare loop imports with one request; base64 and
// JSON make a third more of it, and servers take 10 MB.
const importOctets = 5 << 20

// importLoops are the bare loops that bring all messages in.
func importLoops(w *wire, mail []mailgen.Message) []loop {
	most := min(w.core.MaxConcurrentRequests, w.core.MaxConcurrentUpload, 8)
	loops := []loop{uploadLoop(mail, 50, most), uploadLoop(mail, 100, most)}
	if urn, standard := w.blob(); urn != "" {
		loops = append(loops, sendLoop(mail, 50, most, true), sendLoop(mail, 100, most, true))
		if standard { // the blobs of Cyrus's Blob/set end with the request
			loops = append(loops, sendLoop(mail, 50, most, false))
		}
	}
	return loops
}

// oldImport is the strategy of Stalwart's old command-line tool.
func oldImport(mail []mailgen.Message) tuned {
	l := uploadLoop(mail, 1, machine())
	return tuned{l, l.most}
}

// uploadLoop uploads messages one by one and imports n of them with one call.
func uploadLoop(mail []mailgen.Message, n, most int) loop {
	return loop{fmt.Sprintf("upload, Email/import of %d", n), most, func(ctx context.Context, w *wire) ([]job, error) {
		if err := w.makeMailboxes(ctx, mail); err != nil {
			return nil, err
		}
		var jobs []job
		for _, batch := range batches(mail, n, largest) {
			jobs = append(jobs, w.uploadAndImport(batch))
		}
		return jobs, nil
	}}
}

func (w *wire) uploadAndImport(batch []mailgen.Message) job {
	return func(ctx context.Context) (int, int64, error) {
		refs := make([]string, len(batch))
		for i, m := range batch {
			answer, err := w.upload(ctx, m)
			if err != nil {
				return 0, 0, err
			}
			var up struct{ BlobID string }
			if err := json.Unmarshal(answer, &up); err != nil {
				return 0, 0, err
			}
			refs[i] = up.BlobID
		}
		return w.imported(ctx, w.importRequest(nil, batch, refs), batch)
	}
}

// upload uploads one message. Cyrus 3.6 answers 404 to one of several first
// uploads into an account: that is asked again, as mailhaul does.
func (w *wire) upload(ctx context.Context, m mailgen.Message) (answer []byte, err error) {
	for range 3 {
		answer, err = w.do(ctx, http.MethodPost, w.uploadURL, "message/rfc822", m.Raw)
		var r *refusal
		if !errors.As(err, &r) || r.status != http.StatusNotFound {
			break
		}
	}
	return answer, err
}

// sendLoop sends n messages in JSON (RFC 9404's Blob/upload, or Cyrus's
// Blob/set) and imports them, with the same request or with the next.
func sendLoop(mail []mailgen.Message, n, most int, together bool) loop {
	name := "Blob/upload and Email/import of %d in one request"
	if !together {
		name = "Blob/upload, then Email/import of %d"
	}
	return loop{fmt.Sprintf(name, n), most, func(ctx context.Context, w *wire) ([]job, error) {
		if err := w.makeMailboxes(ctx, mail); err != nil {
			return nil, err
		}
		var jobs []job
		for _, batch := range batches(mail, n, importOctets) {
			switch blobs := w.blobCall(batch); {
			case octetsOf(batch) > importOctets: // one that is too large for a request
				jobs = append(jobs, w.uploadAndImport(batch))
			case together:
				body := w.importRequest(blobs, batch, creationIDs(len(batch)))
				jobs = append(jobs, func(ctx context.Context) (int, int64, error) { return w.imported(ctx, body, batch) })
			default:
				jobs = append(jobs, w.sendThenImport(blobs, batch))
			}
		}
		return jobs, nil
	}}
}

func (w *wire) sendThenImport(blobs []byte, batch []mailgen.Message) job {
	upload := w.requestOf(blobs)
	return func(ctx context.Context) (int, int64, error) {
		answer, err := w.do(ctx, http.MethodPost, w.apiURL, "application/json", upload)
		if err != nil {
			return 0, 0, err
		}
		var up struct {
			Created map[string]struct{ ID string }
		}
		if err := response(answer, w.uploadMethod(), &up); err != nil {
			return 0, 0, err
		}
		refs := make([]string, len(batch))
		for i := range batch {
			refs[i] = up.Created[creationID(i)].ID
		}
		return w.imported(ctx, w.importRequest(nil, batch, refs), batch)
	}
}

// imported sends an import and counts what the server says it stored.
func (w *wire) imported(ctx context.Context, body []byte, batch []mailgen.Message) (int, int64, error) {
	answer, err := w.do(ctx, http.MethodPost, w.apiURL, "application/json", body)
	if err != nil {
		return 0, 0, err
	}
	var said struct{ Created map[string]json.RawMessage }
	if err := response(answer, "Email/import", &said); err != nil {
		return 0, 0, err
	}
	var octets int64
	for key := range said.Created {
		if i, err := strconv.Atoi(key[1:]); err == nil && i < len(batch) {
			octets += int64(len(batch[i].Raw))
		}
	}
	return len(said.Created), octets, nil
}

func creationID(i int) string { return "m" + strconv.Itoa(i) }

func creationIDs(n int) []string {
	refs := make([]string, n)
	for i := range refs {
		refs[i] = "#" + creationID(i)
	}
	return refs
}

func (w *wire) uploadMethod() string {
	if _, standard := w.blob(); standard {
		return "Blob/upload"
	}
	return "Blob/set"
}

// blobCall is the method call that sends the blobs of a batch.
func (w *wire) blobCall(batch []mailgen.Message) []byte {
	_, standard := w.blob()
	var b bytes.Buffer
	fmt.Fprintf(&b, `[%q,{"accountId":%q,"create":{`, w.uploadMethod(), w.accountID)
	for i, m := range batch {
		if i > 0 {
			b.WriteByte(',')
		}
		open, end := `{"data:asBase64":"`, `","type":"message/rfc822"}`
		if standard {
			open, end = `{"data":[{"data:asBase64":"`, `"}],"type":"message/rfc822"}`
		}
		fmt.Fprintf(&b, "%q:%s", creationID(i), open)
		b.WriteString(base64.StdEncoding.EncodeToString(m.Raw))
		b.WriteString(end)
	}
	b.WriteString(`}},"0"]`)
	return b.Bytes()
}

// importRequest is a request that imports a batch, after another call if any.
func (w *wire) importRequest(before []byte, batch []mailgen.Message, refs []string) []byte {
	emails := map[string]any{}
	for i, m := range batch {
		in, keywords := map[string]bool{}, map[string]bool{}
		for _, path := range m.Mailboxes {
			in[w.mailboxes[path]] = true
		}
		for _, k := range m.Keywords {
			keywords[k] = true
		}
		emails[creationID(i)] = map[string]any{"blobId": refs[i], "mailboxIds": in, "keywords": keywords, "receivedAt": m.ReceivedAt.UTC().Format(time.RFC3339)}
	}
	call, err := json.Marshal([]any{"Email/import", map[string]any{"accountId": w.accountID, "emails": emails}, "1"})
	if err != nil {
		panic(err) // it holds nothing that can't be written
	}
	if before != nil {
		return w.requestOf(before, call)
	}
	return w.requestOf(call)
}

func (w *wire) requestOf(calls ...[]byte) []byte {
	urn, _ := w.blob()
	using := fmt.Sprintf("%q,%q", coreURN, mailURN)
	if urn != "" {
		using += fmt.Sprintf(",%q", urn)
	}
	return fmt.Appendf(nil, `{"using":[%s],"methodCalls":[%s]}`, using, bytes.Join(calls, []byte(",")))
}

// batches cuts mail into pieces of at most n messages and so many octets, but
// for a single message that has more.
func batches(mail []mailgen.Message, n int, octets int64) [][]mailgen.Message {
	var all [][]mailgen.Message
	begin, sum := 0, int64(0)
	for i, m := range mail {
		if size := int64(len(m.Raw)); i > begin && (i-begin == n || sum+size > octets) {
			all = append(all, mail[begin:i])
			begin, sum = i, 0
		}
		sum += int64(len(m.Raw))
	}
	return append(all, mail[begin:])
}

func octetsOf(mail []mailgen.Message) (n int64) {
	for _, m := range mail {
		n += int64(len(m.Raw))
	}
	return n
}
