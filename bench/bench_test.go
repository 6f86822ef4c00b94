package main

import (
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestEveryContestOfSQLiteRuns(t *testing.T) {
	t.Parallel()
	s, err := openSQLite(t.Context(), t.TempDir(), "NORMAL", 4)
	require.NoError(t, err)
	contests, err := s.contests(t.Context())
	require.NoError(t, err)
	var out bytes.Buffer
	p := plan{budget: 20 * time.Millisecond, callers: []int{1, 4}}
	require.NoError(t, p.hold(t.Context(), contests, newReport(&out, p.callers)))
	for _, row := range []string{"SQLite NORMAL: first run", "SQLite NORMAL: replay", "SQLite NORMAL: transaction", "SQLite NORMAL: together, a call | callers | p99", "nothing counts the flushes", "| idem.Do |", "| idem.DoTx |", "| idem's statements by hand |"} {
		require.Contains(t, out.String(), row)
	}
	require.NoError(t, s.close(t.Context()))
}

func TestWhatIsSharedIsCountedForEveryNumberOfCallers(t *testing.T) {
	t.Parallel()
	asked := 0.0
	c := &contest{
		name: "together", shares: true,
		contestants: []contestant{{"bare", func(context.Context) error { asked++; return nil }, func() int64 { return int64(3 * asked) }}},
		counts: func(context.Context) (map[string]float64, error) {
			return map[string]float64{"commits": 2 * asked}, nil
		},
	}
	var out bytes.Buffer
	p := plan{budget: time.Millisecond, callers: []int{1}}
	require.NoError(t, p.hold(t.Context(), []*contest{c}, newReport(&out, p.callers)))
	require.Contains(t, out.String(), "| together, a call | callers | p99, µs | × | round trips | commits |")
	require.Regexp(t, `\| bare \| 1 \| \d+ \| \*\*1.00\*\* \| 3.00 \| 2.00 \|`, out.String())

	c.contestants[0].op = func(context.Context) error { return errors.New("broken") }
	require.ErrorContains(t, c.countTogether(t.Context(), 1, make([]figure, 1)), "together, bare: broken")
}

func TestTheSizeOfATableIsTold(t *testing.T) {
	t.Parallel()
	s, err := openSQLite(t.Context(), t.TempDir(), "NORMAL", 2)
	require.NoError(t, err)
	_, err = s.growth(t.Context(), []int{2000})
	require.NoError(t, err)
	data, index, err := s.size(t.Context(), grown(2000))
	require.NoError(t, err)
	require.InDelta(t, 2000*300, data, 2000*150)
	require.InDelta(t, 2000*45, index, 2000*30)
	require.NoError(t, s.close(t.Context()))
}

func TestATableIsPrunedBesideClaims(t *testing.T) {
	t.Parallel()
	s, err := openSQLite(t.Context(), t.TempDir(), "NORMAL", 8)
	require.NoError(t, err)
	p, err := s.prune(t.Context(), 2000, 50*time.Millisecond)
	require.NoError(t, err)
	require.Equal(t, 2000, p.rows)
	require.Positive(t, p.quiet.claims)
	require.Positive(t, p.batches)
	require.NoError(t, s.close(t.Context()))
}

func TestACallThatFailsEndsItsContest(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	c := &contest{name: "contest", contestants: []contestant{
		{name: "sound", op: func(context.Context) error { return nil }},
		{name: "unsound", op: func(context.Context) error { return broken }},
	}}
	_, err := c.alone(t.Context(), time.Millisecond)
	require.ErrorIs(t, err, broken)
	require.ErrorContains(t, err, "contest, unsound")
	_, err = c.together(t.Context(), 2, time.Millisecond)
	require.ErrorIs(t, err, broken)
	_, err = c.count(t.Context())
	require.ErrorIs(t, err, broken)
}

func TestFiguresAreRatiosToTheFirst(t *testing.T) {
	t.Parallel()
	got := figures([][]float64{{10, 20, 40}, {20, 20, 20}}, [][]float64{{7}, {8}})
	require.Equal(t, figure{perOp: 20, ratio: 1, lowest: 1, most: 1, slow: 7}, got[0])
	require.Equal(t, figure{perOp: 20, ratio: 1, lowest: 0.5, most: 2, slow: 8}, got[1])
}

func TestWrongArgumentsAreRefused(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-callers", "0"}, {"-callers", "1,x"}, {"-unknown"}, {"-rows", "-1"}} {
		_, err := parse(args)
		require.Error(t, err, strings.Join(args, " "))
	}
	p, err := parse([]string{"-short", "-callers", "1,8,32"})
	require.NoError(t, err)
	require.Equal(t, []int{1, 8, 32}, p.callers)
	require.Equal(t, 32, p.conns())
}

func TestAPlotShowsHowLongOthersTakeBesideIdem(t *testing.T) {
	t.Parallel()
	p := plot{callers: 32}
	op := func(context.Context) error { return nil }
	p.add(&contest{name: "a & b: replay", contestants: []contestant{{name: "bare", op: op}, {name: "idem.Do", op: op}, {name: "slow", op: op}}},
		[]figure{{ratio: 1}, {ratio: 1.25}, {ratio: 10}})
	p.add(&contest{name: "none of ours: replay", contestants: []contestant{{name: "bare", op: op}}}, []figure{{ratio: 1}})
	p.add(&contest{name: "transaction", contestants: []contestant{{name: "idem.DoTx", op: op}}}, []figure{{ratio: 1}})
	require.Empty(t, p.columns[0])
	require.Len(t, p.columns[1], 1)
	svg := string(p.svg())
	require.NoError(t, xml.Unmarshal([]byte(svg), new(struct{ XMLName xml.Name })))
	for _, text := range []string{"a &amp; b: replay", ">0.80<", ">1.00<", ">8.00 →<", `class="o"`} {
		require.Contains(t, svg, text)
	}
}

func TestEveryContestInMemoryRuns(t *testing.T) {
	t.Parallel()
	s, err := openMemory()
	require.NoError(t, err)
	contests, err := s.contests(t.Context())
	require.NoError(t, err)
	var out bytes.Buffer
	p := plan{budget: 20 * time.Millisecond, callers: []int{1, 4}}
	require.NoError(t, p.hold(t.Context(), contests, newReport(&out, p.callers)))
	for _, row := range []string{"memory: first run", "memory: replay", "| idem.Do |", "| 64 maps by hand |", "| JSON and SHA-256 alone |"} {
		require.Contains(t, out.String(), row)
	}
}

func TestTheShortRunTakesFewerCallers(t *testing.T) {
	t.Parallel()
	long, err := parse(nil)
	require.NoError(t, err)
	require.Equal(t, []int{1, 8, 32, 128}, long.callers)
	short, err := parse([]string{"-short"})
	require.NoError(t, err)
	require.Equal(t, []int{1, 32}, short.callers)
	require.Less(t, short.budget, long.budget)
}
