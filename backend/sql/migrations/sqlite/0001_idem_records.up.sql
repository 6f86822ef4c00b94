-- +goose Up
-- One row for each record of each guard. Times are milliseconds since 1970 on the database's clock, and a record that never
-- expires has the largest integer. state: 1 pending, 2 done, 3 unknown. There is no index but the primary key's.
CREATE TABLE IF NOT EXISTS idem_records (
    id          BLOB    NOT NULL PRIMARY KEY,
    token       BLOB    NOT NULL,
    fingerprint BLOB    NOT NULL,
    state       INTEGER NOT NULL,
    hold        INTEGER NOT NULL,
    attempt     INTEGER NOT NULL,
    since       INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    answer      BLOB,
    note        TEXT    NOT NULL,
    guard_name  TEXT,
    user_name   TEXT /* users key */,
    key_text    TEXT
) STRICT;

-- The versions of this schema that were applied, by whatever tool.
CREATE TABLE IF NOT EXISTS idem_records_schema (
    version    INTEGER NOT NULL PRIMARY KEY,
    applied_at INTEGER NOT NULL
) STRICT;

INSERT INTO idem_records_schema (version, applied_at)
VALUES (1, CAST(unixepoch('subsec') * 1000 + 0.5 AS INTEGER))
ON CONFLICT (version) DO NOTHING;
