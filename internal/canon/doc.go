// Package canon finds the bytes that stand for a request in its fingerprint: two requests that mean the same have the
// same bytes, and two that do not have different ones.
//
// [Typed] is for a Go value and follows encoding/json, so that what it sees is what a reader of the type expects. What
// encoding/json leaves out without a word (unexported fields, json:"-", the fields beside a promoted MarshalJSON) is
// refused: two amounts that nobody looks at are one fingerprint, and the second payment would get the answer of the
// first. A field is left out by saying so: `idem:"-"`.
//
// [JSON] is for a body as it came over the wire and compares by meaning, with every number kept as it was written.
//
// Nothing here puts a value of a request into an error.
package canon
