CREATE TABLE payouts (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    market_id  TEXT    NOT NULL,
    amount     INTEGER NOT NULL CHECK (amount > 0),
    created_at TEXT    NOT NULL
) STRICT;

CREATE INDEX payouts_by_user ON payouts (user_id);
