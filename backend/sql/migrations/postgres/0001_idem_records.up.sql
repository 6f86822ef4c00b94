-- +goose Up
-- One row for each record of each guard. Times are milliseconds since 1970 on the database's clock, and a record that never
-- expires has the largest bigint. state: 1 pending, 2 done, 3 unknown. waited: 1 where some process waits for the end of
-- the claim. There is no index but the primary key's.
CREATE TABLE IF NOT EXISTS idem_records (
    id          bytea    NOT NULL PRIMARY KEY,
    token       bytea    NOT NULL,
    fingerprint bytea    NOT NULL,
    state       smallint NOT NULL,
    hold        smallint NOT NULL,
    attempt     integer  NOT NULL,
    since       bigint   NOT NULL,
    lease_until bigint   NOT NULL,
    expires_at  bigint   NOT NULL,
    answer      bytea,
    note        text     NOT NULL,
    guard_name  text,
    user_name   text /* users key */,
    key_text    text,
    waited      smallint NOT NULL DEFAULT 0
);

-- The versions of this schema that were applied, by whatever tool.
CREATE TABLE IF NOT EXISTS idem_records_schema (
    version    integer NOT NULL PRIMARY KEY,
    applied_at bigint  NOT NULL
);

INSERT INTO idem_records_schema (version, applied_at)
VALUES (1, (extract(epoch FROM clock_timestamp()) * 1000)::bigint)
ON CONFLICT (version) DO NOTHING;
