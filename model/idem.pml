/*
 * A model of one record: what a store keeps for one (guard, user, key), and everything that may happen to it.
 * Design, sections 4 and 5. `model/run` checks it with spin, once for each guarantee and once for each known mistake.
 *
 * Several calls ask for the same record at once. Any message may be lost, repeated or late, any answer may be lost, any
 * call may be killed or paused for as long as it likes between two steps. A paused call is one that the search does not
 * move; so a stale owner that wakes up late needs no rule of its own. Leases lapse, records are pruned and operators act
 * whenever it hurts. When all is over a healthy call comes by and must find a way out.
 *
 * The guarantee is chosen with -DRERUN, -DHOLD or -DTX, a mistake with one more macro (the table is in model/run).
 *
 * A token is the number of its call, since it is random and never used again; the answer of a call is that number too.
 */

#ifndef CALLS
#define CALLS 3              /* calls that may end in any way */
#endif
#define HEALTHY  (CALLS + 1) /* the last call, which nothing happens to */
#define OPERATOR (CALLS + 2) /* the answer that an operator gives */

#if defined(RERUN) + defined(HOLD) + defined(TX) != 1
#error "choose one guarantee: -DRERUN, -DHOLD or -DTX"
#endif

/*
 * The invariants. Each is a variable of its own, so that spin names the one that was broken.
 *
 *   I1  only the current claim writes
 *   I2  one answer per incarnation of a record
 *   I3  whatever any caller is told equals what is stored (a caller told ErrNotStored is told no stored answer)
 *   I4  nothing sticks: a later healthy call ends in DONE or UNKNOWN
 *   I5  effects: Hold at most 1, Tx exactly as many as answers, Rerun at least 1 run for an answer
 *   I6  the fingerprint of a record never changes, and nobody is answered for another request
 *
 * -DARMED=n arms one of them alone: a mistake must break the promise named for it, not just any.
 */
bool I1 = true, I2 = true, I3 = true, I4 = true, I5 = true, I6 = true;

#ifndef ARMED
#define ARMED 0
#endif
#define PROMISE(n, holds) I##n = (ARMED != 0 && ARMED != n) || (holds); assert(I##n)

#define BIT(i) (1 << (i))

bit   asks[CALLS + 1]; /* which of two requests a call is for */
byte  over;            /* calls that have ended, one way or another */
byte  late;            /* claims that are still on their way, a bit each: they may arrive after all else, or never */
short balance;         /* Tx: committed effects, less the answers that were committed for them */

#include "record.pml"
#ifdef TX
#include "tx.pml"
#else
#include "call.pml"
#endif
#include "world.pml"

init {
	byte i;
	atomic {
		for (i : 1 .. CALLS) {
			run call(i)
		}
		run world()
	}
}
