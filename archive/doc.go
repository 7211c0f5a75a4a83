// Package archive keeps a mail account on disk: every message's bytes, every
// JMAP object as its server gave it, and what each export run found.
//
// An archive is a directory that can be copied, and read without this program:
//
//	mailhaul.json            what it is and whose
//	packs/000001.tar.zst     the truth: blobs, objects, snapshots
//	catalog.db               an index of the packs, and the journals of imports
//
// A pack is a tar file whose members are compressed one by one, each as an
// independent zstd frame: ordinary tools read the whole, one seek reaches any
// message, and appending never rewrites anything. The catalog, a SQLite
// database, says which frame holds what. All of it but the journals can be
// built again from the packs ([Reindex]).
//
// One process writes at a time ([Archive.Begin] gives it a [Run]), while any
// number read. A run appends to the newest pack, and now and then makes durable
// what it has put: it syncs the pack, then commits the catalog rows that point
// into it. What lies in a pack past the last commit is not there for a reader;
// the next run takes up the members that are whole, and cuts off the rest. So
// at any kill each row points at a whole and hashed member, what had arrived
// need not be fetched again, and each snapshot is either finished or resumed.
//
// Blobs are stored once, under their SHA-256. Objects are stored once a change:
// a record holds from the snapshot that wrote it until another record of the
// same type and id, or a mark that the object is gone, takes its place. So each
// finished snapshot can be read as it was, until [Archive.Prune] forgets it: that
// frees what no other needs, by copying what is needed of a pack into a new one,
// frame by frame, and removing the pack.
//
// docs/archive-format.md describes the format completely. Version 1 archives
// will be read by every later mailhaul.
package archive
