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
// A record is one hash under one key, the prefix ("idem:" unless [Prefix] says otherwise) and the id in hexadecimal:
// nothing in a key comes from a client, and every script works in a Cluster. HGETALL shows it in words; times are
// milliseconds since 1970 on the server's clock, which takes every decision:
//
//	state        pending, done or unknown
//	token        of the claim, in base64 (RFC 4648, section 5), as is
//	fingerprint  of the request
//	attempt      counts the claims
//	since        when it was claimed, or given up
//	lease        how long the claim is honored, in ms after since
//	hold         1 if a lapsed claim becomes unknown
//	note         what hold or a renewal left
//	answer       what complete left, in bytes
//	retention    how long the answer replays, in ms; PTTL says how long it still does
//	guard, user, key  unless WithoutReadable
//	waited       there if somebody waits for the record
//
// Redis forgets by itself: an answer when its retention is over, a claim that may run again when its lease and then its
// retention are. A claim that holds and an unknown record have no expiry, so that nothing but an operator removes them.
//
// # What is promised, and what is not
//
// Each transition is one script, atomic, in one round trip, sent again where its answer was lost. Redis answers before it
// has written to its disk or to a replica, so a crash or a failover can forget what was acknowledged: a claim, and then
// the same call may run twice; or an answer, and then the call may run again. [MinReplicas] makes that rarer, the
// settings that [Store.Check] names make it rarer too, and nothing makes it impossible. Where that is not enough, keep
// the records in a SQL database.
package redisbackend
