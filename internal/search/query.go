package search

import (
	"errors"
	"fmt"
	"strings"
)

// fields are the words before a colon and the columns that they mean.
var fields = map[string]string{
	"subject": "subject", "from": "people", "to": "people", "cc": "people", "people": "people", "body": "body", "text": "body", "file": "files", "files": "files",
}

// Match writes a query in FTS5's language. A message has to hold all words of
// the query; "two words" in quotes stand side by side, a word* may go on, a -word must not be
// there, and subject:word, from:word, body:word, file:word look at that alone. No case, no
// accents.
func Match(query string) (string, error) {
	query = strings.ReplaceAll(query, "\x00", " ") // would end SQLite's string
	var wanted, unwanted []string
	for rest := strings.TrimSpace(query); rest != ""; rest = strings.TrimSpace(rest) {
		term := ""
		var not bool
		if not = strings.HasPrefix(rest, "-"); not {
			rest = rest[1:]
		}
		column := ""
		if name, after, ok := strings.Cut(rest, ":"); ok && fields[strings.ToLower(name)] != "" {
			column, rest = fields[strings.ToLower(name)]+" : ", after
		}
		if strings.HasPrefix(rest, `"`) {
			end := strings.IndexByte(rest[1:], '"')
			if end < 0 {
				return "", fmt.Errorf("the quotation mark before %q has no other to it", rest[1:])
			}
			term, rest = rest[1:1+end], rest[2+end:]
		} else {
			end := strings.IndexAny(rest, " \t\n")
			if end < 0 {
				end = len(rest)
			}
			term, rest = rest[:end], rest[end:]
		}
		star := ""
		if strings.HasSuffix(term, "*") {
			term, star = strings.TrimRight(term, "*"), "*"
		} else if strings.HasPrefix(rest, "*") {
			star, rest = "*", rest[1:]
		}
		if term == "" {
			return "", fmt.Errorf("a word is missing in %q", query)
		}
		text := column + `"` + strings.ReplaceAll(term, `"`, `""`) + `"` + star
		if not {
			unwanted = append(unwanted, text)
		} else {
			wanted = append(wanted, text)
		}
	}
	if len(wanted) == 0 {
		return "", errors.New("a search needs a word that is to be found")
	}
	match := strings.Join(wanted, " AND ")
	for _, text := range unwanted {
		match = "(" + match + ") NOT " + text
	}
	return match, nil
}
