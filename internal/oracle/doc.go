// Package oracle holds what this project says of HTTP against programs that others wrote for the same text: the parser of
// structured fields against httpsfv, and the OpenAPI fragment against a validator of OpenAPI. It is a module of its own,
// never released, so that nobody who uses idem meets them.
package oracle
