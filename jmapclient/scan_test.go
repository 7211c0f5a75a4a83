package jmapclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/foxcpp/go-jmap"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mailhaul/account"
)

// library splits an answer as go-jmap does, which has to be told all names.
func library(body []byte, methods []string) (*jmap.Response, error) {
	names := slices.Clone(methods)
	for range maxUnnamed + 1 {
		var resp jmap.Response
		err := resp.Unmarshal(bytes.NewReader(body), jmap.RawUnmarshallers(names))
		var unnamed jmap.UnknownMethodError
		if !errors.As(err, &unnamed) {
			return &resp, err
		}
		names = append(names, unnamed.MethodName)
	}
	return nil, errors.New("too many strangers")
}

// agree fails unless decode finds in body what go-jmap does.
func agree(t interface{ Fatalf(string, ...any) }, body []byte) {
	methods := []string{"Email/get", "Email/set"}
	want, wantErr := library(body, methods)
	got, err := decode(body, methods)
	switch {
	case wantErr == nil && err != nil:
		if len(want.Responses) > 0 || bytes.HasPrefix(bytes.TrimSpace(body), []byte("{")) {
			t.Fatalf("go-jmap reads it, decode does not: %v\n%.2000q", err, body)
		}
	case wantErr == nil:
		if d := cmp.Diff(want.Responses, got.Responses); d != "" && len(want.Responses)+len(got.Responses) > 0 {
			t.Fatalf("(-go-jmap +decode)\n%s\n%.2000q", d, body)
		}
	case err == nil:
		// decode looks at less: not at createdIds, and what it hands out is
		// checked by who decodes it. Of that alone go-jmap must say the same.
		var parts []string
		for _, inv := range got.Responses {
			args, ok := inv.Args.(json.RawMessage)
			if !ok {
				return // an error's arguments were decoded already
			}
			if !json.Valid(args) {
				return
			}
			parts = append(parts, fmt.Sprintf("[%s,%s,%s]", account.Marshal(inv.Name), args, account.Marshal(inv.CallID)))
		}
		again, err := library([]byte(`{"methodResponses":[`+strings.Join(parts, ",")+`]}`), methods)
		if err != nil {
			t.Fatalf("decode reads what go-jmap does not: %v\n%.2000q", err, body)
		}
		if d := cmp.Diff(again.Responses, got.Responses); d != "" && len(parts) > 0 {
			t.Fatalf("(-go-jmap +decode)\n%s\n%.2000q", d, body)
		}
	}
}

