// Package borrow signs in as a user without the user's password, for what a
// Stalwart server lets nobody else do: which mailboxes a user is subscribed to is
// kept by who asks, so that an administrator reads and sets only its own.
//
// Each version has its own way, and the wrong one overwrites the user's password
// (docs/servers.md). To 0.5–0.8.2 a password is added to the list of those that
// sign in, to 0.8.3–0.15 one of an app, and in 0.16 the administrator acts as the
// user with nothing added. A server of which none of these is known is refused.
//
// What is added is a hash: the password itself is in this process's memory alone.
// The [Ledger] has it before the server does, so that [Borrower.ReturnAll] takes
// it away again after any kill. After each step the account's secrets are read
// back, and those of the user are never touched.
package borrow

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"mailhaul/internal/directory"
	"mailhaul/internal/shacrypt"
	"mailhaul/jmapclient"
)

// Loan is a borrowed sign-in: what was added to which account of which server
// (its origin). The token signs nobody in; it is what has to go again.
type Loan struct{ Account, Server, Token string }

// Ledger remembers loans beyond the process. What Plan has answered is on the disk.
type Ledger interface {
	Plan(l Loan) error
	Done(l Loan) error
	Open(server string) ([]Loan, error) // those that were planned and are not done
}

// Borrower borrows sign-ins of one server's users. It is safe for concurrent use.
type Borrower struct {
	admin  *jmapclient.Client
	ledger Ledger

	mu      sync.Mutex // one change of secrets at a time
	version directory.Version
	lists   bool // secrets are only set as a whole: found out by trying
}

// New is a borrower from the server that admin is signed in to as administrator.
func New(admin *jmapclient.Client, ledger Ledger) *Borrower {
	return &Borrower{admin: admin, ledger: ledger}
}

// appPrefix begins the secret of an app: $app$NAME$ and a password or its hash.
const appPrefix = "$app$mailhaul-"

// For borrows the sign-in of an account. giveBack has to be called whatever
// happens; where it fails ReturnAll may be asked later. Stalwart may go on to
// take what was given back for some minutes, from memory.
func (b *Borrower) For(ctx context.Context, account string) (creds jmapclient.Auth, giveBack func(context.Context) error, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.detect(ctx); err != nil {
		return creds, nil, b.wrap("borrowing the sign-in", account, err)
	}
	if b.version == directory.V016 {
		creds, err = b.admin.As(account)
		return creds, func(context.Context) error { return nil }, b.wrap("borrowing the sign-in", account, err)
	}
	before, err := directory.Secrets(ctx, b.admin, b.version, account)
	if err != nil {
		return creds, nil, b.wrap("borrowing the sign-in", account, err)
	}
	password := rand.Text()
	loan := Loan{Account: account, Server: b.admin.Origin()}
	if loan.Token = shacrypt.New(password); !b.lists {
		loan.Token = appPrefix + strings.ToLower(rand.Text()[:12]) + "$" + loan.Token
	}
	err = b.add(ctx, loan, before)
	if !b.lists && b.version == directory.V07 && jmapclient.KindOf(err) == jmapclient.Unsupported {
		// 0.7 to 0.8.2 have no way to add one, and take a list as a whole; they
		// know no passwords of apps, which would be plain ones there.
		b.lists = true
		loan.Token = loan.Token[strings.Index(loan.Token, shacrypt.Prefix):]
		err = b.add(ctx, loan, before)
		b.lists = err == nil
	}
	if err != nil {
		return creds, nil, b.wrap("borrowing the sign-in", account, err)
	}
	return jmapclient.Auth{Username: account, Password: password}, func(ctx context.Context) error {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.wrap("giving back the sign-in", account, b.takeAway(ctx, loan))
	}, nil
}

// detect finds out once what the server is.
func (b *Borrower) detect(ctx context.Context) (err error) {
	if b.version == "" {
		b.version, err = directory.Detect(ctx, b.admin)
		b.lists = b.version == directory.V05
	}
	return err
}

