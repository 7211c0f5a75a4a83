// Package account is the data model that the exporter and the importer share.
//
// JMAP is the model: every object is kept as a server gave it ([Object]), with
// the properties nobody here knows included. What mailhaul has to know about a
// data type to move it is a row of one table ([Types]): which capability
// announces it, what to ask for, what it belongs to, which properties name
// blobs, and what may be written when it is restored.
package account
