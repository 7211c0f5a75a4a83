package directory

import (
	"context"
	"fmt"
	"slices"

	"mailhaul/internal/shacrypt"
	"mailhaul/jmapclient"
)

// server makes accounts by one of the two kinds of API.
type server interface {
	read(ctx context.Context) (*Directory, error)
	account(ctx context.Context, name string) (*Account, error) // nil for none
	createDomain(ctx context.Context, name string) error
	create(ctx context.Context, a Account) error
	add(ctx context.Context, lacking Account) error
}

func serverOf(c *jmapclient.Client, v Version) server {
	if v == V016 {
		return &objects{c: c}
	}
	return &principals{c, v}
}

// Read reads what a server knows of its accounts, signed in as an administrator.
func Read(ctx context.Context, c *jmapclient.Client) (*Directory, error) {
	v, err := Detect(ctx, c)
	if err != nil {
		return nil, err
	}
	d, err := serverOf(c, v).read(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the accounts of %s: %w", c.Origin(), err)
	}
	d.ReadAs = c.Login()
	return d, nil
}

// Event tells of a step that was done or failed.
type Event struct {
	Step  Step
	N, Of int // the number of the step, from 1, and of all
	Err   error
}

// Failure is a step that failed.
type Failure struct {
	Step Step
	Err  error
}

// Outcome is what became of a plan.
type Outcome struct {
	Created, Changed int
	Failed           []Failure
}

// Apply carries the plan out, step by step. A step that fails does not stop the
// others; the error is of what stops all: the server is gone, or refuses the
// administrator, or the context ended. events, if it is not nil, is told of each
// step. After an error or a kill the same is done again from Read on.
func (p *Plan) Apply(ctx context.Context, c *jmapclient.Client, events func(Event)) (*Outcome, error) {
	out := &Outcome{}
	if len(p.Steps) == 0 {
		return out, nil
	}
	v, err := Detect(ctx, c)
	if err != nil {
		return out, err
	}
	if v != p.Target {
		return out, fmt.Errorf("making accounts on %s: the plan is for %s, and this is %s; compare again", c.Origin(), p.Target.Title(), v.Title())
	}
	s := serverOf(c, v)
	for i, step := range p.Steps {
		err := carryOut(ctx, s, v, step)
		if events != nil {
			events(Event{step, i + 1, len(p.Steps), err})
		}
		switch {
		case err == nil && step.Do == Create:
			out.Created++
		case err == nil:
			out.Changed++
		case stopsAll(err):
			return out, fmt.Errorf("making %s %s on %s: %w", step.What, step.Name, c.Origin(), err)
		default:
			out.Failed = append(out.Failed, Failure{step, err})
		}
	}
	return out, nil
}

func stopsAll(err error) bool {
	return slices.Contains([]jmapclient.Kind{jmapclient.Unauthorized, jmapclient.Forbidden, jmapclient.Unreachable, jmapclient.Cancelled}, jmapclient.KindOf(err))
}

// mostTries is how often a create is sent whose outcome is not known, and which
// turned out not to have been carried out.
const mostTries = 3

func carryOut(ctx context.Context, s server, v Version, step Step) error {
	if step.Do == Change {
		return s.add(ctx, step.account)
	}
	a := step.account
	if v == V016 { // it refuses passwords that are short or plain, and takes their hashes
		a.Secrets = slices.Clone(a.Secrets)
		for i, secret := range a.Secrets {
			if !isHash(secret) {
				a.Secrets[i] = shacrypt.New(secret)
			}
		}
	}
	var err error
	for range mostTries {
		if step.What == "domain" {
			err = s.createDomain(ctx, step.Name)
		} else {
			err = s.create(ctx, a)
		}
		if err == nil || exists(err) && step.What == "domain" {
			return nil
		}
		unknown := jmapclient.KindOf(err) == jmapclient.Unknown
		if !unknown && !exists(err) {
			return err
		}
		if step.What == "domain" {
			continue // the next answer tells
		}
		there, lookErr := s.account(ctx, step.Name)
		switch {
		case lookErr != nil:
			return lookErr
		case there == nil && !unknown:
			return err // what exists is another's address
		case there != nil && (there.Kind == a.Kind || there.Kind.user() && a.Kind.user()):
			if with := lacking(a, *there); len(with.Emails)+len(with.MemberOf)+len(with.Members) > 0 {
				return s.add(ctx, with)
			}
			return nil
		case there != nil:
			return err
		}
	}
	return err
}
