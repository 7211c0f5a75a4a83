// Package search finds words in the messages of an archive.
//
// The words lie in search.db beside the catalog, SQLite's FTS5 without the texts
// themselves. It is made when first asked for, brought up to date by what later snapshots
// hold, and may be deleted at any time: it is made of the messages alone.
package search
