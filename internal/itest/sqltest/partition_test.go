package sqltest

import (
	"os"
	"strings"
	"testing"

	"github.com/jmoiron/sqlx"
	"github.com/stretchr/testify/require"
)

// guide returns the block of docs/partitioning.md that follows the mark.
func guide(tb testing.TB, mark string) string {
	tb.Helper()
	text, err := os.ReadFile("../../../docs/partitioning.md")
	require.NoError(tb, err)
	_, block, found := strings.Cut(string(text), "<!-- "+mark+" -->\n```")
	require.True(tb, found, mark)
	_, block, _ = strings.Cut(block, "\n")
	block, _, found = strings.Cut(block, "```\n")
	require.True(tb, found, mark)
	return block
}

// partitioned is the same place with the table of the guide, of which it has 3 partitions for 16, in the place of the one
// that Migrate makes.
func partitioned(tb testing.TB, p *place) *place {
	tb.Helper()
	db, _ := p.open(tb)
	all := guide(tb, "hash")
	fewer := strings.NewReplacer("0..15", "0..2", "MODULUS 16", "MODULUS 3").Replace(all)
	require.NotEqual(tb, all, fewer)
	_, err := db.ExecContext(tb.Context(), fewer)
	require.NoError(tb, err)
	require.Equal(tb, 3, p.leaves(tb, db))
	return p
}

func (p *place) leaves(tb testing.TB, db *sqlx.DB) int {
	tb.Helper()
	return p.number(tb, db, `SELECT count(*) FROM pg_partition_tree('{t}') WHERE isleaf`)
}

func TestPruneWalksEveryPartition(t *testing.T) {
	each(t, onPostgres, func(t *testing.T, p *place) {
		for _, step := range []int{1, 100, 10_000} {
			p := partitioned(t, p.via.fresh(t, p.via))
			db, _ := p.open(t)
			p.prunes(t, 200, step, `ANALYZE {t}`)
			require.Equal(t, 3, p.leaves(t, db))
		}
	})
}

func TestAStepReadsNoMoreThanItsBlocksOfEachPartition(t *testing.T) {
	t.Parallel()
	p := partitioned(t, viaPGX.fresh(t, viaPGX))
	db, _ := p.of(1).open(t)
	p.fill(t, db, 2000)
	p.run(t, db, `VACUUM ANALYZE {t}`)
	var plan []string
	require.NoError(t, db.SelectContext(t.Context(), &plan, `EXPLAIN DELETE FROM idem_records
WHERE ctid > coalesce(nullif(encode('\x'::bytea, 'escape'), ''), '(0,0)')::tid AND ctid <= encode('(3,0)'::bytea, 'escape')::tid`))
	require.Equal(t, 3, strings.Count(strings.Join(plan, "\n"), "Tid Range Scan"))
}