// add puts the loan's token among the secrets, of which before are the user's.
// When that fails everything is as it was, or the ledger still has the loan.
func (b *Borrower) add(ctx context.Context, l Loan, before []string) error {
	if err := b.ledger.Plan(l); err != nil {
		return err
	}
	var err error
	if b.lists {
		err = b.change(ctx, l, "set", append(slices.Clone(before), l.Token))
	} else {
		err = b.change(ctx, l, "addItem", l.Token)
	}
	after, readErr := directory.Secrets(ctx, b.admin, b.version, l.Account)
	if readErr != nil {
		return errors.Join(err, readErr) // what became of it is for ReturnAll to see
	}
	lost, theirs := differ(before, after, l.Token)
	if err == nil && len(lost) == 0 && slices.Contains(after, l.Token) {
		return nil
	}
	if err == nil && len(lost) > 0 && !theirs {
		// The server did otherwise than its versions do: what was there is put back.
		if err = b.change(ctx, l, "set", before); err == nil {
			after, err = directory.Secrets(ctx, b.admin, b.version, l.Account)
		}
		if lost, _ = differ(before, after, l.Token); err != nil || len(lost) > 0 {
			return errors.Join(fmt.Errorf("the server took one of the user's passwords away, and it could not be put back: set the password of %s anew", l.Account), err)
		}
		err = errors.New("the server replaced the user's password, which was put back: it is of a version that is not known; go on without borrowed sign-ins")
	}
	if err == nil {
		err = errors.New("the server did not keep the second password, or the user's changed in the meantime")
	}
	return errors.Join(err, b.takeAway(ctx, l))
}

// differ says which secrets of before are not in after, and whether there are
// some in after that are neither those nor the token: the user changed them.
func differ(before, after []string, token string) (lost []string, theirs bool) {
	for _, s := range before {
		if !slices.Contains(after, s) {
			lost = append(lost, s)
		}
	}
	for _, s := range after {
		theirs = theirs || s != token && !slices.Contains(before, s)
	}
	return lost, theirs
}

// takeAway removes a loan's token, if it is there, and makes sure of it.
func (b *Borrower) takeAway(ctx context.Context, l Loan) error {
	before, err := directory.Secrets(ctx, b.admin, b.version, l.Account)
	if jmapclient.KindOf(err) == jmapclient.NotFound {
		return b.ledger.Done(l) // gone with its account
	}
	if err != nil {
		return err
	}
	if !slices.Contains(before, l.Token) {
		return b.ledger.Done(l)
	}
	if strings.HasPrefix(l.Token, appPrefix) {
		err = b.change(ctx, l, "removeItem", l.Token)
	} else {
		err = b.change(ctx, l, "set", slices.DeleteFunc(slices.Clone(before), func(s string) bool { return s == l.Token }))
	}
	after, readErr := directory.Secrets(ctx, b.admin, b.version, l.Account)
	if err := errors.Join(err, readErr); err != nil {
		return err
	}
	if slices.Contains(after, l.Token) {
		return errors.New("the server still has the second password")
	}
	before = slices.DeleteFunc(before, func(s string) bool { return s == l.Token })
	if lost, theirs := differ(before, after, l.Token); len(lost) > 0 && !theirs {
		return errors.Join(b.ledger.Done(l), fmt.Errorf("a password of the user's went with it: set the password of %s anew", l.Account))
	}
	return b.ledger.Done(l)
}

func (b *Borrower) change(ctx context.Context, l Loan, action string, value any) error {
	hide := []string{l.Token}
	if list, ok := value.([]string); ok {
		hide = append(hide, list...)
	}
	return directory.ChangeSecrets(ctx, b.admin, b.version, l.Account, action, value, hide)
}

// ReturnAll gives back every sign-in that the ledger has of this server, whoever
// borrowed it. One that fails does not stop the others.
func (b *Borrower) ReturnAll(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	loans, err := b.ledger.Open(b.admin.Origin())
	if err != nil || len(loans) == 0 {
		return err
	}
	if err := b.detect(ctx); err != nil {
		return b.wrap("giving back the sign-ins", loans[0].Account, err)
	}
	var failed []error
	for _, l := range loans {
		failed = append(failed, b.wrap("giving back the sign-in", l.Account, b.takeAway(ctx, l)))
	}
	return errors.Join(failed...)
}

func (b *Borrower) wrap(doing, account string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s of %s at %s: %w", doing, account, b.admin.Origin(), err)
}
