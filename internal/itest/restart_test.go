package itest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem"
)

func TestAnAnswerOutlivesAllProcesses(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		st := newStorage(t, sys)
		for _, guarantee := range sys.guarantees() {
			o := order{Call: 1, Guarantee: guarantee, Key: "key"}
			first := st.start(t)
			first.send(o)
			stored := first.outcome(1)
			require.Equal(t, idem.CodeNone, stored.Code, stored.Err)
			require.False(t, stored.Replayed)
			first.end()

			second := st.start(t)
			second.send(o)
			again := second.outcome(1)
			second.end()
			require.Equal(t, idem.CodeNone, again.Code, again.Err)
			require.True(t, again.Replayed)
			require.Equal(t, stored.Told, again.Told)
			require.Empty(t, again.Own)
			// The guards have one name: their records would be one if their keys were.
			require.NoError(t, st.forget(t, guarantee, "key"))
		}
	})
}

// forget removes a record, in a process of its own: this one.
func (st storage) forget(t *testing.T, guarantee idem.Guarantee, key idem.Key) error {
	t.Helper()
	w := st.worker(t)
	if err := w.guards[guarantee].Forget(t.Context(), key, owner); err != nil {
		return err
	}
	return w.close()
}

func TestTenProcessesMayOpenANewStorageAtOnce(t *testing.T) {
	t.Parallel()
	eachSystem(t, func(t *testing.T, sys system) {
		var crowd []*process
		for range 10 {
			crowd = append(crowd, start(t))
		}
		var st storage
		for range rounds(0, 10) {
			st = storage{sys: sys, url: sys.fresh(t), lease: lease}
			for _, p := range crowd {
				p.open(st)
			}
			for _, p := range crowd {
				p.hear(func(r report) bool { return r.Opened })
			}
		}
		w := st.worker(t)
		require.NoError(t, w.site.prepare(t.Context()))
		for _, p := range crowd {
			p.send(order{Call: 1, Key: "key", Wait: patience})
		}
		var told []string
		for _, p := range crowd {
			told = append(told, p.outcome(1).Told)
			p.end()
		}
		requireOneAnswer(t, told)
		require.NotContains(t, told, "", "a process has no answer")
		require.Len(t, w.effectsOf(t, call{key: "key"}), 1)
	})
}
