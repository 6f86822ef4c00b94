/* The record and its transitions. Each inline is one atomic statement of a store: callers put it into a d_step. */

mtype = { ABSENT, PENDING, DONE, UNKNOWN };
mtype = { CLAIMED, REPLAY, MISMATCH, INFLIGHT, HELD, KEPT, LOST };

mtype state = ABSENT;
byte  owner;  /* the token of the claim; DONE and UNKNOWN keep it */
bit   fp;     /* the fingerprint */
byte  answer; /* whose answer is stored */
bool  live;   /* the lease is not over */

/* What no store knows: the history that the invariants are about. */
bit  fp0;     /* the fingerprint that this incarnation began with */
byte first;   /* the first answer that this incarnation got */
byte ran;     /* calls whose fn started, a bit each */
byte here;    /* Hold: calls that claimed since the record was last given up for good, a bit each */
byte effects; /* Hold: of those calls, counted to 2 */

/* The counter that some use for a token: it counts takeovers and restarts with the record. */
#if defined(COUNTER_FENCE) || defined(COUNTER_REF)
byte attempt;
#define ATTEMPT       attempt
#define FIRST_ATTEMPT attempt = 1
#define NEXT_ATTEMPT  attempt++
#define ROOM          (attempt < CALLS) /* keeps the search finite */
#else
#define ATTEMPT       0
#define FIRST_ATTEMPT skip
#define NEXT_ATTEMPT  skip
#define ROOM          true
#endif

/* The fence: what the WHERE of a write compares. `known` is the attempt that the owner was told. */
#if defined(STATE_FENCE)
#define FENCE(me, known) (state == PENDING)
#elif defined(COUNTER_FENCE)
#define FENCE(me, known) (state == PENDING && attempt == known)
#else
#define FENCE(me, known) (state == PENDING && owner == me)
#endif
#ifdef UNFENCED
#define COMPLETE_FENCE(me, known) true
#else
#define COMPLETE_FENCE(me, known) FENCE(me, known)
#endif
#ifdef UNFENCED_RELEASE
#define RELEASE_FENCE(me, known) (state != ABSENT)
#else
#define RELEASE_FENCE(me, known) FENCE(me, known)
#endif
#ifdef UNFENCED_HOLD
#define HOLD_FENCE(me, known) (state != ABSENT)
#else
#define HOLD_FENCE(me, known) FENCE(me, known)
#endif

#ifdef NO_LEASE
#define LAPSES false
#else
#define LAPSES (state == PENDING && live)
#endif

#ifdef HOLD
#define HOLDS true
#else
#define HOLDS false
#endif

#ifdef ANY_FINGERPRINT
#define TAKEABLE(f) true
#else
#define TAKEABLE(f) (fp == f)
#endif

/* What a stale owner may be shown must answer his own request. */
#ifdef ANY_ANSWER
#define ANSWERS(f) true
#else
#define ANSWERS(f) (fp == f)
#endif

/* gone: the row is removed, or has expired, which is the same for every rule. */
inline gone() {
	state = ABSENT; owner = 0; fp = 0; answer = 0; live = false; fp0 = 0; first = 0
}

/* settled: somebody who may say so has closed the case, so what was done until now counts no more. */
inline settled() {
	here = 0; effects = 0
}

inline claimed(me, f, v) {
	state = PENDING; owner = me; fp = f; live = true;
	here = (HOLDS -> here | BIT(me) : 0);
	v = CLAIMED
}

/* begin: T1, T10, T9, T1', T11, T3, T2, in the order of Store.Begin. */
inline begin(me, f, v) {
	if
	:: state == ABSENT -> claimed(me, f, v); fp0 = f; FIRST_ATTEMPT
	:: state == PENDING && !live && fp != f && TAKEABLE(f) -> claimed(me, f, v)
	:: state != ABSENT && fp != f && !(state == PENDING && !live && TAKEABLE(f)) -> v = MISMATCH
	:: state == DONE && fp == f -> v = REPLAY; tell(f, answer)
	:: state == UNKNOWN && fp == f -> v = HELD
	:: state == PENDING && fp == f && owner == me -> v = CLAIMED
	:: state == PENDING && fp == f && owner != me && (live || !ROOM) -> v = INFLIGHT
	:: state == PENDING && fp == f && owner != me && !live && ROOM ->
		if
		:: HOLDS -> state = UNKNOWN; v = HELD
		:: else -> claimed(me, f, v); NEXT_ATTEMPT
		fi
	fi;
	PROMISE(6, fp == fp0)
}

/* wrote: every write that a fence let through. */
inline wrote(me) {
	PROMISE(1, state == PENDING && owner == me)
}

/* stored: the step into DONE. */
inline stored(whose) {
	PROMISE(2, first == 0 || first == whose);
	PROMISE(5, whose == OPERATOR || (ran & BIT(whose)));
	first = whose; answer = whose; state = DONE; live = false
}

/* tell: a caller who asked f is given an answer. */
inline tell(f, what) {
	PROMISE(3, state == DONE && answer == what);
	PROMISE(6, fp == f)
}

/* renew: T4. */
inline renew(me, known) {
	if
	:: FENCE(me, known) -> wrote(me); live = true
	:: else
	fi
}

/* complete: T5, T6, T7, and what the caller is told. The lease is not compared. */
inline complete(me, f, known, v) {
	if
	:: COMPLETE_FENCE(me, known) -> wrote(me); stored(me); v = KEPT
	:: else ->
		if
		:: state == DONE && owner == me -> v = KEPT
		:: state == DONE && owner != me && ANSWERS(f) -> v = REPLAY
		:: else -> v = LOST
		fi
	fi;
#ifdef OWN_ANSWER
	tell(f, me)
#else
	if
	:: v == LOST
	:: else -> tell(f, answer)
	fi
#endif
}

/* release: T8. */
inline release(me, known) {
	if
	:: RELEASE_FENCE(me, known) -> wrote(me); gone()
	:: else
	fi
}

/* hold: T8'. */
inline hold(me, known) {
	if
	:: HOLD_FENCE(me, known) -> wrote(me); state = UNKNOWN; live = false
	:: else
	fi
}

/* affect: fn does what it is for. A call that claimed before the case was closed counts there and not here. */
inline affect(me) {
	if
	:: here & BIT(me) -> effects = (effects < 2 -> effects + 1 : 2)
	:: else
	fi;
	PROMISE(5, !HOLDS || effects <= 1)
}
