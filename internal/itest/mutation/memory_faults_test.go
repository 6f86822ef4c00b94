package mutation

// memory is backend/memtest.
var memory = table{module: ".", pkg: "backend/memtest", faults: []fault{
	{
		name:    "memory: no token check on complete",
		file:    "backend/memtest/record.go",
		right:   "	case r.under(backend.Pending, token):\n		r.finish(c, now)",
		wrong:   "	case r != nil && r.state == backend.Pending:\n		r.finish(c, now)",
		foundBy: inMemory("T7 a stale owner's answer is not stored"),
	},
	{
		name:    "memory: no token check on release",
		file:    "backend/memtest/record.go",
		right:   "if !r.under(backend.Pending, token) {\n		return nil, verdict(backend.Lost)\n	}\n	return gone",
		wrong:   "if r == nil || r.state != backend.Pending {\n		return nil, verdict(backend.Lost)\n	}\n	return gone",
		foundBy: inMemory("T8 a release by a stale owner is lost"),
	},
	{
		name:    "memory: no token check on renew",
		file:    "backend/memtest/record.go",
		right:   "if !r.under(backend.Pending, token) {\n		return nil, verdict(backend.Lost)\n	}\n	r.lease",
		wrong:   "if r == nil || r.state != backend.Pending {\n		return nil, verdict(backend.Lost)\n	}\n	r.lease",
		foundBy: inMemory("T4 a renewal by a stale owner is lost"),
	},
	{
		name:    "memory: no token check on hold",
		file:    "backend/memtest/record.go",
		right:   "	case r.under(backend.Pending, token):\n		r.giveUp(note, now)",
		wrong:   "	case r != nil && r.state == backend.Pending:\n		r.giveUp(note, now)",
		foundBy: inMemory("T8' a hold by a stale owner is lost"),
	},
	{
		name:    "memory: the token alone is compared, not the state",
		file:    "backend/memtest/record.go",
		right:   `return r != nil && r.state == state && r.token == token`,
		wrong:   `return r != nil && r.token == token`,
		foundBy: inMemory("T4 a renewal of what is not pending is lost", "T8 a release of what is not pending is lost", "T6 a Complete that is sent again changes nothing"),
	},
	{
		name:    "memory: the state alone is compared, not the token",
		file:    "backend/memtest/record.go",
		right:   `r.state == state && r.token == token`,
		wrong:   `r.state == state`,
		foundBy: inMemory("an old token does not fit a new incarnation", "T2 a takeover locks the old owner out"),
	},
	{
		name:    "memory: a takeover keeps the token",
		file:    "backend/memtest/record.go",
		right:   `r.token, r.hold = c.Token, c.Hold`,
		wrong:   `if r.attempt == 0 { r.token = c.Token }; r.hold = c.Hold`,
		foundBy: inMemory("T2 a takeover locks the old owner out"),
	},
	{
		name:    "memory: no fingerprint check",
		file:    "backend/memtest/record.go",
		right:   `case r.fingerprint != c.Fingerprint:`,
		wrong:   `case false:`,
		foundBy: inMemory("T10 another request is a mismatch before an answer replays", "T2 a takeover needs the same fingerprint"),
	},
	{
		name:    "memory: a stale owner is shown another request's answer",
		file:    "backend/memtest/record.go",
		right:   `case r != nil && r.state == backend.Done && r.fingerprint == c.Fingerprint:`,
		wrong:   `case r != nil && r.state == backend.Done:`,
		foundBy: inMemory("T7 a stale owner is not told another request's answer"),
	},
	{
		name:    "memory: the lease is not compared at a takeover",
		file:    "backend/memtest/record.go",
		right:   `case now < r.leaseEnd:`,
		wrong:   `case false:`,
		foundBy: inMemory("T11 a live lease is not taken over"),
	},
	{
		name:    "memory: a claim that holds is taken over",
		file:    "backend/memtest/record.go",
		right:   `case r.hold || c.Hold:`,
		wrong:   `case false:`,
		foundBy: inMemory("T3 a lapsed claim that holds becomes Unknown"),
	},
	{
		name:    "memory: a claim that is sent again is another's",
		file:    "backend/memtest/record.go",
		right:   `case r.token == c.Token:`,
		wrong:   `case false:`,
		foundBy: inMemory("T1' a Begin that is sent again is claimed again"),
	},
	{
		name:    "memory: a completion that is sent again is lost",
		file:    "backend/memtest/record.go",
		right:   `case r.under(backend.Done, token):`,
		wrong:   `case false:`,
		foundBy: inMemory("T6 a Complete that is sent again is kept again"),
	},
	{
		name:    "memory: an answer never expires",
		file:    "backend/memtest/record.go",
		right:   `return r.expires != never && now >= r.expires`,
		wrong:   `return false`,
		foundBy: inMemory("a done record past its retention is Absent", "an expired record is Absent to its owner"),
	},
	{
		name:    "memory: an operator's reference is not compared",
		file:    "backend/memtest/inspect.go",
		right:   `r.state == backend.Unknown && ref.Matches(r.token)`,
		wrong:   `r.state == backend.Unknown`,
		foundBy: inMemory("T13 Resolve misses a later record", "T13 Free misses a later record"),
	},
	{
		name:    "memory: an operator resolves what is not unknown",
		file:    "backend/memtest/inspect.go",
		right:   `r.state == backend.Unknown && ref.Matches(r.token)`,
		wrong:   `ref.Matches(r.token)`,
		foundBy: inMemory("T13 Resolve of what is not Unknown is lost", "T13 Free of what is not Unknown is lost"),
	},
	{
		name:    "memory: prune without its condition",
		file:    "backend/memtest/prune.go",
		right:   `case r.expired(now):`,
		wrong:   `default:`,
		foundBy: inMemory("T12 pruning leaves what is alive", "T12 pruning never removes an Unknown record"),
	},
	{
		name:    "memory: prune gives up a claim whose lease is live",
		file:    "backend/memtest/prune.go",
		right:   ` && now >= r.leaseEnd`,
		wrong:   ``,
		foundBy: inMemory("T12 pruning leaves what is alive"),
	},
	{
		name:    "memory: prune does not give up what was abandoned",
		file:    "backend/memtest/prune.go",
		right:   `r.giveUp("", now)`,
		wrong:   ``,
		foundBy: inMemory("T12 pruning makes an abandoned claim that holds Unknown"),
	},
	{
		name:    "memory: a claim forgets whether another transaction is on it",
		file:    "backend/memtest/tx.go",
		right:   `locked && row.tx != tx {`,
		wrong:   `locked && row.tx != tx && false {`,
		foundBy: inMemoryTx("a duplicate of a joined transaction is in flight at once"),
	},
	{
		name:    "memory: a transaction commits in spite of run's error",
		file:    "backend/memtest/join.go",
		right:   "if err := run(ctx, tx, txStore{tx}); err != nil {\n		return backend.Grant{}, err",
		wrong:   "if err := run(ctx, tx, txStore{tx}); err != nil {\n		_ = tx.commit(ctx)\n		return backend.Grant{}, err",
		foundBy: inMemoryTx("T14 an error rolls everything back"),
	},
	{
		name:    "memory: settle does not wait",
		file:    "backend/memtest/join.go",
		right:   `locked && row.token == token {`,
		wrong:   `locked && false && row.token == token {`,
		foundBy: inMemoryTx("Settle waits for the transaction's end"),
	},
}}

// inMemory are rules of the suite of stores.
func inMemory(rules ...string) []string { return under("TestStoreKeepsTheContract", rules) }

// inMemoryTx are rules of the suite of transactions.
func inMemoryTx(rules ...string) []string {
	return under("TestStoreKeepsTheContractOfTransactions", rules)
}

func under(test string, rules []string) (all []string) {
	for _, rule := range rules {
		all = append(all, test+"/"+rule)
	}
	return all
}
