package sqltest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
	sqlbackend "github.com/idem-go/idem/backend/sql"
)

// What a statement finds may not be what was looked at a moment before: it must decide by itself.
func TestARecordThatChangesBetweenTheLookAndTheWrite(t *testing.T) {
	t.Parallel()
	lapsed := func(c backend.Claim) backend.Claim {
		c.Lease = 0
		return c
	}
	for name, test := range map[string]struct {
		first     func(backend.Claim) backend.Claim                               // nil: there is no record
		hold      bool                                                            // of the claim that looks
		meanwhile func(t *testing.T, s backend.Store, owner, rival backend.Claim) // nil: the record expires
		want      backend.Grant
	}{
		"T1 somebody else claimed": {
			meanwhile: func(t *testing.T, s backend.Store, _, rival backend.Claim) { begins(t, s, rival, backend.Claimed) },
			want:      backend.Grant{Verdict: backend.InFlight},
		},
		"T1 another request was claimed": {
			meanwhile: func(t *testing.T, s backend.Store, _, rival backend.Claim) {
				begins(t, s, otherRequest(rival), backend.Claimed)
			},
			want: backend.Grant{Verdict: backend.Mismatch},
		},
		"T2 its owner renewed": {
			first: lapsed,
			meanwhile: func(t *testing.T, s backend.Store, owner, _ backend.Claim) {
				g, err := s.Renew(t.Context(), owner.ID, owner.Token, backend.Renewal{Lease: time.Minute})
				require.NoError(t, err)
				require.Equal(t, backend.Kept, g.Verdict)
			},
			want: backend.Grant{Verdict: backend.InFlight},
		},
		"T2 its owner completed": {
			first:     lapsed,
			meanwhile: func(t *testing.T, s backend.Store, owner, _ backend.Claim) { completes(t, s, owner, "answer") },
			want:      backend.Grant{Verdict: backend.Replay, Attempt: 1, Answer: []byte("answer")},
		},
		"T2 its owner released": {
			first: lapsed,
			meanwhile: func(t *testing.T, s backend.Store, owner, _ backend.Claim) {
				_, err := s.Release(t.Context(), owner.ID, owner.Token)
				require.NoError(t, err)
			},
			want: backend.Grant{Verdict: backend.Claimed, Attempt: 1},
		},
		"T2 it was taken over and has lapsed again": {
			first: lapsed,
			meanwhile: func(t *testing.T, s backend.Store, _, rival backend.Claim) {
				begins(t, s, lapsed(rival), backend.Claimed)
			},
			want: backend.Grant{Verdict: backend.Claimed, Attempt: 3},
		},
		"T2 it expired": {first: lapsed, want: backend.Grant{Verdict: backend.Claimed, Attempt: 1}},
		"T3 it expired": {first: lapsed, hold: true, want: backend.Grant{Verdict: backend.Claimed, Attempt: 1}},
		"T3 its owner renewed": {
			first: lapsed,
			hold:  true,
			meanwhile: func(t *testing.T, s backend.Store, owner, _ backend.Claim) {
				_, err := s.Renew(t.Context(), owner.ID, owner.Token, backend.Renewal{Lease: time.Minute})
				require.NoError(t, err)
			},
			want: backend.Grant{Verdict: backend.InFlight},
		},
		"T3 its owner completed": {
			first:     lapsed,
			hold:      true,
			meanwhile: func(t *testing.T, s backend.Store, owner, _ backend.Claim) { completes(t, s, owner, "answer") },
			want:      backend.Grant{Verdict: backend.Replay, Attempt: 1, Answer: []byte("answer")},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			file := newFile(t)
			db, other := openFile(t, file)
			_, store, tap := openTapped(t, file)
			owner := claimOf("key")
			rival, own := again(owner), again(owner)
			own.Hold = test.hold
			if test.first != nil {
				begins(t, other, test.first(owner), backend.Claimed)
			}
			meanwhile := func() {
				if test.meanwhile != nil {
					test.meanwhile(t, other, owner, rival)
					return
				}
				_, err := db.ExecContext(t.Context(), `UPDATE `+defaultTable+` SET expires_at = 1`)
				require.NoError(t, err)
			}
			tap.exec.Store(&meanwhile)
			g, err := store.Begin(t.Context(), own)
			require.NoError(t, err)
			require.Nil(t, tap.exec.Load(), "nothing was written")
			g.Age, g.LeaseLeft, g.RetentionLeft = 0, 0, 0 // they have tests of their own
			require.Equal(t, test.want, g)
		})
	}
}

func TestAHeldRecordThatChangesBeforeItIsResolved(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, other := openFile(t, file)
	_, store, tap := openTapped(t, file)
	for name, act := range map[string]func(backend.Ref) (backend.Grant, error){
		"Resolve": func(ref backend.Ref) (backend.Grant, error) {
			return store.Resolve(t.Context(), ref, backend.Completion{Answer: []byte("late"), Retention: time.Hour})
		},
		"Free": func(ref backend.Ref) (backend.Grant, error) { return store.Free(t.Context(), ref) },
	} {
		held, later := claimOf(name), again(claimOf(name))
		begins(t, other, held, backend.Claimed)
		_, err := other.Hold(t.Context(), held.ID, held.Token, "")
		require.NoError(t, err)
		ref := backend.NewRef(held.ID, held.Token)
		meanwhile := func() { // another operator was faster, and a client came back and was held too
			g, err := other.Free(t.Context(), ref)
			require.NoError(t, err)
			require.Equal(t, backend.Kept, g.Verdict)
			begins(t, other, later, backend.Claimed)
			_, err = other.Hold(t.Context(), later.ID, later.Token, "")
			require.NoError(t, err)
		}
		tap.exec.Store(&meanwhile)
		g, err := act(ref)
		require.NoError(t, err)
		require.Equal(t, backend.Lost, g.Verdict, name)
		begins(t, store, again(held), backend.Held)
	}
}

// Two operators were shown the same record. The first one's answer may have been replayed already.
func TestAHeldRecordThatIsResolvedMeanwhileKeepsItsAnswer(t *testing.T) {
	t.Parallel()
	file := newFile(t)
	_, other := openFile(t, file)
	_, store, tap := openTapped(t, file)
	resolve := func(s *sqlbackend.Store, ref backend.Ref, answer string) (backend.Grant, error) {
		return s.Resolve(t.Context(), ref, backend.Completion{Answer: []byte(answer), Retention: time.Hour})
	}
	for name, act := range map[string]func(backend.Ref) (backend.Grant, error){
		"Resolve": func(ref backend.Ref) (backend.Grant, error) { return resolve(store, ref, "late") },
		"Free":    func(ref backend.Ref) (backend.Grant, error) { return store.Free(t.Context(), ref) },
	} {
		held := claimOf(name)
		begins(t, other, held, backend.Claimed)
		_, err := other.Hold(t.Context(), held.ID, held.Token, "")
		require.NoError(t, err)
		ref := backend.NewRef(held.ID, held.Token)
		meanwhile := func() {
			g, err := resolve(other, ref, "first")
			require.NoError(t, err)
			require.Equal(t, backend.Kept, g.Verdict)
		}
		tap.exec.Store(&meanwhile)
		g, err := act(ref)
		require.NoError(t, err)
		require.Equal(t, backend.Lost, g.Verdict, name)
		require.Equal(t, "first", string(begins(t, store, again(held), backend.Replay).Answer), name)
	}
}
