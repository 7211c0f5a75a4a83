package archive

import "database/sql"

// schema is the catalog. docs/archive-format.md says what the columns mean; the
// names are part of the format.
const schema = `
CREATE TABLE pack (
  n       INTEGER PRIMARY KEY,
  length  INTEGER NOT NULL,
  crc     INTEGER NOT NULL,
  sealed  INTEGER NOT NULL
);

CREATE TABLE blob (
  hash    BLOB PRIMARY KEY,
  size    INTEGER NOT NULL,
  pack    INTEGER NOT NULL,
  start   INTEGER NOT NULL,
  length  INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX blob_place ON blob (pack, start);

CREATE TABLE snapshot (
  n       INTEGER PRIMARY KEY,
  started TEXT NOT NULL,
  record  TEXT,
  pack    INTEGER,
  start   INTEGER,
  length  INTEGER
);

CREATE TABLE record (
  type        TEXT NOT NULL,
  id          TEXT NOT NULL,
  snapshot    INTEGER NOT NULL,
  until       INTEGER,
  gone        INTEGER NOT NULL,
  blob        BLOB,
  blob_id     TEXT,
  size        INTEGER NOT NULL,
  received    INTEGER NOT NULL,
  match_key   TEXT NOT NULL,
  message_ids TEXT NOT NULL,
  digest      BLOB NOT NULL,
  pack        INTEGER NOT NULL,
  start       INTEGER NOT NULL,
  length      INTEGER NOT NULL,
  PRIMARY KEY (type, id, snapshot)
) WITHOUT ROWID;
CREATE INDEX record_order ON record (type, received, match_key, id);
CREATE INDEX record_blob_id ON record (blob_id) WHERE blob_id IS NOT NULL;
CREATE INDEX record_place ON record (pack, start);

CREATE TABLE seen (
  type    TEXT NOT NULL,
  id      TEXT NOT NULL,
  PRIMARY KEY (type, id)
) WITHOUT ROWID;

CREATE TABLE progress (
  key     TEXT PRIMARY KEY,
  value   TEXT NOT NULL
) WITHOUT ROWID;
` + journalSchema

// journalSchema is the part that can not be built again from the packs.
const journalSchema = `
CREATE TABLE journal (
  n            INTEGER PRIMARY KEY,
  server       TEXT NOT NULL,
  account_id   TEXT NOT NULL,
  account_name TEXT NOT NULL,
  updated      TEXT NOT NULL,
  UNIQUE (server, account_id)
);

CREATE TABLE entry (
  journal        INTEGER NOT NULL,
  type           TEXT NOT NULL,
  source_id      TEXT NOT NULL,
  blob           BLOB,
  state          TEXT NOT NULL,
  target_id      TEXT NOT NULL,
  target_blob_id TEXT NOT NULL,
  applied        TEXT NOT NULL,
  checked        INTEGER NOT NULL,
  reason         TEXT NOT NULL,
  PRIMARY KEY (journal, type, source_id)
) WITHOUT ROWID;
CREATE TABLE note (
  journal INTEGER NOT NULL,
  key     TEXT NOT NULL,
  value   TEXT NOT NULL,
  PRIMARY KEY (journal, key)
) WITHOUT ROWID;

CREATE TABLE listed (
  journal     INTEGER NOT NULL,
  id          TEXT NOT NULL,
  blob_id     TEXT NOT NULL,
  match_key   TEXT NOT NULL,
  message_ids TEXT NOT NULL,
  PRIMARY KEY (journal, id)
) WITHOUT ROWID;
` + entryTarget + `;
` + entryOpen + `;
CREATE INDEX listed_key ON listed (journal, match_key);
`

// The indexes of entry that the first archives have otherwise, see reformIndexes.
const (
	entryTarget = `CREATE INDEX entry_target ON entry (journal, type, target_id, target_blob_id) WHERE state = 'done'`
	entryOpen   = `CREATE INDEX entry_open ON entry (journal, type, source_id, state) WHERE state <> 'done'`
)

// reformIndexes makes the indexes anew that an earlier mailhaul made otherwise.
func reformIndexes(tx *sql.Tx) error {
	for name, text := range map[string]string{"entry_target": entryTarget, "entry_open": entryOpen} {
		var is sql.NullString
		err := tx.QueryRow(`SELECT max(sql) FROM sqlite_schema WHERE type = 'index' AND name = ?`, name).Scan(&is)
		if err != nil || is.String == text {
			if err != nil {
				return err
			}
			continue
		}
		if _, err := tx.Exec(`DROP INDEX IF EXISTS ` + name + `; ` + text); err != nil {
			return err
		}
	}
	return nil
}

// journalTables are the tables of journalSchema.
var journalTables = []string{"journal", "entry", "note", "listed"}
