package histories

import (
	"context"

	"github.com/idem-go/idem/backend"
)

// stage is where a plan is played: what the clients of one history have in common.
type stage struct {
	*history
	pause func()          // lets others come first
	await func(calls int) // waits until so many calls have begun
	spawn func(func())    // has something done beside
	pass  func(units int) // has time pass for all records

	// send is how a client's call gets to its store.
	send func(ctx context.Context, client int, s step)
}

// play plays a client's script.
func (st *stage) play(ctx context.Context, client int) {
	for _, s := range st.plan.scripts[client] {
		st.pause()
		if s.kind == advance {
			st.await(s.after)
			st.advance(client, s.input)
			continue
		}
		st.send(ctx, client, s)
	}
}

// advance is that time passes, of each key.
func (st *stage) advance(client int, in input) {
	var all []entry
	for in.key = range st.plan.keys {
		all = append(all, st.ask(client, in))
	}
	st.pass(in.lease)
	for _, e := range all {
		e.told(output{})
	}
}

func (p *plan) ids() (all []backend.ID) {
	for key := range p.keys {
		all = append(all, p.id(key))
	}
	return all
}
