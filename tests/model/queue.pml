/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * queue.pml: how slots change hands, for spin(1), with processes killed at any
 * point. tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Client         one connection's process: connection.c over newcomer.c and ticket.c.
 *   sections       score_claim, score_take, score_release, score_failed, score_leave.
 *   dispatch_step  claim_dispatch(): a turn of its loop, which is one commit.
 *   reap           score_reap(): collect, judge, bury; by the guard or a newcomer.
 *   "look"         score_guard() and wait.c: the youngest waiter has a timer
 *                  (watch == 0), the others a pidfd of the next younger (watch != 0).
 *   Admin          score_verdict() or the like: node 0 comes up (FLAPS). It goes down by score_failed().
 *   Killer         SIGKILL, KILLS times in a run, to any process between any two steps.
 *   Final          what must be true when nothing can happen any more.
 *
 * What a step is. A commit is one atomic step: store.c's intent makes it so, and
 * tests/death.bats shows that it does. A section is a lock and one or more
 * commits. A process that is killed in a section loses the lock and leaves what
 * was committed. The wake-ups of a section are sent after it, one by one, and are
 * lost if their sender is killed. A process that is killed closes its node's
 * socket before it counts as gone (holder.c: a zombie, or no process). A choice
 * that looks at the process's own variables alone is part of the step that
 * follows: no other process could tell the difference, and a search is three
 * times as short.
 *
 * Time. A timer may fire whenever a look would change anything; a look that
 * changes nothing is left out. A grant is "young" (GRANT_PATIENCE_USEC) at one
 * look at most. A connection may last for ever, and a node may stay down for
 * ever, so no process may rely on either to be woken.
 *
 * With -DLISTENER a process lives on after its client has left, as the listener
 * does: its pidfd tells nothing to the processes that watch it.
 *
 * What is left out: policies (the first free slot is taken), the prober's reap
 * (later than any correct wait); and what has a model of its own: trials
 * of a node that is down (trial.pml), the growing of the queue (growth.pml), the
 * hand-over from the listener to a relay (handover.pml), the gate (gate.pml).
 *
 * What is checked
 *   cap       a node never has more connections than cores (at connect)
 *   order     a slot is not given to a waiter or newcomer while an older live
 *             waiter waits (in give)
 *   one hand  a slot has one holder, a ticket one slot (in give)
 *   at once   a section that frees a slot leaves none free while a process waits
 *             (in unlock)
 *   wake-up   when nothing can happen any more, no live process waits while a
 *             slot is free, is held by a dead process, or has been granted to the
 *             waiter (Final); and with pan -l: no run goes in circles for ever
 *   leaks     a slot that is held then is held by a live process, or by a killed
 *             process while no process waits (Final)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef NODES
#define NODES 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef FAILS
#define FAILS 0          /* failed connects */
#endif
#ifndef LEAVES
#define LEAVES 0         /* clients that leave the queue */
#endif
#ifndef FLAPS
#define FLAPS 0          /* 1: node 0 starts down, and comes up */
#endif
#ifndef REAPS
#define REAPS 1          /* newcomers that look for the dead, see REAP_PAUSE_USEC */
#endif
/* -DONE_SLOT with NODES=2: node 1 is down for ever. */
#define SLOTS 2
#define CORES (SLOTS / NODES)
#define NODE_OF(s) ((s) / CORES)
#define ADMIN CLIENTS
#define NONE 255

mtype = { FREE, GRANTED, BUSY };

/* The scoreboard. Process p is stored as p + 1. */
byte lock;
byte hold[SLOTS];
mtype state[SLOTS] = FREE;
bool aged[SLOTS];              /* the grant has been seen by a look */
bool up[NODES] = true;
bool waiting[CLIENTS];
byte ticket[CLIENTS];
byte next_ticket = 1;

