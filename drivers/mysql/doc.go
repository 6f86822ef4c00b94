// Package mysql opens a MariaDB database as a store for idem, with the driver github.com/go-sql-driver/mysql. MariaDB
// 10.6 or later is needed. MySQL itself, 8.0.20 or later, is opened only when asked for with [UntestedMySQL]: this
// library's statements for it were tested on MariaDB, not on MySQL.
//
// Import it for its scheme:
//
//	import _ "github.com/idem-go/idem/drivers/mysql"
//
//	h, err := backend.Open(ctx, "mysql://user:password@host:3306/app")
//
// or call [Open], which also returns the database, where the application keeps tables of its own beside and wants
// idem.DoTx. An application that has opened the database itself passes [Dialect] to sqlbackend.New.
package mysql
