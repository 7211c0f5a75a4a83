// Package jsschema holds objects to property tables, such as those that RFC
// 9553 (JSContact) and RFC 8984 (JSCalendar) give.
//
// A [Type] is one table: the properties an object has, the [Form] of each, and
// which must be there. [Check] says what in an object is not as its table has
// it. [Repair] also takes it out: what remains is as the table has it, and each
// thing taken out is told. A server's own idea of an object is a table too, so
// that one walk answers both "does it validate" and "what will that server not
// keep".
package jsschema