// Whatever the arguments hold, and however it is spaced, an answer is split as
// go-jmap splits it; cut anywhere it is none.
func TestAnswersAreSplitAsTheLibraryDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		space := rapid.SampledFrom([]string{"", " ", "\n\t", "\r\n  "})
		str := rapid.Custom(func(t *rapid.T) string {
			if rapid.Bool().Draw(t, "escaped") {
				return rapid.SampledFrom([]string{`"\""`, `"\\"`, `"\\\""`, `"a\/b"`, `"\u00e9\ud83d\ude00"`, `"[{"`, `"]}\\"`, `""`}).Draw(t, "string")
			}
			return string(account.Marshal(rapid.String().Draw(t, "string")))
		})
		var value func(depth int) *rapid.Generator[string]
		value = func(depth int) *rapid.Generator[string] {
			return rapid.Custom(func(t *rapid.T) string {
				kind := rapid.IntRange(0, 5).Draw(t, "kind")
				if depth == 0 {
					kind %= 4
				}
				var parts []string
				switch kind {
				case 0, 1:
					return str.Draw(t, "s")
				case 2:
					return rapid.SampledFrom([]string{"null", "true", "-1.5e+3", "0"}).Draw(t, "scalar")
				case 3:
					return rapid.SampledFrom([]string{"{}", "[]", "{ }", "[\n]"}).Draw(t, "empty")
				case 4:
					for range rapid.IntRange(1, 3).Draw(t, "n") {
						parts = append(parts, space.Draw(t, "w")+value(depth-1).Draw(t, "v")+space.Draw(t, "w"))
					}
					return "[" + strings.Join(parts, ",") + "]"
				}
				for range rapid.IntRange(1, 3).Draw(t, "n") {
					parts = append(parts, space.Draw(t, "w")+str.Draw(t, "k")+space.Draw(t, "w")+":"+space.Draw(t, "w")+value(depth-1).Draw(t, "v"))
				}
				return "{" + strings.Join(parts, ",") + space.Draw(t, "w") + "}"
			})
		}
		var calls []string
		for range rapid.IntRange(0, 4).Draw(t, "calls") {
			name := rapid.SampledFrom([]string{`"Email/get"`, `"Email/set"`, `"Vendor\/push"`, `"error"`, `"\u0065rror"`, `null`, `7`}).Draw(t, "name")
			args := rapid.OneOf(value(3), rapid.Just(`{"type":"serverFail","x":[1]}`)).Draw(t, "args")
			id := rapid.OneOf(str, rapid.Just(`"0"`), rapid.Just("null")).Draw(t, "id")
			w := func() string { return space.Draw(t, "w") }
			calls = append(calls, w()+"["+w()+name+w()+","+w()+args+w()+","+id+w()+"]"+w())
		}
		key := rapid.SampledFrom([]string{`"methodResponses"`, `"methodresponses"`, `"method\u0052esponses"`}).Draw(t, "key")
		before := rapid.SampledFrom([]string{"", `"x":` + value(2).Draw(t, "other") + `,`, `"createdIds":{"a":"b"},`}).Draw(t, "before")
		body := space.Draw(t, "w") + "{" + before + key + space.Draw(t, "w") + ":[" + strings.Join(calls, ",") + `],"sessionState":"s"}` + space.Draw(t, "w")
		agree(t, []byte(body))
		agree(t, []byte(body)[:rapid.IntRange(0, len(body)).Draw(t, "cut")])
	})
}

// blobAnswer is an answer to Blob/get.
func blobAnswer(n, size int) (body []byte, blobs [][]byte) {
	var list []string
	for i := range n {
		blob := bytes.Repeat([]byte{byte(i), 0xff, 'x', byte(i >> 8), '\n'}, size/5+1)[:size]
		sum := sha256.Sum256(blob)
		list = append(list, fmt.Sprintf(`{"id":"b%d","data:asBase64":"%s","size":%d,"digest:sha-256":"%s"}`,
			i, base64.StdEncoding.EncodeToString(blob), size, base64.StdEncoding.EncodeToString(sum[:])))
		blobs = append(blobs, blob)
	}
	return []byte(`{"methodResponses":[["Blob/get",{"accountId":"a1","list":[` + strings.Join(list, ",") + `],"notFound":[]},"0"]],"sessionState":"s"}`), blobs
}

