package main

import (
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/spf13/cobra"
)

// helpWidth is the width that help is wrapped to.
const helpWidth = 80

// usageTemplate is what --help shows below a command's description: every
// command there is to give, not the groups they are in, and the flags.
const usageTemplate = `{{if commands .}}Commands:
{{range commands .}}  {{.}}
{{end}}{{else}}Usage:
  {{.UseLine}}
{{end}}{{if and .HasAvailableLocalFlags .HasParent}}
Flags:
{{flags .LocalFlags}}{{end}}{{if .HasAvailableInheritedFlags}}
Flags of every command, before it or after it:
{{flags .InheritedFlags}}{{else}}
Flags of every command, before it or after it:
{{flags .LocalFlags}}{{end}}`

func setHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("commands", commandLines)
	cobra.AddTemplateFunc("flags", func(f interface{ FlagUsagesWrapped(int) string }) string { return f.FlagUsagesWrapped(helpWidth) })
	root.SetUsageTemplate(usageTemplate)
	wrapLong(root)
}

// wrapLong breaks the descriptions of cmd and of all below it for the terminal.
func wrapLong(cmd *cobra.Command) {
	cmd.Long = wrapped(cmd.Long)
	for _, c := range cmd.Commands() {
		wrapLong(c)
	}
}

// wrapped breaks paragraphs at helpWidth; what has lines that begin with blanks
// stays as it is.
func wrapped(text string) string {
	paragraphs := strings.Split(text, "\n\n")
	for i, p := range paragraphs {
		if strings.HasPrefix(p, " ") || strings.Contains(p, "\n ") {
			continue
		}
		var b strings.Builder
		column := 0
		for _, word := range strings.Fields(p) {
			width := runewidth.StringWidth(word)
			switch {
			case column == 0:
			case column+1+width > helpWidth:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += width
		}
		paragraphs[i] = b.String()
	}
	return strings.Join(paragraphs, "\n\n")
}

// commandLines are the commands below cmd, one a line.
func commandLines(cmd *cobra.Command) []string {
	var leaves []*cobra.Command
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		for _, sub := range c.Commands() {
			switch {
			case !sub.IsAvailableCommand() || sub.Name() == "help":
			case sub.HasAvailableSubCommands():
				walk(sub)
			default:
				leaves = append(leaves, sub)
			}
		}
	}
	walk(cmd)
	widest := 0
	for _, c := range leaves {
		widest = max(widest, runewidth.StringWidth(c.UseLine()))
	}
	var lines []string
	for _, c := range leaves {
		lines = append(lines, runewidth.FillRight(strings.TrimPrefix(c.UseLine(), "mailhaul "), widest-len("mailhaul "))+"  "+c.Short)
	}
	return lines
}

// name is a command as it is typed, without the program's name.
func name(cmd *cobra.Command) string { return strings.TrimPrefix(cmd.CommandPath(), "mailhaul ") }