/* The machine. */
bool gone[CLIENTS + 1];        /* has ended */
bool killed[CLIENTS + 1];      /* was killed */
chan dies[CLIENTS + 1] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */
bool began[CLIENTS];
bool told[CLIENTS];            /* a datagram is at its port */
byte joined_to[CLIENTS];       /* the node that the process is connected to, + 1 */
byte kills, leaves, fails = FAILS, reaps = REAPS;

/* State of each process, global because the inlines use it. */
bool more[CLIENTS + 1];        /* its section goes on */
byte wakes[CLIENTS + 1];       /* bits: the processes to send a datagram to */

byte i, n, o, f;                /* scratch: 0 between steps */

#ifdef MUTATE_FAILED_LOSES_PLACE
byte came[CLIENTS];            /* the first ticket */
#define CAME(q) came[q]
#else
#define CAME(q) ticket[q]
#endif

#define IS_GRANTED(q) ((state[0] == GRANTED && hold[0] == (q) + 1) || (state[1] == GRANTED && hold[1] == (q) + 1))

/* o: the oldest waiter, or NONE. */
inline find_oldest() {
	o = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: waiting[i] && (o == NONE || ticket[i] < ticket[o]) -> o = i
		:: else
		fi
	}
}

/* f: a slot that can be given, or NONE. */
inline find_free() {
	f = NONE;
	for (i : 0 .. SLOTS - 1) {
		if
		:: f == NONE && hold[i] == 0 && up[NODE_OF(i)] -> f = i
		:: else
		fi
	}
}

inline give(s, q, as) {
	assert(hold[s] == 0);
	for (i : 0 .. SLOTS - 1) {
		assert(hold[i] != q + 1);
	}
	for (i : 0 .. CLIENTS - 1) {
		assert(!waiting[i] || gone[i] || i == q || CAME(i) > CAME(q));
	}
	hold[s] = q + 1;
	state[s] = as;
	aged[s] = false
}

inline take_back(s) {
	hold[s] = 0;
	state[s] = FREE;
	aged[s] = false
}

/* claim_dispatch(): up to its next commit. */
inline dispatch_step(p) {
	d_step {
		find_oldest();
		find_free();
		if
		:: o == NONE || f == NONE -> more[p] = false
		:: else ->
			waiting[o] = false;
			if
			:: !gone[o] ->
				give(f, o, GRANTED);
				wakes[p] = wakes[p] | (1 << o)
			:: else
			fi;
			more[p] = true
		fi;
		i = 0; o = 0; f = 0
	}
}

/* The end of a section that frees a slot: no slot is free while a process waits. */
inline unlock() {
	d_step {
		find_oldest();
		find_free();
		assert(o == NONE || f == NONE);
		lock = 0;
		i = 0; o = 0; f = 0
	}
}

/* Commits what was staged together with the first step of the dispatch. Ends the section if that is the only step. */
inline commit_dispatch(p) {
	dispatch_step(p);
	if
	:: !more[p] -> unlock()
	:: else
	fi
}

inline send_one(p) {
	d_step {
		i = 0;
		do
		:: wakes[p] & (1 << i) -> break
		:: else -> i++
		od;
		wakes[p] = wakes[p] & ~(1 << i);
		if
		:: !gone[i] -> told[i] = true
		:: else
		fi;
		i = 0
	}
}

/*
 * The rest of a section that began with commit_dispatch(), and the wake-ups behind it: choices of a loop that ends when
 * it IS_DONE(). The end is no step of its own: it is part of what the process does next.
 */
#define REST_OF_SECTION(p) \
	:: atomic { more[p] -> commit_dispatch(p) } \
	:: atomic { !more[p] && wakes[p] -> send_one(p) }
#define IS_DONE(p) (!more[p] && !wakes[p])

/* Wakes older waiters that were granted a slot and have not taken it. */
inline wake_older_granted(p) {
	for (i : 0 .. SLOTS - 1) {
		if
		:: state[i] == GRANTED && hold[i] != p + 1 && ticket[hold[i] - 1] < ticket[p] ->
			wakes[p] = wakes[p] | (1 << (hold[i] - 1))
		:: else
		fi
	}
}