func TestBlobs(t *testing.T) {
	sum := sha256.Sum256([]byte("\xff\xff\xff"))
	digest := base64.StdEncoding.EncodeToString(sum[:])
	list := `{"list":[
		{"id":"plain","data:asBase64":"aGVsbG8=","size":5},
		{"id":"escaped","data:asBase64":"\/\/\/\u002f","size":3,"digest:sha-256":"` + strings.ReplaceAll(digest, "/", `\/`) + `"},
		{"size":3,"digest:sha-256":"` + digest + `","isTruncated":false,"x":{"y":["]}\""]},"data:asBase64":"////","id":"other order"},
		{"id":"empty","data:asBase64":"","size":0},
		{"id":"\u00fc\"","data:asBase64":"QUJD","size":3},
		{"id":"null","data:asBase64":null,"size":0},
		{"id":"none","size":0},
		{"id":"a number","data:asBase64":7,"size":0},
		{"id":"no size","data:asBase64":"QUJD"},
		{"id":"cut","data:asBase64":"QUJD","size":3,"isTruncated":true},
		{"id":"short","data:asBase64":"QUJD","size":4},
		{"id":"long","data:asBase64":"QUJD","size":2},
		{"id":"huge","data:asBase64":"QUJD","size":9223372036854775807},
		{"id":"other bytes","data:asBase64":"QUJE","size":3,"digest:sha-256":"` + digest + `"},
		{"id":"no base64","data:asBase64":"QUJ*","size":3},
		{"id":"no padding","data:asBase64":"QUI","size":2}
	],"notFound":["gone"]}`
	want := map[string]string{"plain": "hello", "escaped": "\xff\xff\xff", "other order": "\xff\xff\xff", "empty": "", `ü"`: "ABC"}
	f := newFake(t)
	var asked [][]string
	f.session = func(w http.ResponseWriter, _ *http.Request, _ int) {
		fmt.Fprint(w, strings.ReplaceAll(sessionJSON("/", `"maxObjectsInGet":2`), blobURN+`":{}`, blobURN+`":{"supportedDigestAlgorithms":["sha","sha-256"]}`))
	}
	f.api = func(w http.ResponseWriter, _ *http.Request, _ int, calls []invocation) {
		asked = append(asked, calls[0].args.Strings("ids"))
		if !slices.Contains(calls[0].args.Strings("properties"), "digest:sha-256") {
			t.Error("no digest is asked for")
		}
		answer(w, [3]string{"Blob/get", list, "0"})
	}
	a, _ := dial(t, f.URL)
	got := map[string]string{}
	if err := a.Blobs(t.Context(), []string{"x", "y"}, func(id string, data []byte) error { got[id] = string(data); return nil }); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	mine := errors.New("the disk is full")
	if err := a.Blobs(t.Context(), []string{"x", "y", "z"}, func(string, []byte) error { return mine }); err != mine {
		t.Error(err)
	}
	list = `{"list":[]}`
	if err := a.Blobs(t.Context(), []string{"x", "y", "z"}, nil); err != nil {
		t.Error(err)
	}
	if d := cmp.Diff([][]string{{"x", "y"}, {"x", "y"}, {"x", "y"}, {"z"}}, asked); d != "" {
		t.Error(d)
	}
	list = `{"list":[{"id":"a" "x"}]}`
	wantKind(t, a.Blobs(t.Context(), []string{"x"}, nil), ServerFault)
	a.Capabilities = nil
	wantKind(t, a.Blobs(t.Context(), []string{"x"}, nil), Unsupported)
}

// The ways that an answer of megabytes is read: as it was, walked by one decoder
// after the other, and in one pass. Both check length and digest.
func BenchmarkBlobGet(b *testing.B) {
	body, _ := blobAnswer(256, 8<<10)
	b.Run("decoders", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		for b.Loop() {
			if err := checkShape(body); err != nil {
				b.Fatal(err)
			}
			resp, err := library(body, []string{"Blob/get"})
			if err != nil {
				b.Fatal(err)
			}
			var said struct {
				List []struct {
					ID     string
					Data   *string `json:"data:asBase64"`
					Size   int64
					Digest string `json:"digest:sha-256"`
				}
			}
			if err := json.Unmarshal(resp.Responses[0].Args.(json.RawMessage), &said); err != nil {
				b.Fatal(err)
			}
			for _, blob := range said.List {
				data, err := base64.StdEncoding.DecodeString(*blob.Data)
				sum := sha256.Sum256(data)
				if err != nil || base64.StdEncoding.EncodeToString(sum[:]) != blob.Digest {
					b.Fatal(blob.ID, err)
				}
			}
		}
	})
	b.Run("one pass", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		b.ReportAllocs()
		var buf []byte
		for b.Loop() {
			resp, err := decode(body, []string{"Blob/get"})
			if err != nil {
				b.Fatal(err)
			}
			list, err := readBlobs(resp.Responses[0].Args.(json.RawMessage))
			if err != nil || len(list) != 256 {
				b.Fatal(err)
			}
			for i := range list {
				if _, ok := list[i].bytes(&buf); !ok {
					b.Fatal(list[i].id)
				}
			}
		}
	})
}

