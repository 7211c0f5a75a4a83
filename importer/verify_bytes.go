package importer

import (
	"context"
	"math/rand/v2"
	"slices"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// byteCheck compares bytes: all by the server's digests where it has them; else
// all by download, or those of a random sample.
type byteCheck struct {
	v      *verifier
	most   int
	rnd    *rand.Rand
	batch  []bytesToCheck
	silent bool // no digests
	seen   int
	sample []bytesToCheck
}

func (b *byteCheck) add(ctx context.Context, m bytesToCheck) error {
	if m.blob == "" {
		return nil
	}
	if b.silent {
		return b.byDownload(ctx, m)
	}
	if b.batch = append(b.batch, m); len(b.batch) < claimChunk {
		return nil
	}
	return b.flush(ctx)
}

func (b *byteCheck) flush(ctx context.Context) error {
	batch := b.batch
	b.batch = nil
	if len(batch) == 0 {
		return nil
	}
	ids := make([]string, len(batch))
	for i, m := range batch {
		ids[i] = m.blobID
	}
	slices.Sort(ids)
	got, ok, err := b.v.to.Digests(ctx, slices.Compact(ids))
	if err != nil && endsRun(err) {
		return err
	}
	b.silent = !ok || err != nil
	for _, m := range batch {
		d, has := got[m.blobID]
		if b.silent || !has || d.SHA256 == "" {
			if err := b.byDownload(ctx, m); err != nil {
				return err
			}
			continue
		}
		b.v.rep.ByDigest++
		b.compare(m, archive.Hash(d.SHA256))
	}
	return nil
}

// byDownload downloads a message, or keeps it for the sample: each message has
// the same chance to be in it (reservoir sampling).
func (b *byteCheck) byDownload(ctx context.Context, m bytesToCheck) error {
	if b.v.o.Full {
		return b.download(ctx, m)
	}
	b.v.rep.BySize++
	b.seen++
	if len(b.sample) < b.most {
		b.sample = append(b.sample, m)
	} else if i := b.rnd.IntN(b.seen); i < b.most {
		b.sample[i] = m
	}
	return nil
}

func (b *byteCheck) download(ctx context.Context, m bytesToCheck) error {
	hash, err := b.v.hashOf(ctx, m.blobID, m.size)
	if jmapclient.KindOf(err) == jmapclient.NotFound {
		hash, err = "", nil
	}
	if err != nil {
		return err
	}
	b.v.rep.ByDownload++
	b.compare(m, hash)
	return nil
}

func (b *byteCheck) compare(m bytesToCheck, hash archive.Hash) {
	if hash == m.blob {
		return
	}
	b.v.differs(account.Email, m.object.ID(), b.v.describe(m.object), "bytes", "SHA-256 %s in the archive, %s on the server", m.blob, hash)
	b.v.counts(account.Email, func(c *Counts) { c.Present = max(0, c.Present-1) })
}

func (b *byteCheck) finish(ctx context.Context) error {
	if err := b.flush(ctx); err != nil {
		return err
	}
	for _, m := range b.sample {
		b.v.rep.BySize--
		if err := b.download(ctx, m); err != nil {
			return err
		}
	}
	return nil
}