/* n: the waiter before p in the queue, or NONE. */
inline find_before(p) {
	n = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: waiting[i] && ticket[i] < ticket[p] && (n == NONE || ticket[i] > ticket[n]) -> n = i
		:: else
		fi
	}
}

/* n: the waiter behind p in the queue, or NONE. */
inline find_behind(p) {
	n = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: waiting[i] && ticket[i] > ticket[p] && (n == NONE || ticket[i] < ticket[n]) -> n = i
		:: else
		fi
	}
}

#define SLOT_WORTH_A_LOOK(s) ((hold[s] && gone[hold[s] - 1]) || (state[s] == GRANTED && !told[hold[s] - 1]) || \
			      (hold[s] == 0 && up[NODE_OF(s)]))
#define WAITER_WORTH_A_LOOK(q, p) (waiting[q] && (gone[q] || ticket[q] > ticket[p]))
#if CLIENTS > 2
#define THIRD(p) || WAITER_WORTH_A_LOOK(2, p)
#else
#define THIRD(p)
#endif
#if CLIENTS > 3
#define FOURTH(p) || WAITER_WORTH_A_LOOK(3, p)
#else
#define FOURTH(p)
#endif
/* Whether a look of the guard p would change anything. */
#define WORTH_A_LOOK(p) (SLOT_WORTH_A_LOOK(0) || SLOT_WORTH_A_LOOK(1) || IS_GRANTED(p) || \
			 WAITER_WORTH_A_LOOK(0, p) || WAITER_WORTH_A_LOOK(1, p) THIRD(p) FOURTH(p))

/* A newcomer that has looked claims again, a waiter looks as the guard; only a waiter has a ticket. */
inline go_on(p) {
	if
	:: ticket[p] == 0 -> goto claim
	:: ticket[p] != 0 -> goto guard
	fi
}

/* score_reap(), with what it notes in the caller's noted, noted_waiting. */
inline reap(p) {
	/* collect() */
	atomic {
		lock == 0 -> lock = p + 1;
		if
		:: patient = true
		:: (state[0] == GRANTED && !aged[0]) || (state[1] == GRANTED && !aged[1]) -> patient = false
		fi;
		d_step {
			for (i : 0 .. SLOTS - 1) {
				noted[i] = hold[i];
				if
				:: state[i] == GRANTED ->
#ifndef MUTATE_GUARD_TELLS_NONE
					if
					:: patient || aged[i] -> wakes[p] = wakes[p] | (1 << (hold[i] - 1))
					:: else
					fi;
#endif
					aged[i] = true
				:: else
				fi
			}
			for (i : 0 .. CLIENTS - 1) {
				noted_waiting[i] = waiting[i]
			}
			i = 0; patient = false
		}
#ifdef MUTATE_REAP_NO_DISPATCH
		lock = 0
#else
		commit_dispatch(p)
#endif
	}
	/* judge(), and the lock of bury(): a death between the two is the same as a death before */
	do
	REST_OF_SECTION(p)
	:: atomic {
		IS_DONE(p) && lock == 0 ->
		d_step {
			for (i : 0 .. SLOTS - 1) {
#ifdef MUTATE_REAP_THE_LIVING
				/* a waiter that is slow to take its slot counts as dead */
				if
				:: noted[i] == p + 1 || state[i] != GRANTED -> noted[i] = 0
				:: else
				fi;
#else
				if
				:: noted[i] && !gone[noted[i] - 1] -> noted[i] = 0
				:: else
				fi;
#endif
				any = any || noted[i]
			}
			for (i : 0 .. CLIENTS - 1) {
				noted_waiting[i] = noted_waiting[i] && gone[i];
				any = any || noted_waiting[i]
			}
			lock = (any -> p + 1 : 0);
			i = 0
		}
		if
		:: !any -> go_on(p)
		:: any -> any = false; break
		fi
	   }
	od;
	/* bury(): a commit for each */
	do
		:: atomic {
			at < SLOTS ->
#ifdef MUTATE_BURY_BLIND
			if
			:: noted[at] -> take_back(at)
#else
			if
			:: noted[at] && hold[at] == noted[at] -> take_back(at)
#endif
			:: else
			fi;
			noted[at] = 0;
			at++;
			/* nothing to commit: no step */
			do
			:: at < SLOTS && !noted[at] -> at++
			:: else -> break
			od
		   }
		:: atomic {
			at == SLOTS ->
			d_step {
				for (i : 0 .. CLIENTS - 1) {
					if
					:: noted_waiting[i] -> waiting[i] = false; noted_waiting[i] = false
					:: else
					fi
				}
				i = 0; at = 0
			}
#ifdef MUTATE_REAP_NO_DISPATCH
			lock = 0;
#else
			commit_dispatch(p);
#endif
			break
		   }
	od;
	do
	REST_OF_SECTION(p)
	:: atomic { IS_DONE(p) -> go_on(p) }
	od
}

