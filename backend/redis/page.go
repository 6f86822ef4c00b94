package redisbackend

import (
	"bytes"
	"slices"

	"github.com/idem-go/idem/backend"
)

// page collects the records with the lowest ids above a place, out of all that come in any order and perhaps twice.
type page struct {
	after   backend.ID
	room    int
	records []backend.Record // in the order of their ids
}

// wanted returns those of ids whose records could be on the page.
func (p *page) wanted(ids []backend.ID) []backend.ID {
	return slices.DeleteFunc(ids, func(id backend.ID) bool {
		return bytes.Compare(id[:], p.after[:]) <= 0 || p.full() && !below(id, p.last())
	})
}

func (p *page) add(r backend.Record) {
	at, twice := slices.BinarySearchFunc(p.records, r.Ref.ID(), func(r backend.Record, id backend.ID) int {
		has := r.Ref.ID()
		return bytes.Compare(has[:], id[:])
	})
	if twice || at == p.room {
		return
	}
	if p.full() {
		p.records = p.records[:p.room-1]
	}
	p.records = slices.Insert(p.records, at, r)
}

func (p *page) full() bool { return len(p.records) == p.room }

func (p *page) last() backend.ID { return p.records[len(p.records)-1].Ref.ID() }

func below(a, b backend.ID) bool { return bytes.Compare(a[:], b[:]) < 0 }
