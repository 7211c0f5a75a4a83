package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
)

// What a command says of itself is read in a terminal of 80 columns; lines that
// begin with blanks are commands to copy, which may be longer.
func TestHelpFitsInto80Columns(t *testing.T) {
	var walk func(c *cobra.Command)
	walk = func(c *cobra.Command) {
		for line := range strings.Lines(c.Long) {
			line = strings.TrimSuffix(line, "\n")
			if n := utf8.RuneCountInString(line); n > 80 && !strings.HasPrefix(line, "  ") || strings.HasPrefix(line, "<<<<") || strings.HasPrefix(line, "====") {
				t.Errorf("%s, %d columns: %s", c.CommandPath(), n, line)
			}
		}
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk((&app{}).root())
}