// agreeOnGet fails unless readGet finds in an answer what json.Unmarshal does.
func agreeOnGet(t interface{ Fatalf(string, ...any) }, args []byte) {
	var want, got GetResult
	wantErr, err := json.Unmarshal(args, &want), readGet(&got)(args)
	var top map[string]json.RawMessage
	_ = json.Unmarshal(args, &top)
	for key := range top {
		if other := strings.ToLower(key); other != key && (other == "list" || other == "state" || other == "notfound" && key != "notFound") {
			return // json takes names in any case
		}
	}
	if d := cmp.Diff(want, got); (err == nil) != (wantErr == nil) || err == nil && d != "" {
		t.Fatalf("json.Unmarshal: %v, readGet: %v (-json +readGet)\n%s\n%.2000q", wantErr, err, d, args)
	}
}

func TestObjectsAreReadAsJSONReadsThem(t *testing.T) {
	for _, args := range []string{
		`{}`, `[]`, ``, `{"list":null,"notFound":null,"state":null}`, `{"list":[]}`, `{"list":[null,{}]}`, `{"list":[[]]}`, `{"list":{}}`,
		`{"list":[{"id":"a","x":{"y":[1,{"z":"]}\""}]},"n":null}],"state":"1"}`, `{"list":[{"a":1,"a":2,"\u0061":3}]}`, `{"list":[1]}`,
		`{"state":7}`, `{"notFound":"x"}`, `{"notFound":["a"],"notFound":["b","c"],"list":[{}],"list":[{"b": 2 }],"state":"s","state":"t"}`,
		`{"list":[{"a":tru}]}`, `{"list":[{"a":1]}`, `{"list":[{"a" :  [ 1 , 2 ] , "b":""}]} x`, "{\"list\":[{\"a\xff\":\"\xff\"}]}",
	} {
		agreeOnGet(t, []byte(args))
	}
}

func BenchmarkGet(b *testing.B) {
	var list []string
	for i := range 500 {
		list = append(list, fmt.Sprintf(`{"id":"e%d","blobId":"babcdefghijklmnopqrstuvwxyz0123456789%d","threadId":"t%d","mailboxIds":{"a":true},"keywords":{"$seen":true},`+
			`"size":12345,"receivedAt":"2026-01-02T03:04:05Z","messageId":["<%d@example.org>"],"subject":"some words","from":[{"name":"Alice","email":"alice@example.org"}]}`, i, i, i, i))
	}
	args := []byte(`{"accountId":"a","state":"s","list":[` + strings.Join(list, ",") + `],"notFound":[]}`)
	var got GetResult
	for name, read := range map[string]func([]byte) error{"decoder": into(&got), "two passes": readGet(&got)} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(args)))
			b.ReportAllocs()
			for b.Loop() {
				if err := read(args); err != nil || len(got.List) != 500 {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzBlobs(f *testing.F) {
	f.Add([]byte(`{"list":[{"id":"a","data:asBase64":"QUJD","size":3}]}`))
	f.Add([]byte(`{"list":[{"id":"a","data:asBase64":"\/\/8=","size":2,"isTruncated":true}],"list":null}`))
	f.Add([]byte(`{"list":[{"data:asBase64":"000=","size":2}],"list":null}`))
	f.Fuzz(func(t *testing.T, args []byte) {
		list, err := readBlobs(args)
		if err != nil || !json.Valid(args) {
			return
		}
		var top map[string]json.RawMessage
		var want []map[string]json.RawMessage
		var buf []byte
		decodable := json.Unmarshal(args, &top) == nil && json.Unmarshal(top["list"], &want) == nil
		for _, b := range list {
			data, ok := b.bytes(&buf)
			if !ok || !decodable {
				continue
			}
			found := slices.ContainsFunc(want, func(o map[string]json.RawMessage) bool {
				var s string
				_ = json.Unmarshal(o["data:asBase64"], &s)
				one, err := base64.StdEncoding.DecodeString(s)
				return err == nil && bytes.Equal(one, data)
			})
			if !found {
				t.Fatalf("%q is not in %q", data, args)
			}
		}
	})
}
