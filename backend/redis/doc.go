// Package redisbackend keeps idem's records in Redis, through a client of go-redis that the application opened: one
// server, one that Sentinel watches over, or a Cluster.
//
//	client := redis.NewClient(&redis.Options{Addr: …, ContextTimeoutEnabled: true})
//	store, err := redisbackend.New(ctx, client)
//	guard, err := idem.New("orders", store)
//
// Or by URL, once this package is imported: backend.Open(ctx, "redis://…"), "rediss://…", "redis+cluster://…",
// "redis+sentinel://…". It is tested on Redis 7.0. An older server has all that it needs from 6.2 on, but cannot store a
// tombstone where its memory is full, and is untested.
//
// # Records
//
// A record is one string under one key, the prefix ("idem:" unless [Prefix] says otherwise) and the id in hexadecimal:
// nothing in a key comes from a client, and every script works in a Cluster. It is text up to its answer, so GET shows it,
// in parts of fixed lengths; numbers are decimal, and the server's clock takes every decision:
//
//	idem1        the format
//	state        p, d or u: pending, done or unknown
//	token        of the claim, 22 characters of base64 (RFC 4648, section 5)
//	fingerprint  of the request, 44 as well
//	hold         1 if a lapsed claim becomes unknown, else 0
//	waited       1 if somebody waits for the record, else 0
//	attempt      counts the claims, 10 digits
//	lease        how long the claim is honored, in ms, 14 digits
//	retention    how long the answer replays, or the claim outlives its lease, in ms, 14 digits
//	since        of a claim that holds when it was made, of an unknown record when it was given up, in ms since 1970;
//	             of another claim its age at its last renewal; 14 digits
//	lengths      of guard, of user, of key, and of all but the answer, 9 digits each
//	guard, user, key  unless WithoutReadable
//	note         what hold or a renewal left
//	answer       what complete left, in bytes
//
// Redis forgets by itself: an answer when its retention is over, a claim that may run again when its lease and then its
// retention are. So PTTL says how old an answer is and what is left of such a lease. A claim that holds and an unknown record
// have no expiry, so that nothing but an operator removes them.
//
// # What is promised, and what is not
//
// Each transition is one script, atomic, in one round trip, sent again where its answer was lost. Redis answers before it
// has written to its disk or to a replica, so a crash or a failover can forget what was acknowledged: a claim, and then
// the same call may run twice; or an answer, and then the call may run again. [MinReplicas] makes that rarer, the
// settings that [Store.Check] names make it rarer too, and nothing makes it impossible. Where that is not enough, keep
// the records in a SQL database.
package redisbackend
