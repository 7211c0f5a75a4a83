package importer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// group is the messages of both sides that share one key, see account.MatchKey.
type group struct {
	sources []archive.Candidate
	listed  []archive.Listed
}

// match says that a listed message is the source's.
type match struct {
	source archive.Candidate
	listed archive.Listed
}

// hashes are the SHA-256 of blobs on the target, as far as they are known.
type hashes struct {
	run    *run
	byBlob map[string]archive.Hash
	silent bool // the server offers no digests
	frozen bool // the journal is only read
}

// mostHashes bounds what is kept in memory.
const mostHashes = 50_000

// pair finds which listed messages are which source messages. Each listed
// message is one source message at most: two copies stay two.
//
// Equal Message-IDs settle it where there is one message of that kind on each
// side, and where reading bytes is dear because the server has no digests and
// nothing speaks for a doubt; everything else is decided by bytes.
func (h *hashes) pair(ctx context.Context, groups []group) ([]match, error) {
	want := map[string]int64{} // blob ids whose hash is needed
	for _, g := range groups {
		for _, l := range g.listed {
			want[l.BlobID] = keySize(l.Key)
		}
	}
	if err := h.digests(ctx, want); err != nil {
		return nil, err
	}
	var matches []match
	for i := range groups {
		matches = append(matches, h.byMessageID(&groups[i])...)
	}
	var twins []group
	for _, g := range groups {
		if err := h.learn(ctx, g); err != nil {
			return nil, err
		}
		for _, same := range h.byBytes(g) {
			if len(same.sources) == 1 && len(same.listed) == 1 {
				matches = append(matches, match{same.sources[0], same.listed[0]})
			} else {
				twins = append(twins, same)
			}
		}
	}
	assigned, err := h.run.assign(ctx, twins)
	return append(matches, assigned...), err
}

// learn downloads what has to be compared and has no digest.
func (h *hashes) learn(ctx context.Context, g group) error {
	if len(g.sources) == 0 {
		return nil
	}
	for _, l := range g.listed {
		if _, ok := h.byBlob[l.BlobID]; !ok {
			if err := h.download(ctx, l.BlobID, keySize(l.Key)); err != nil {
				return err
			}
		}
	}
	return nil
}

// byMessageID takes the pairs that equal Message-IDs settle.
func (h *hashes) byMessageID(g *group) (found []match) {
	kinds := map[string]int{}
	for _, s := range g.sources {
		kinds[s.MessageIDs]++
	}
	for _, l := range g.listed {
		kinds[l.MessageIDs] += 1 << 16
	}
	const oneEach = 1<<16 + 1
	for _, s := range slices.Clone(g.sources) {
		if s.MessageIDs == "" || kinds[s.MessageIDs] != oneEach || s.State == archive.InFlight {
			continue
		}
		i := slices.IndexFunc(g.listed, func(l archive.Listed) bool { return l.MessageIDs == s.MessageIDs })
		if _, known := h.byBlob[g.listed[i].BlobID]; known {
			continue // then bytes decide
		}
		found = append(found, g.take(s, i))
	}
	return found
}

// byBytes are the messages of a group that have the same bytes, where there are
// any on both sides.
func (h *hashes) byBytes(g group) (found []group) {
	index := map[archive.Hash]int{}
	for _, s := range g.sources {
		if s.Blob == "" {
			continue
		}
		if i, ok := index[s.Blob]; ok {
			found[i].sources = append(found[i].sources, s)
			continue
		}
		index[s.Blob] = len(found)
		found = append(found, group{sources: []archive.Candidate{s}})
	}
	for _, l := range g.listed {
		if i, ok := index[h.byBlob[l.BlobID]]; ok {
			found[i].listed = append(found[i].listed, l)
		}
	}
	return slices.DeleteFunc(found, func(f group) bool { return len(f.listed) == 0 })
}

func (g *group) take(s archive.Candidate, i int) match {
	m := match{s, g.listed[i]}
	g.listed = slices.Delete(slices.Clone(g.listed), i, i+1)
	g.sources = slices.DeleteFunc(slices.Clone(g.sources), func(c archive.Candidate) bool { return c.SourceID == s.SourceID })
	return m
}

// digests asks the server for the hashes that are not known yet, if it has them.
func (h *hashes) digests(ctx context.Context, want map[string]int64) error {
	if len(h.byBlob) > mostHashes {
		clear(h.byBlob)
	}
	for id := range want {
		if _, ok := h.byBlob[id]; ok {
			delete(want, id)
		}
	}
	if h.run.j != nil { // what an earlier run had to find out by downloading
		for id := range want {
			var hash archive.Hash
			if ok, err := h.run.j.Note(hashNote+id, &hash); err != nil {
				return err
			} else if ok {
				h.byBlob[id] = hash
				delete(want, id)
			}
		}
	}
	if h.silent || len(want) == 0 {
		return nil
	}
	got, ok, err := h.run.to.Digests(ctx, slices.Sorted(maps.Keys(want)))
	if err != nil {
		switch jmapclient.KindOf(err) {
		case jmapclient.ServerFault, jmapclient.Unsupported, jmapclient.Invalid, jmapclient.Limit, jmapclient.Forbidden:
			ok = false // bytes can still be downloaded
		default:
			return err
		}
	}
	h.silent = !ok
	for id, d := range got {
		if d.SHA256 != "" {
			h.byBlob[id] = archive.Hash(d.SHA256)
		}
	}
	return nil
}

// hashNote and a blob id is the journal's note of a hash that was downloaded.
const hashNote = "hash "

// download learns a blob's hash the dear way, and has the journal remember it:
// what was in doubt once must be decided by bytes in a later run as well.
func (h *hashes) download(ctx context.Context, blobID string, size int64) error {
	hash, err := h.run.hashOf(ctx, blobID, size)
	if jmapclient.KindOf(err) == jmapclient.NotFound {
		hash, err = "gone", nil // it went meanwhile: equal to nothing
	}
	if err != nil {
		return err
	}
	h.byBlob[blobID] = hash
	if h.run.j == nil || h.frozen || hash == "gone" {
		return nil
	}
	return h.run.j.SetNote(hashNote+blobID, hash)
}

// hashOf downloads a blob for its hash.
func (r *run) hashOf(ctx context.Context, blobID string, size int64) (hash archive.Hash, err error) {
	err = r.to.Download(ctx, blobID, size, func(src io.Reader) error {
		sum := sha256.New()
		if _, err := io.Copy(sum, src); err != nil {
			return err
		}
		hash = archive.Hash(hex.EncodeToString(sum.Sum(nil)))
		return nil
	})
	return hash, err
}

// keySize is the size in a key of account.MatchKey, -1 if it has none.
func keySize(key string) int64 {
	_, size, _ := strings.Cut(key, "/")
	n, err := strconv.ParseInt(size, 10, 64)
	if err != nil {
		return -1
	}
	return n
}
