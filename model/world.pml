/* Everything that happens by itself: time, the pruner, operators, messages that come late. And then a healthy call. */

/* What an operator's write compares with the claim that he was shown. */
#ifdef COUNTER_REF
#define SHOWN attempt
#else
#define SHOWN owner
#endif

/* A claim that was sent and is still on its way arrives now. */
#define ARRIVES(i) d_step { FREE && (late & BIT(i)) -> late = late & ~BIT(i); begin(i, asks[i], v); v = 0 }

proctype world() {
	mtype v;
	byte ref;   /* the claim that an operator was shown */
	byte shown; /* and what he will compare it by */

	do
	:: d_step { LAPSES -> live = false }

	/* T12. Expiry and removal are one thing: an expired record is absent for every rule. */
	:: d_step { FREE && state == DONE -> gone(); settled() }
	:: d_step { FREE && state == PENDING && !live && !HOLDS -> gone() }
	:: d_step { FREE && state == PENDING && !live && HOLDS -> state = UNKNOWN }
#ifdef PRUNE_UNKNOWN
	:: d_step { FREE && state == UNKNOWN -> gone() }
#endif

	/* An operator forgets whatever is there. */
	:: d_step { FREE && state != ABSENT -> gone(); settled() }

	/* T13. An operator looks, thinks, and resolves or frees, while another one does the same. */
	:: d_step { state == UNKNOWN && ref == 0 -> ref = owner; shown = SHOWN }
	:: d_step { FREE && ref != 0 ->
			if
			:: state == UNKNOWN && SHOWN == shown -> PROMISE(1, owner == ref); stored(OPERATOR)
			:: else
			fi;
			ref = 0; shown = 0
		}
	:: d_step { FREE && ref != 0 ->
			if
			:: state == UNKNOWN && SHOWN == shown -> PROMISE(1, owner == ref); gone(); settled()
			:: else
			fi;
			ref = 0; shown = 0
		}

	:: ARRIVES(1)
	:: ARRIVES(2)
#if CALLS > 2
	:: ARRIVES(3)
#endif
#if CALLS > 3
	:: ARRIVES(4)
#endif

#ifdef TX
	/* A COMMIT that was sent and not answered: the server goes through with it, or does not. */
	:: d_step { committing -> commit(gate, asks[gate], v); v = 0 }
	:: d_step { committing -> committing = false; gate = 0 }
#endif

	:: over == CALLS && FREE -> break
	od;

	/* Nobody is left, what has not arrived by now never does, and time passes. */
	late = 0;
	d_step {
		if
		:: LAPSES -> live = false
		:: else
		fi;
		begin(HEALTHY, fp, v);
		if
		:: v == CLAIMED -> ran = ran | BIT(HEALTHY); complete(HEALTHY, fp, ATTEMPT, v)
		:: else
		fi;
		PROMISE(4, state == DONE || state == UNKNOWN);
		PROMISE(5, balance == 0)
	}
}
