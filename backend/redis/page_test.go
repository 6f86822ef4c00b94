package redisbackend

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/idem-go/idem/backend"
)

// Whatever the order in which records come, and however often, a page has the lowest ones once, in their order.
func TestAPageHasTheLowestIDsInOrder(t *testing.T) {
	t.Parallel()
	var ids []backend.ID
	for range 60 {
		ids = append(ids, backend.ID(slices.Concat(bytes.Repeat([]byte{byte(rand.N(4))}, 1), make([]byte, 30), []byte{byte(rand.N(40))})))
	}
	after := ids[0]
	var want []backend.ID
	for _, id := range ids {
		if below(after, id) {
			want = append(want, id)
		}
	}
	slices.SortFunc(want, func(a, b backend.ID) int { return bytes.Compare(a[:], b[:]) })
	want = slices.Compact(want)
	for _, room := range []int{1, 2, 7, 59, 100} {
		p := page{after: after, room: room}
		for range 3 {
			rand.Shuffle(len(ids), func(i, j int) { ids[i], ids[j] = ids[j], ids[i] })
			for chunk := range slices.Chunk(ids, 13) {
				for _, id := range p.wanted(slices.Clone(chunk)) {
					p.add(backend.Record{Ref: backend.NewRef(id, backend.Token{})})
				}
			}
		}
		var got []backend.ID
		for _, r := range p.records {
			got = append(got, r.Ref.ID())
		}
		require.Equal(t, want[:min(room, len(want))], got)
	}
}