inline forget() {
	d_step {
		noted[0] = 0; noted[1] = 0;
		for (i : 0 .. CLIENTS - 1) {
			noted_waiting[i] = false
		}
		i = 0; watch = 0; next = 0; at = 0; slot = 0; any = false; patient = false; woken = false; reaped = false; again = false
	}
}

/* Ends like a process that was not killed. */
inline leave_the_world(p) {
	d_step {
		gone[p] = true;
		ticket[p] = 0;
		told[p] = false
	}
}

proctype Client(byte p) {
	byte noted[SLOTS];
	bool noted_waiting[CLIENTS];
	byte watch;            /* the process that it watches by a pidfd, + 1; 0: it has the timer */
	byte next, at, slot;
	bool any, patient, woken, reaped, again;

	{
		/* The clients are alike, so it is enough that they begin in order. */
		atomic { p == 0 || began[(p + CLIENTS - 1) % CLIENTS] -> began[p] = true }

claim:          /* claim_once() */
		atomic {
			lock == 0 -> lock = p + 1;
#ifndef MUTATE_OVERTAKE
			dispatch_step(p)
#endif
		}
		do
		:: atomic { more[p] -> dispatch_step(p) }
		:: atomic {
			!more[p] ->
			find_oldest();
			find_free();
#ifdef MUTATE_OVERTAKE
			o = NONE;
#endif
			if
			:: f != NONE && o == NONE ->
				d_step {
					ticket[p] = next_ticket; next_ticket++;
#ifdef MUTATE_FAILED_LOSES_PLACE
					came[p] = ticket[p];
#endif
					slot = f;
					give(slot, p, BUSY);
					lock = 0
				}
			:: !(f != NONE && o == NONE) && !reaped && reaps > 0 ->
				reaps--; reaped = true; again = true;
				lock = 0
			:: !(f != NONE && o == NONE) ->
				ticket[p] = next_ticket; next_ticket++;
#ifdef MUTATE_FAILED_LOSES_PLACE
				came[p] = ticket[p];
#endif
				waiting[p] = true;
				lock = 0
			fi;
			i = 0; o = 0; f = 0;
			break
		   }
		od;
		do
		REST_OF_SECTION(p)
		:: atomic { IS_DONE(p) && !again && hold[slot] == p + 1 && state[slot] == BUSY -> goto connect }
		:: atomic { IS_DONE(p) && !again && !(hold[slot] == p + 1 && state[slot] == BUSY) -> goto wait }
		:: atomic { IS_DONE(p) && again -> again = false; goto look }
		od;

wait:       /* wait_for_slot() */
		/* After any wake-up, also one during a look: if no slot came with it, the process must look. */
		atomic { woken = told[p]; told[p] = false }
		atomic {
			lock == 0 ->
			if
			:: IS_GRANTED(p) -> watch = 0; woken = false; goto take
			:: else ->
				assert(waiting[p]);
				if
				:: woken -> woken = false; watch = 0; goto look
				:: else
				fi
			fi
		}
end_sleep:      if
		:: atomic { told[p] -> goto wait }
		:: atomic { leaves > 0 -> leaves--; goto leave }
		:: atomic { watch && gone[watch - 1] -> watch = 0; goto look }
		:: atomic { !watch && WORTH_A_LOOK(p) -> goto look }
		fi;

look:           reap(p);

guard:          /* score_guard() */
		atomic {
			lock == 0 -> lock = p + 1;
#ifndef MUTATE_REAP_NO_DISPATCH
			dispatch_step(p)
#endif
		}
		do
		:: atomic { more[p] -> dispatch_step(p) }
		:: atomic {
			!more[p] ->
			d_step {
				find_behind(p);
				next = (waiting[p] && n != NONE -> n + 1 : 0);
				lock = 0;
				i = 0; n = 0
			}
			break
		   }
		od;
		do
		REST_OF_SECTION(p)
		:: atomic {
			IS_DONE(p) ->
#ifdef MUTATE_WATCH_UNSEEN
			/* its end is not seen */
			watch = (next -> ADMIN + 1 : 0);
#else
			watch = (next && !gone[next - 1] -> next : 0);
#endif
			next = 0;
			goto wait
		   }
		od;

take:           /* score_take() */
		atomic {
			lock == 0 ->
			d_step {
				slot = (hold[0] == p + 1 -> 0 : 1);
				assert(hold[slot] == p + 1 && state[slot] == GRANTED);
				state[slot] = BUSY;
				aged[slot] = false;
#ifndef MUTATE_TAKE_TELLS_NONE
				wake_older_granted(p);
#endif
				i = 0
			}
		}
		do
		REST_OF_SECTION(p)
		:: atomic { IS_DONE(p) -> break }
		od;

connect:        if
		:: atomic { fails > 0 -> fails--; goto failed }
		:: atomic {
			joined_to[p] = NODE_OF(slot) + 1;
			d_step {
				n = 0;
				for (i : 0 .. CLIENTS - 1) {
					n = n + (joined_to[i] == NODE_OF(slot) + 1)
				}
				assert(n <= CORES);
				i = 0; n = 0
			}
		   }
		fi;
		if
#ifdef MUTATE_RELEASE_BEFORE_CLOSE
		:: true
#else
		:: joined_to[p] = 0
#endif
		:: true ->
end_for_ever:           false
		fi;
		/* score_release() */
		atomic {
			lock == 0 -> lock = p + 1;
			assert(hold[slot] == p + 1 && state[slot] == BUSY);
			take_back(slot);
			slot = 0;
#ifdef MUTATE_RELEASE_NO_DISPATCH
			unlock()
#else
			commit_dispatch(p)
#endif
		}
		goto over;

failed:         /* score_failed(): one commit frees the slot, and takes another or puts the ticket back at its place */
		atomic {
			lock == 0 -> lock = p + 1;
			assert(hold[slot] == p + 1 && state[slot] == BUSY);
			up[NODE_OF(slot)] = false;
			take_back(slot);
			slot = 0;
#ifdef MUTATE_FAILED_LOSES_PLACE
			ticket[p] = next_ticket; next_ticket++;
#endif
			find_oldest();
			find_free();
			if
			:: f != NONE && (o == NONE || ticket[o] > ticket[p]) ->
				slot = f;
				d_step { give(slot, p, BUSY) };
				commit_dispatch(p)
			:: else ->
				waiting[p] = true;
				commit_dispatch(p)
			fi;
			i = 0; o = 0; f = 0
		}
		do
		REST_OF_SECTION(p)
		:: atomic { IS_DONE(p) && hold[slot] == p + 1 && state[slot] == BUSY -> goto connect }
		:: atomic { IS_DONE(p) && !(hold[slot] == p + 1 && state[slot] == BUSY) -> slot = 0; goto wait }
		od;

leave:          /* score_leave() */
		atomic {
			lock == 0 -> lock = p + 1;
			d_step {
#ifdef LISTENER
#ifndef MUTATE_LEAVE_TELLS_NONE
				find_before(p);
				if
				:: waiting[p] && n != NONE -> wakes[p] = wakes[p] | (1 << n)
				:: else
				fi;
				wake_older_granted(p);
#endif
#endif
				i = 0; n = 0;
				if
				:: waiting[p] -> waiting[p] = false
				:: !waiting[p] && hold[0] == p + 1 -> take_back(0)
				:: !waiting[p] && hold[0] != p + 1 && hold[1] == p + 1 -> take_back(1)
				fi
			}
			commit_dispatch(p)
		}
#ifdef LISTENER
		do
		REST_OF_SECTION(p)
		:: atomic { IS_DONE(p) -> forget(); break }
		od;
end_lives_on:   false;
#endif

over:           do
		REST_OF_SECTION(p)
		:: atomic { IS_DONE(p) -> joined_to[p] = 0; forget(); leave_the_world(p); break }
		od
	} unless {
		atomic { dies[p]?_ -> forget() }
	}
}

