/* DoTx: claim, effect and answer are one transaction, which the server commits or rolls back. */

byte gate;       /* whose transaction is open on the record; nothing else of the guard is written meanwhile */
bool committing; /* its COMMIT was sent, and the caller has no answer */

#define FREE (gate == 0)

/* enter: the claim inside the transaction. Nobody else sees it before the COMMIT, but all find the gate shut. */
inline enter(me, f, v) {
	if
	:: !FREE -> v = INFLIGHT
	:: FREE && (state == ABSENT || state == PENDING && fp == f && (owner == me || !live)) -> gate = me; v = CLAIMED
	:: FREE && !(state == ABSENT || state == PENDING && fp == f && (owner == me || !live)) -> begin(me, f, v)
	fi
}

/* commit: T1 or T2, the effect, and T14. */
inline commit(me, f, v) {
	if
	:: state == ABSENT -> fp0 = f
	:: else
	fi;
	claimed(me, f, v);
	balance++;
	wrote(me); stored(me);
	balance--;
	PROMISE(5, balance == 0);
	PROMISE(6, fp == fp0);
	committing = false; gate = 0
}

proctype call(byte me) {
	mtype v;

	if
	:: me == CALLS -> asks[me] = 1
	:: true
	fi;

claim:
	v = 0;
	do
	:: d_step { enter(me, asks[me], v) };
		if
		:: v == CLAIMED -> v = 0; break
		:: v == INFLIGHT -> v = 0
		:: v != CLAIMED -> goto out
		fi
	od;

	ran = ran | BIT(me);
	if
	:: d_step { gate = 0 } goto out /* an error, a panic, a kill, or an answer to the claim that was lost */
#ifdef SPLIT
	:: d_step { balance++; gate = 0 } goto keep_it
#else
	:: d_step { commit(me, asks[me], v); tell(asks[me], me) } goto out
	:: d_step { committing = true } goto settle
	:: d_step { gate = 0 } goto keep_it /* Final */
#endif
	:: d_step { gate = 0 } goto hold_it /* Uncertain */
	fi;

settle:
	if
#ifdef PEEK
	:: d_step {
#else
	:: d_step { gate != me ->
#endif
			if
			:: state == DONE && owner == me -> tell(asks[me], answer); v = KEPT
			:: else -> PROMISE(3, gate != me); v = LOST /* the caller is told that nothing was committed */
			fi
		}
	:: goto out /* ErrCommitUnknown */
	fi;
	if
	:: v == LOST -> goto claim
	:: else -> goto out
	fi;

keep_it:
	/* The answer of a transaction that was rolled back is written by an ordinary claim and complete. */
	do
	:: d_step { FREE -> begin(me, asks[me], v) };
		if
		:: v == CLAIMED -> v = 0; break
		:: v != CLAIMED -> goto out
		:: v = 0
		fi
	:: late = late | BIT(me)
	:: goto out
	od;
	do
	:: d_step { FREE -> renew(me, 0) }
	:: d_step { FREE -> complete(me, asks[me], 0, v);
#ifdef SPLIT
			balance = (v == KEPT -> 0 : balance);
#endif
			v = 0
		}
	:: goto out
	od;

hold_it:
	do
	:: d_step { FREE -> begin(me, asks[me], v) };
		if
		:: v == CLAIMED -> v = 0; break
		:: v != CLAIMED -> goto out
		:: v = 0
		fi
	:: goto out
	od;
	do
	:: d_step { FREE -> hold(me, 0) }
	:: goto out
	od;

out:
	atomic { v = 0; over++ }
}
