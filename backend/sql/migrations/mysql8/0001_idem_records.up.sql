-- +goose Up
-- One row for each record of each guard. Times are milliseconds since 1970 on the database's clock, and a record that never
-- expires has the largest integer. state: 1 pending, 2 done, 3 unknown. There is no index but the primary key's. A file is
-- one statement, since not every tool takes two, and says its version in the table's comment, since a schema change cannot
-- be rolled back here.
CREATE TABLE IF NOT EXISTS idem_records (
    id          BINARY(32)    NOT NULL PRIMARY KEY,
    token       VARBINARY(16) NOT NULL,
    fingerprint VARBINARY(33) NOT NULL,
    state       TINYINT       NOT NULL,
    hold        TINYINT       NOT NULL,
    attempt     INT           NOT NULL,
    since       BIGINT        NOT NULL,
    lease_until BIGINT        NOT NULL,
    expires_at  BIGINT        NOT NULL,
    answer      LONGBLOB,
    note        VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin NOT NULL,
    guard_name  VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin,
    user_name   VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin,
    key_text    VARCHAR(255)  CHARACTER SET utf8mb4 COLLATE utf8mb4_0900_bin /* users key */
) ENGINE = InnoDB COMMENT = 'idem schema 1';