/* A probe's verdict, or an administrator: a commit, then the dispatch. */
proctype Admin() {
	{
		atomic { lock == 0 -> lock = ADMIN + 1; up[0] = true; more[ADMIN] = true };
		do
		REST_OF_SECTION(ADMIN)
		:: atomic { IS_DONE(ADMIN) -> gone[ADMIN] = true; break }
		od
	} unless {
		dies[ADMIN]?_
	}
}

inline kill(p) {
	d_step {
		kills--;
		gone[p] = true; killed[p] = true;
		more[p] = false; wakes[p] = 0;
		lock = (lock == p + 1 -> 0 : lock);
		if
		:: p < CLIENTS -> told[p % CLIENTS] = false; joined_to[p % CLIENTS] = 0
		:: else
		fi
	}
}

proctype Killer() {
end_kill:
	do
	:: atomic { kills > 0 && began[0] && !gone[0] -> kill(0); dies[0]!true }
	:: atomic { kills > 0 && began[1] && !gone[1] -> kill(1); dies[1]!true }
#if CLIENTS > 2
	:: atomic { kills > 0 && began[2] && !gone[2] -> kill(2); dies[2]!true }
#endif
#if CLIENTS > 3
	:: atomic { kills > 0 && began[3] && !gone[3] -> kill(3); dies[3]!true }
#endif
#if FLAPS
	:: atomic { kills > 0 && !gone[ADMIN] -> kill(ADMIN); dies[ADMIN]!true }
#endif
	od
}

/* Nothing can happen any more. */
proctype Final() {
	bool wanted;

end_final:
	timeout ->
	d_step {
		assert(lock == 0);
		for (i : 0 .. CLIENTS - 1) {
			assert(gone[i] || !IS_GRANTED(i));
			assert(!gone[i] || !waiting[i] || killed[i]);
			wanted = wanted || (waiting[i] && !gone[i])
		}
		for (i : 0 .. SLOTS - 1) {
			assert(!hold[i] || !gone[hold[i] - 1] || (killed[hold[i] - 1] && !wanted));
			assert(hold[i] || !up[NODE_OF(i)] || !wanted)
		}
	}
}

init {
	atomic {
		select (kills : 0 .. KILLS);
		select (leaves : 0 .. LEAVES);
		up[0] = (FLAPS == 0);
#ifdef ONE_SLOT
		up[1] = false;
#endif
		run Client(0);
		run Client(1);
#if CLIENTS > 2
		run Client(2);
#endif
#if CLIENTS > 3
		run Client(3);
#endif
#if FLAPS
		run Admin();
#endif
		run Killer();
		run Final()
	}
}
