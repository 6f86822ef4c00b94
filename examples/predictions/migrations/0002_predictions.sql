CREATE TABLE predictions (
    id         TEXT    NOT NULL PRIMARY KEY,
    user_id    TEXT    NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    market_id  TEXT    NOT NULL,
    outcome    TEXT    NOT NULL CHECK (outcome IN ('yes', 'no')),
    stake      INTEGER NOT NULL CHECK (stake > 0),
    created_at TEXT    NOT NULL
) STRICT;

CREATE INDEX predictions_by_user ON predictions (user_id);
