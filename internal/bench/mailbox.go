package main

import (
	"context"
	"fmt"
	"strings"

	"mailhaul/internal/mailgen"
)

// makeMailboxes makes the mailboxes that messages lie in, and remembers their
// ids by path.
func (w *wire) makeMailboxes(ctx context.Context, mail []mailgen.Message) error {
	if w.mailboxes != nil {
		return nil
	}
	w.mailboxes = map[string]string{}
	var got struct {
		List []struct{ ID, Name, Role, ParentID string }
	}
	if err := w.call(ctx, mailUsing, "Mailbox/get", map[string]any{"ids": nil}, &got); err != nil {
		return err
	}
	for _, m := range got.List {
		if m.Role == "inbox" {
			w.mailboxes[mailgen.Inbox] = m.ID
		} else if m.ParentID == "" {
			w.mailboxes[m.Name] = m.ID
		}
	}
	for _, m := range mail {
		for _, path := range m.Mailboxes {
			if _, err := w.mailboxAt(ctx, path); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *wire) mailboxAt(ctx context.Context, path string) (string, error) {
	if id, ok := w.mailboxes[path]; ok {
		return id, nil
	}
	create := map[string]any{"name": path}
	if i := strings.LastIndexByte(path, '/'); i >= 0 {
		parent, err := w.mailboxAt(ctx, path[:i])
		if err != nil {
			return "", err
		}
		create = map[string]any{"name": path[i+1:], "parentId": parent}
	}
	var made struct {
		Created    map[string]struct{ ID string }
		NotCreated map[string]any
	}
	if err := w.call(ctx, mailUsing, "Mailbox/set", map[string]any{"create": map[string]any{"m": create}}, &made); err != nil {
		return "", err
	}
	if made.Created["m"].ID == "" {
		return "", fmt.Errorf("the mailbox %q could not be made: %v", path, made.NotCreated["m"])
	}
	w.mailboxes[path] = made.Created["m"].ID
	return w.mailboxes[path], nil
}
