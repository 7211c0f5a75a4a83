package jmapclient

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
	"mailhaul/internal/cyrustest"
	"mailhaul/jmapclient/jmaptest"
)

// However it is read, a payload is the JSON that it stands for.
func TestPayloads(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		blobs := rapid.MapOf(rapid.String(), rapid.SliceOfN(rapid.Byte(), 0, 100)).Draw(t, "blobs")
		k := &call{method: "Blob/upload", args: map[string]any{"accountId": "a<1>"}, blobs: blobs, blobSet: rapid.Bool().Draw(t, "set")}
		p := encode(&request{using: []string{coreURN}, calls: []*call{{method: "Core/echo"}, k}})
		r, _ := p.open()
		var read io.Reader = r
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			read = iotest.OneByteReader(r)
		case 1:
			read = &bits{r, rapid.SliceOfN(rapid.IntRange(1, 9), 1, 9).Draw(t, "bits")}
		}
		got, err := io.ReadAll(read)
		if err != nil || int64(len(got)) != p.size() {
			t.Fatalf("%d bytes of %d: %v", len(got), p.size(), err)
		}
		create := map[string]any{}
		most := int64(0)
		for key, b := range blobs {
			data := map[string]any{"data:asBase64": base64.StdEncoding.EncodeToString(b)}
			create[key] = map[string]any{"type": "message/rfc822", "data": []any{data}}
			if k.blobSet {
				data["type"] = "message/rfc822"
				create[key] = data
			}
			most += BlobInRequest(key, int64(len(b)))
		}
		want := account.Marshal(map[string]any{"using": []string{coreURN}, "methodCalls": []any{
			[]any{"Core/echo", nil, "0"}, []any{"Blob/upload", map[string]any{"accountId": "a<1>", "create": create}, "1"}}})
		a, errA := account.ParseObject(got)
		b, errB := account.ParseObject(want)
		if errA != nil || errB != nil || !bytes.Equal(a.Encode(), b.Encode()) {
			t.Fatalf("%v %v\n%s\n%s", errA, errB, got, want)
		}
		if p.size() > most+200 {
			t.Fatalf("%d bytes, and %d were to be enough", p.size(), most)
		}
	})
}

// bits reads by so many octets at a time, in turn.
type bits struct {
	r io.Reader
	n []int
}

func (b *bits) Read(p []byte) (int, error) {
	n := b.n[0]
	b.n = append(b.n[1:], n)
	return b.r.Read(p[:min(n, len(p))])
}

