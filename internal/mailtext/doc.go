// Package mailtext reads a message as a person does: its header in words, its
// text, its attachments. It is for looking at mail and for searching it, never for
// moving it: whatever is broken reads as well as it can, and no message is an
// error.
package mailtext
