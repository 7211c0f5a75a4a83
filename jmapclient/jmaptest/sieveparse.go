package jmaptest

import (
	"fmt"
	"slices"
	"strings"
)

// sieveExtensions are those that are announced; scripts are not run.
var sieveExtensions = []string{"body", "copy", "date", "envelope", "fileinto", "imap4flags", "include", "mailbox",
	"regex", "reject", "relational", "subaddress", "vacation", "variables"}

// sieveCommands are the commands and tests that a script may use.
var sieveCommands = strings.Fields(`require if elsif else stop keep discard redirect fileinto reject ereject
	vacation set addflag setflag removeflag include return global foreverypart break notify addheader deleteheader
	address header envelope size exists not anyof allof true false body date currentdate hasflag mailboxexists
	string duplicate environment ihave error`)

// checkSieve finds the faults of a script's form (RFC 5228 §8) and the commands
// that there are not. It does not check what the commands take.
func checkSieve(script []byte) error {
	p := &sieveParser{text: string(script)}
	if err := p.commands(0); err != nil {
		return err
	}
	return nil
}

type sieveParser struct {
	text string
	pos  int
}

func (p *sieveParser) fail(what string) error {
	return fmt.Errorf("line %d: %s", 1+strings.Count(p.text[:p.pos], "\n"), what)
}

// space skips white space and comments.
func (p *sieveParser) space() {
	for p.pos < len(p.text) {
		rest := p.text[p.pos:]
		switch {
		case strings.ContainsRune(" \t\r\n", rune(rest[0])):
			p.pos++
		case rest[0] == '#':
			p.pos += len(rest[:lineEnd(rest)])
		case strings.HasPrefix(rest, "/*"):
			_, after, ok := strings.Cut(rest[2:], "*/")
			if !ok {
				after = ""
			}
			p.pos = len(p.text) - len(after)
		default:
			return
		}
	}
}

func lineEnd(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// commands reads commands up to the end or, inside a block, its brace.
func (p *sieveParser) commands(depth int) error {
	if depth > 32 {
		return p.fail("the blocks are nested too deep")
	}
	for {
		p.space()
		switch {
		case p.pos == len(p.text) && depth == 0:
			return nil
		case p.pos == len(p.text):
			return p.fail("a block has no end")
		case p.text[p.pos] == '}' && depth > 0:
			p.pos++
			return nil
		}
		if err := p.command(depth); err != nil {
			return err
		}
	}
}

// command reads a name, its arguments and tests, and what ends it.
func (p *sieveParser) command(depth int) error {
	name := p.word()
	if name == "" {
		return p.fail("a command is expected")
	}
	if !slices.Contains(sieveCommands, strings.ToLower(name)) {
		return p.fail("there is no command " + name)
	}
	for {
		p.space()
		if p.pos == len(p.text) {
			return p.fail("the command " + name + " has no end")
		}
		switch c := p.text[p.pos]; {
		case c == ';':
			p.pos++
			return nil
		case c == '{':
			p.pos++
			return p.commands(depth + 1)
		case c == '"':
			if err := p.quoted(); err != nil {
				return err
			}
		case strings.ContainsRune("()[],:", rune(c)) || c >= '0' && c <= '9':
			p.pos++
		default:
			if err := p.argument(); err != nil {
				return err
			}
		}
	}
}

// argument reads a word: a tag's name, a number's unit, a test, or text: with its lines.
func (p *sieveParser) argument() error {
	tag := p.pos > 0 && strings.ContainsRune(":0123456789", rune(p.text[p.pos-1]))
	w := p.word()
	switch {
	case w == "":
		return p.fail("there is " + p.text[p.pos:p.pos+1] + " where nothing of the kind can be")
	case tag:
		return nil
	case w == "text" && strings.HasPrefix(p.text[p.pos:], ":"):
		return p.multiline()
	case !slices.Contains(sieveCommands, strings.ToLower(w)):
		return p.fail("there is no test " + w)
	}
	return nil
}

func (p *sieveParser) word() string {
	start := p.pos
	for p.pos < len(p.text) {
		c := p.text[p.pos] | 0x20
		if !(c >= 'a' && c <= 'z' || p.text[p.pos] == '_' || p.pos > start && c >= '0' && c <= '9') {
			break
		}
		p.pos++
	}
	return p.text[start:p.pos]
}

func (p *sieveParser) quoted() error {
	for p.pos++; p.pos < len(p.text); p.pos++ {
		switch p.text[p.pos] {
		case '\\':
			p.pos++
		case '"':
			p.pos++
			return nil
		}
	}
	p.pos = len(p.text)
	return p.fail("a string has no end")
}

// multiline reads a text: block, which a line with a dot alone ends.
func (p *sieveParser) multiline() error {
	rest := strings.ReplaceAll(p.text[p.pos:], "\r\n", "\n")
	if i := strings.Index(rest, "\n.\n"); i >= 0 {
		p.text, p.pos = p.text[:p.pos]+rest, p.pos+i+3
		return nil
	}
	return p.fail("a text: has no end")
}
