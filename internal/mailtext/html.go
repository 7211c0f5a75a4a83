package mailtext

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// Elements whose content is not read, and those that stand on lines of their own.
var (
	unread = map[atom.Atom]bool{atom.Script: true, atom.Style: true, atom.Title: true, atom.Template: true}
	blocks = map[atom.Atom]bool{atom.P: true, atom.Div: true, atom.Br: true, atom.Tr: true, atom.Table: true, atom.Ul: true, atom.Ol: true,
		atom.Li: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true, atom.H6: true, atom.Blockquote: true,
		atom.Pre: true, atom.Hr: true, atom.Section: true, atom.Article: true, atom.Header: true, atom.Footer: true}
)

// htmlText is the words of an HTML document, a line for each block.
func htmlText(doc string) string {
	var lines []string
	var line strings.Builder
	flush := func() {
		if text := strings.Join(strings.Fields(line.String()), " "); text != "" {
			lines = append(lines, text)
		}
		line.Reset()
	}
	z := html.NewTokenizer(strings.NewReader(doc))
	skipped := 0
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			flush()
			return strings.Join(lines, "\n")
		case html.TextToken:
			if skipped == 0 {
				line.Write(z.Text())
			}
		case html.StartTagToken, html.EndTagToken, html.SelfClosingTagToken:
			name, _ := z.TagName()
			tag := atom.Lookup(name)
			switch {
			case unread[tag] && kind == html.StartTagToken:
				skipped++
			case unread[tag] && kind == html.EndTagToken:
				skipped = max(0, skipped-1)
			case blocks[tag]:
				flush()
			case tag == atom.Td || tag == atom.Th:
				line.WriteByte(' ')
			}
		}
	}
}
