package mutation

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A row is caught where its own test has failed, and by nothing that only looks like it.
func TestTheVerdictIsTheTestsOwn(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		said result
		want string
	}{
		"it failed":                           {result{1, "--- FAIL: TestA (0.00s)\n    --- FAIL: TestA/some_rule (0.00s)\nFAIL\n"}, fail},
		"it failed and ended its process":     {result{2, "    --- FAIL: TestA/some_rule (0.00s)\npanic: deadlock\n"}, fail},
		"it passed":                           {result{0, "--- PASS: TestA (0.00s)\n    --- PASS: TestA/some_rule (0.00s)\nPASS\n"}, pass},
		"it passed beside one that failed":    {result{1, "    --- FAIL: TestA/some_rule_more (0.00s)\n    --- PASS: TestA/some_rule (0.00s)\n"}, pass},
		"it was skipped":                      {result{0, "    --- SKIP: TestA/some_rule (0.00s)\nPASS\n"}, skip},
		"what it belongs to was skipped":      {result{0, "--- SKIP: TestA (0.00s)\nPASS\n"}, skip},
		"what belongs to it was skipped":      {result{0, "    --- PASS: TestA/some_rule (0.00s)\n        --- SKIP: TestA/some_rule/x (0.00s)\n"}, skip},
		"there is no such test":               {result{0, "testing: warning: no tests to run\nPASS\n"}, none},
		"what it belongs to failed before":    {result{1, "--- FAIL: TestA (0.00s)\nFAIL\n"}, none},
		"its process died before it":          {result{2, "panic: nil map\n"}, none},
		"its process hung":                    {result{2, "--- FAIL: TestA/some_rule (9s)\npanic: test timed out after 2m0s\n"}, none},
		"it failed in a process that did not": {result{0, "    --- FAIL: TestA/some_rule (0.00s)\nPASS\n"}, none},
	} {
		require.Equal(t, test.want, test.said.verdict("TestA/some rule"), name)
	}
}

func TestThePatternHasTheNamesOfEachLevel(t *testing.T) {
	t.Parallel()
	require.Equal(t, `^(TestA)$/^(sqlite,_a_pool_of_20|pgx)$/^(T1'_a\.b)$`,
		pattern([]string{"TestA/sqlite, a pool of 20/T1' a.b", "TestA/pgx/T1' a.b"}))
}

// The order of an overlay's files does not matter, but what they hold does: production code with a twin beside it.
func TestAFaultSleepsInATwinOfItsFunction(t *testing.T) {
	t.Parallel()
	src, err := parse("run.go")
	require.NoError(t, err)
	before := src.text
	f := fault{name: "a fault", file: "run.go", right: `r.release()
		return out, r.withCause(answer.Err)`, wrong: `return out, nil`}
	require.NoError(t, src.add(f))
	after := src.faulty()
	require.Contains(t, after, `func (r *run) conclude(answer Answer) (Outcome, error) {if mutation == "a fault" { return r.concludeMutation0(answer) };`)
	require.Contains(t, after, "func (r *run) concludeMutation0(answer Answer) (Outcome, error) {\n")
	require.Greater(t, len(after), len(before))

	for _, outside := range []string{"package idem", "func (r *run) conclude(", "type run struct {", "no such text"} {
		f.right = outside
		require.Error(t, src.add(f), outside)
	}
}
