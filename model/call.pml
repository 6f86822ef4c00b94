/* Do: begin, run, complete or release or hold, under Rerun and Hold. Every `goto out` is also a kill. */

#define FREE true /* nothing blocks a statement here */

proctype call(byte me) {
	mtype v;
	bool effect;
	byte known;

	if
	:: me == CALLS -> asks[me] = 1
	:: true
	fi;

	do
	:: d_step { begin(me, asks[me], v); known = ATTEMPT };
		if
		:: v == CLAIMED -> v = 0; break
		:: v != CLAIMED -> goto out
		:: v = 0 /* the answer was lost, or the call waits for another: the same token asks again */
		fi
	:: late = late | BIT(me)
	:: goto leave
	od;

	/* fn runs. It may go on after its lease was lost, so what Renew answers changes nothing here. */
	ran = ran | BIT(me);
	do
	:: d_step { renew(me, known) }
	:: d_step { affect(me); effect = true } break
	:: break
	:: goto out
	od;
	if
	:: goto answer_it
	:: goto hold_it
#if defined(HOLD) && !defined(PLAIN_RELEASES)
	:: !effect -> goto release_it /* Undone, and it is true */
#else
	:: goto release_it
#endif
	:: goto out
	fi;

answer_it:
	/* Leaving with the answer unheard or unstored is ErrNotStored, or a kill. */
	do
	:: d_step { renew(me, known) }
	:: d_step { complete(me, asks[me], known, v); v = 0 }
	:: goto out
#ifdef RELEASE_UNSTORED
	:: goto release_it
#endif
	od;

hold_it:
	do
	:: d_step { hold(me, known) }
	:: goto out
	od;

leave:
	/* The context ended before fn began: one Release, which may be lost too. */
	v = 0;
release_it:
	do
	:: d_step { release(me, known) }
	:: goto out
	od;

out:
	/* What nobody asks about any more is wiped, so that equal states are seen to be equal. */
	atomic { v = 0; effect = false; known = 0; ran = ran & ~BIT(me); here = here & ~BIT(me); over++ }
}
