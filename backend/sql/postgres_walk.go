package sqlbackend

import (
	"context"
	"fmt"
)

// firstWithBlockScans is the first server that reads no more of a table than a range of ctid asks for.
const firstWithBlockScans = 140000

// The two ends of a walk's step: places in the table, as "(block,item)", or ids where the server is too old. The place
// travels as bytea, which every way of sending a statement has; nothing stands for the start.
const (
	withinBlocks = `ctid > coalesce(nullif(encode(?::bytea, 'escape'), ''), '(0,0)')::tid AND ctid <= encode(?::bytea, 'escape')::tid`
	withinIDs    = `id > ? AND id <= ?`
)

// blocksOfTable is the size in blocks, and how many rows the last VACUUM or ANALYZE found in each. Of a partitioned table
// a range of places means that range of each partition: so its size is that of the largest, and a block has the rows of
// one block of each.
const blocksOfTable = `SELECT coalesce(max(pg_relation_size(oid)), 0) / current_setting('block_size')::bigint,
coalesce(sum(CASE WHEN relpages > 0 AND reltuples > 0 THEN reltuples::float8 / relpages ELSE ` + rowsInBlock + ` END), 0)
FROM pg_class WHERE relkind <> 'p' AND (oid = '{t}'::regclass OR oid IN (SELECT relid FROM pg_partition_tree('{t}'::regclass)))`

// rowsInBlock is what a block of 8 KiB has where the server does not know better.
const rowsInBlock = "30"

func (e *postgresEngine) span(ctx context.Context, from []byte, rows int) (to []byte, last bool, err error) {
	if e.byID {
		return e.store.spanByID(ctx, from, rows)
	}
	var size int64
	var density float64
	found, err := e.store.pool.query(ctx, e.blocks)
	if err := one(found, err, func(s scanner) error { return s.Scan(&size, &density) }); err != nil {
		return nil, false, err
	}
	var block, item int64
	if len(from) > 0 {
		if _, err := fmt.Sscanf(string(from), "(%d,%d)", &block, &item); err != nil {
			return nil, false, fmt.Errorf("the walk's place: %w", err)
		}
	}
	block += blocksFor(rows, density)
	return fmt.Appendf(nil, "(%d,0)", block), block >= size, nil
}

// blocksFor returns how many blocks have about so many rows. The end of a step is the first place of a block, where no
// row is, so a step is whole blocks.
func blocksFor(rows int, density float64) int64 {
	return max(1, int64(min(float64(rows)/density, float64(rows))))
}
