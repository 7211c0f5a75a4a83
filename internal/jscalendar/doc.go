// Package jscalendar converts between Cyrus's own Calendar and CalendarEvent
// (https://cyrusimap.org/ns/jmap/calendars, as Cyrus 3.6 answers) and the
// standard's: JSCalendar of RFC 8984 in JMAP's CalendarEvent, and says whether
// an event is one ([Validate]).
//
// Nothing is lost without a word: what the other form has no place for is told
// as a [jsschema.Problem]. All functions are pure; they leave what they are
// given as it is.
//
// Servers speak two dialects of the standard. RFC 8984 is the one that the
// conversions give and take. Its successor (draft-ietf-calext-jscalendarbis),
// which Stalwart 0.15 and 0.16 speak, names three things anew: [ToDraft] and
// [FromDraft] go between them.
//
// What a server sets itself is neither converted nor told: id, blobId,
// debugBlobId, x-href and participantId (who of the participants is asking) of
// Cyrus's, id and the like of the standard's. The ids of calendars are passed
// through as they are.
package jscalendar
