// Package sqlite opens a SQLite file as a store for idem, with the driver modernc.org/sqlite, which needs no cgo.
//
// Import it for its scheme:
//
//	import _ "github.com/idem-go/idem/drivers/sqlite"
//
//	h, err := backend.Open(ctx, "sqlite:app.db")
//
// or call [Open], which also returns the database, where the application keeps tables of its own in the same file and
// wants idem.DoTx. An application that has opened the file itself passes [Dialect] to sqlbackend.New.
package sqlite
