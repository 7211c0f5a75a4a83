// Package jscontact converts between Cyrus's own Contact and ContactGroup
// (https://cyrusimap.org/ns/jmap/contacts, as Cyrus 3.6 answers) and the
// standard's ContactCard (RFC 9610, JSContact of RFC 9553), and says whether a
// card is one ([Validate]).
//
// Nothing is lost without a word: what the other form has no place for is told
// as a [jsschema.Problem], with the way to the property in the object that was
// given. All functions are pure; they leave what they are given as it is.
//
// What a server sets itself is neither converted nor told: id, blobId, size,
// x-href and x-hasPhoto of a Contact, id of a ContactCard. On Cyrus a
// contact's id is its uid. The ids of address books and blobs are passed
// through as they are: they mean something on the server they come from, and
// whoever restores puts the target's in their place.
package jscontact
