package main

import (
	"context"
	"errors"

	"mailhaul/account"
	"mailhaul/archive"
	"mailhaul/jmapclient"
)

// tellRoom adds to the error of a full disk what the rest of an export takes:
// as many messages as the server has more, of the mean size of those it lists
// first. Every other error stays as it is.
func tellRoom(ctx context.Context, err error, acc *jmapclient.Account, ar *archive.Archive) {
	const sample = 500
	full, ok := errors.AsType[*archive.FullError](err)
	if !ok {
		return
	}
	held, _, err := ar.Count(-1, account.Email)
	if err != nil {
		return // the archive's own estimate has to do
	}
	p, err := acc.Page(ctx, account.Email, jmapclient.PageArgs{Limit: sample, Props: []string{"id", "size"}, Total: true})
	if err != nil || len(p.List) == 0 {
		return
	}
	var octets int64
	for _, o := range p.List {
		octets += max(o.Int("size"), 0)
	}
	n := int64(len(p.List))
	full.Need = max(full.Need, (max(p.Total, n)-held)*(octets/n))
}
