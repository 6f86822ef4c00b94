package main

import (
	"context"
	"embed"
	"fmt"
	"io/fs"

	"github.com/jmoiron/sqlx"
)

// migrations are the business tables, one file a version, applied in the order of their names.
//
//go:embed migrations/*.sql
var migrations embed.FS

// migrate brings the business tables up to date, each file in a transaction of its own. Processes may do so at once: a
// transaction takes the write lock when it begins, so only one of them finds a file that is not applied yet.
//
// SQLite keeps a number for the application in the file's header, PRAGMA user_version: here the files applied so far.
// A real service runs its own tool, such as goose or golang-migrate, which can also run sqlbackend.Migrations.
func migrate(ctx context.Context, db *sqlx.DB) error {
	files, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return err
	}
	for i, file := range files {
		if err := apply(ctx, db, i+1, file); err != nil {
			return fmt.Errorf("migration %s: %w", file, err)
		}
	}
	return nil
}

func apply(ctx context.Context, db *sqlx.DB, version int, file string) error {
	text, err := migrations.ReadFile(file)
	if err != nil {
		return err
	}
	tx, err := db.BeginTxx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after a commit
	var applied int
	if err := tx.GetContext(ctx, &applied, `PRAGMA user_version`); err != nil || applied >= version {
		return err
	}
	if _, err := tx.ExecContext(ctx, string(text)); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, version)); err != nil {
		return err
	}
	return tx.Commit()
}
