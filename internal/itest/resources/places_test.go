package resources

import (
	"fmt"
	"testing"

	"github.com/idem-go/idem/backend"
	"github.com/idem-go/idem/internal/itest/proof"
)

func TestCallsLeaveNothingBehind(t *testing.T) {
	eachPlace(t, func(t *testing.T, store backend.Store) {
		v := newVisitor(t, store)
		soak(t, 5*proof.Times(), 200, func(number int) { v.round(t, number, 200) })
		v.vanish(t)
	})
}

func TestWaitersLeaveNothingBehind(t *testing.T) {
	eachPlace(t, func(t *testing.T, store backend.Store) {
		for round := range 2 * proof.Times() {
			newCrowd(store, fmt.Sprint("round ", round), 500).gather(t)
		}
	})
}
