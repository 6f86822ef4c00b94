-- The users. The table of idem's records, which the store creates when the file is opened, has a foreign key to this one
-- (see openStore):
--
--     user_name TEXT REFERENCES "users" ("id") ON DELETE CASCADE
--
-- Deleting a user so deletes his records, and a claim for a user who is not there is refused. That delete would read the
-- whole table of records without the index, since the store itself needs none but the primary key.
CREATE TABLE users (
    id         TEXT NOT NULL PRIMARY KEY,
    created_at TEXT NOT NULL
) STRICT;

CREATE INDEX idem_records_by_user ON idem_records (user_name);