// inbox is the id of an account's inbox.
func inbox(t *testing.T, a *Account) string {
	boxes, err := a.All(t.Context(), mailbox, nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(boxes.List, func(o account.Object) bool { return o.Text("role") == "inbox" })
	return boxes.List[i].ID()
}

// batch is n messages with their imports, by reference to the blobs.
func batch(from, n int, in string) (map[string][]byte, map[string]EmailImport) {
	blobs, emails := map[string][]byte{}, map[string]EmailImport{}
	for i := from; i < from+n; i++ {
		key := fmt.Sprint("m", i)
		blobs[key] = append(message(i), bytes.Repeat([]byte("x\r\n"), 10*i)...)
		emails[key] = EmailImport{BlobID: "#" + key, MailboxIDs: account.SetOf(in), Keywords: account.SetOf("$seen"), ReceivedAt: "2026-01-02T03:04:05Z"}
	}
	return blobs, emails
}

// deliverAll imports three batches in the form that the server takes, and
// answers how many requests and whether references were taken.
func deliverAll(t *testing.T, a *Account) (requests int64, together bool) {
	in := inbox(t, a)
	before := a.Client.Stats().Requests
	want := map[string]int64{}
	stored := func(d *Delivery, err error, blobs map[string][]byte) {
		t.Helper()
		if err != nil || d.UploadErr != nil || len(d.NotUploaded) > 0 {
			t.Fatalf("%v, %+v", err, d)
		}
		for key, b := range blobs {
			if got := d.Import.Created[key]; got.Size != int64(len(b)) || got.ID == "" {
				t.Fatalf("%s: %+v, %v, want %d bytes", key, got, d.Import.NotCreated, len(b))
			}
			want[d.Import.Created[key].ID] = int64(len(b))
		}
	}
	blobs, emails := batch(0, 5, in)
	d, err := a.ImportBlobs(t.Context(), blobs, emails)
	together = err == nil && len(d.Import.Created) == len(blobs)
	if together {
		stored(d, err, blobs)
		for from := 5; from < 15; from += 5 {
			blobs, emails = batch(from, 5, in)
			d, err = a.ImportBlobs(t.Context(), blobs, emails)
			stored(d, err, blobs)
		}
	} else {
		if !a.BlobCall().Lasting || KindOf(err) != Invalid && (err != nil || len(d.Import.Created) > 0) || len(d.Uploaded) != len(blobs) {
			t.Fatalf("references are not taken, and the blobs are not there: %v, %+v", err, d)
		}
		for from := 5; from <= 15; from += 5 { // the first batch is up: from here one request a batch
			for key, e := range emails {
				e.BlobID = d.Uploaded[key].BlobID
				emails[key] = e
			}
			sent := blobs
			var nextEmails map[string]EmailImport
			if blobs, nextEmails = batch(from, 5, in); from == 15 {
				blobs = nil
			}
			d, err = a.ImportBlobs(t.Context(), blobs, emails)
			stored(d, err, sent)
			emails = nextEmails
		}
	}
	requests = a.Client.Stats().Requests - before
	got, err := a.Get(t.Context(), account.Email, slices.Collect(keysOf(want)), []string{"id", "size", "keywords", "receivedAt"})
	if err != nil || len(got.List) != 15 {
		t.Fatalf("%d messages are there: %v", len(got.List), err)
	}
	for _, o := range got.List {
		if o.Int("size") != want[o.ID()] || !slices.Equal(o.Set("keywords"), []string{"$seen"}) || o.Text("receivedAt") != "2026-01-02T03:04:05Z" {
			t.Errorf("%s, want %d bytes", o.Encode(), want[o.ID()])
		}
	}
	return requests, together
}

func keysOf(m map[string]int64) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// Blobs and messages go in by one request a batch on every server there is a
// profile of.
func TestBlobsAndMessagesInOneRequest(t *testing.T) {
	for _, p := range jmaptest.Profiles {
		t.Run(p.Name, func(t *testing.T) {
			auth := alice
			if p.Name == jmaptest.Stalwart016.Name {
				auth.Username = "alice"
			}
			_, c := anyServer(t, jmaptest.Options{Profile: p}, auth)
			a, err := c.Account(t.Context(), "")
			if err != nil {
				t.Fatal(err)
			}
			n, together := deliverAll(t, a)
			if together == p.NoCreationIDsInBlobID {
				t.Errorf("references taken: %v", together)
			}
			if want := map[bool]int64{true: 3, false: 4}[together]; n != want {
				t.Errorf("3 batches took %d requests, want %d", n, want)
			}
			if how := a.BlobCall(); how.Lasting == p.BlobSet || how.MaxSize < 1<<20 {
				t.Errorf("%+v", how)
			}
		})
	}
}

// What is promised of blobs and messages in one request holds on a real Cyrus;
// its maxSizeBlobSet is not believed.
func TestBlobsAndMessagesInOneRequestToCyrus(t *testing.T) {
	s := cyrustest.Start(t, cyrustest.User{Login: "alice", Password: secret})
	c, err := Dial(t.Context(), Options{URL: s.URL, Auth: Auth{Username: "alice", Password: secret}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	a, err := c.Account(t.Context(), "")
	if err != nil {
		t.Fatal(err)
	}
	if how := a.BlobCall(); how.Method == "" {
		t.Fatal("no way to send blobs in requests")
	}
	if n, together := deliverAll(t, a); n != 3 || !together {
		t.Errorf("3 batches took %d requests", n)
	}
	blobs, emails := batch(100, 1, inbox(t, a))
	blobs["m100"] = append(blobs["m100"], bytes.Repeat([]byte("0123456789\r\n"), 400_000)...)
	if n := requestSize("m100", blobs, emails); n > a.RequestRoom() {
		t.Fatalf("%d do not fit into %d", n, a.RequestRoom())
	}
	d, err := a.ImportBlobs(t.Context(), blobs, emails)
	if err != nil || d.Import.Created["m100"].Size != int64(len(blobs["m100"])) {
		t.Errorf("%d bytes: %v, %+v, %+v", len(blobs["m100"]), err, d, d.Import)
	}

	// Over a slow line the same goes compressed, both ways.
	c.toServer.slow, c.fromServer.slow = true, true
	blobs, emails = batch(200, 1, inbox(t, a))
	blobs["m200"] = append(blobs["m200"], bytes.Repeat([]byte("The same again. \r\n"), 50_000)...)
	before := c.Stats()
	d, err = a.ImportBlobs(t.Context(), blobs, emails)
	if err != nil || d.Import.Created["m200"].Size != int64(len(blobs["m200"])) {
		t.Fatalf("compressed: %v, %+v, %+v", err, d, d.Import)
	}
	var got []byte
	err = a.Blobs(t.Context(), []string{d.Import.Created["m200"].BlobID}, func(_ string, data []byte) error {
		got = bytes.Clone(data)
		return nil
	})
	if err != nil || !bytes.Equal(got, blobs["m200"]) {
		t.Errorf("%d of %d bytes came back: %v", len(got), len(blobs["m200"]), err)
	}
	after := c.Stats()
	if most := int64(len(got) / 10); after.BytesOut-before.BytesOut > most || after.BytesIn-before.BytesIn > most {
		t.Errorf("%d bytes went as %d, came as %d", len(got), after.BytesOut-before.BytesOut, after.BytesIn-before.BytesIn)
	}
}

// requestSize is what a message takes of a request.
func requestSize(key string, blobs map[string][]byte, emails map[string]EmailImport) int64 {
	return BlobInRequest(key, int64(len(blobs[key]))) + emails[key].InRequest(key)
}

// What was created is never lost over what became of the blobs, and nothing
// that creates is sent twice.
func TestImportAndUploadFailApart(t *testing.T) {
	const ok = `{"created":{"k":{"id":"e","size":3}}}`
	upOK := [3]string{"Blob/upload", `{"created":{"b":{"id":"B","size":3}}}`, "1"}
	fail := func(typ, id string) [3]string { return [3]string{"error", `{"type":"` + typ + `"}`, id} }
	for name, test := range map[string]struct {
		replies    [][3]string
		importKind Kind
		uploadKind Kind // of UploadErr
		uploaded   bool
		tries      int
	}{
		"both work":                   {[][3]string{{"Email/import", ok, "0"}, upOK}, 0, 0, true, 1},
		"upload fails":                {[][3]string{{"Email/import", ok, "0"}, fail("serverFail", "1")}, 0, ServerFault, false, 1},
		"upload is rationed":          {[][3]string{{"Email/import", ok, "0"}, fail("rateLimit", "1")}, 0, Unreachable, false, 1},
		"upload is not answered":      {[][3]string{{"Email/import", ok, "0"}}, 0, ServerFault, false, 1},
		"upload's answer is nonsense": {[][3]string{{"Email/import", ok, "0"}, {"Blob/upload", `{"created":7}`, "1"}}, 0, ServerFault, false, 1},
		"import fails":                {[][3]string{fail("serverFail", "0"), upOK}, Unknown, 0, true, 1},
		"import is refused":           {[][3]string{fail("invalidArguments", "0"), upOK}, Invalid, 0, true, 1},
		"import is not answered":      {[][3]string{upOK}, Unknown, 0, true, 1},
		"import is rationed":          {[][3]string{fail("rateLimit", "0"), upOK}, Unreachable, 0, true, 10}, // pauses vary
		"both fail":                   {[][3]string{fail("forbidden", "0"), fail("unknownMethod", "1")}, Forbidden, Unsupported, false, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFake(t)
			f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
				if calls[0].method != "Email/import" || calls[1].method != "Blob/upload" {
					t.Errorf("sent in the order %s, %s", calls[0].method, calls[1].method)
				}
				answer(w, test.replies...)
			}
			a, _ := dial(t, f.URL)
			d, err := a.ImportBlobs(t.Context(), map[string][]byte{"b": []byte("abc")}, map[string]EmailImport{"k": {BlobID: "A"}})
			if KindOf(err) != test.importKind || (err == nil) != (d.Import != nil) || KindOf(d.UploadErr) != test.uploadKind {
				t.Errorf("%v; upload: %v; %+v", err, d.UploadErr, d)
			}
			if (d.Uploaded["b"] == Uploaded{BlobID: "B", Size: 3}) != test.uploaded {
				t.Errorf("uploaded: %v", d.Uploaded)
			}
			if n := f.counted("api"); test.tries == 1 && n != 1 || n < test.tries {
				t.Errorf("sent %d times, want %d", n, test.tries)
			}
		})
	}
}

func TestImportBlobsAtTheEdges(t *testing.T) {
	f := newFake(t)
	f.api = func(w http.ResponseWriter, _ *http.Request, n int, calls []invocation) {
		if n < 3 {
			w.WriteHeader(500)
			return
		}
		answer(w, [3]string{calls[0].method, `{"created":{"a":{"blobId":"A","size":3},"b":{"id":"B","size":2},"c":null,"other":{"id":"x","size":1}},
			"notCreated":{"d":{"type":"overQuota"}}}`, "0"})
	}
	a, _ := dial(t, f.URL)
	// Blobs alone create nothing that would be there twice: they are sent again.
	three := []byte("abc")
	d, err := a.ImportBlobs(t.Context(), map[string][]byte{"a": three, "b": three, "c": three, "d": three}, nil)
	if err != nil || f.counted("api") != 3 || d.Import != nil {
		t.Fatalf("%v after %d tries", err, f.counted("api"))
	}
	if diff := cmp.Diff(map[string]Uploaded{"a": {BlobID: "A", Size: 3}}, d.Uploaded); diff != "" {
		t.Error(diff)
	}
	if len(d.NotUploaded) != 2 || d.NotUploaded["d"].Type != "overQuota" || !strings.Contains(d.NotUploaded["b"].String(), "3 bytes were sent and the server counts 2") {
		t.Errorf("%v", d.NotUploaded)
	}
	if d, err := a.ImportBlobs(t.Context(), nil, nil); err != nil || d.Import != nil || f.counted("api") != 3 {
		t.Errorf("nothing to do: %v", err)
	}
	a.Capabilities = objectOf(t, `{"urn:ietf:params:jmap:mail":{}}`)
	_, err = a.ImportBlobs(t.Context(), map[string][]byte{"a": three}, nil)
	wantKind(t, err, Unsupported)
	a.Client.limits.MaxSizeRequest = 1000
	a.Capabilities = objectOf(t, `{"`+cyrusBlobURN+`":{}}`)
	_, err = a.ImportBlobs(t.Context(), map[string][]byte{"a": make([]byte, 1000)}, nil)
	wantKind(t, err, Limit)
}

// Megabytes of blobs are not copied on their way out.
func BenchmarkPayload(b *testing.B) {
	blobs := map[string][]byte{}
	for i := range 100 {
		blobs[fmt.Sprint(i)] = make([]byte, 8<<10)
	}
	r := &request{using: []string{coreURN}, calls: []*call{{method: "Blob/upload", args: map[string]any{"accountId": "a"}, blobs: blobs}}}
	b.SetBytes(encode(r).size())
	b.ReportAllocs()
	buf := make([]byte, 32<<10)
	for b.Loop() {
		body, _ := encode(r).open()
		if _, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, buf); err != nil {
			b.Fatal(err)
		}
	}
}
