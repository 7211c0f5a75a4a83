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
