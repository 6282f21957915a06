/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * trial.pml: how a node that is down is tried, for spin(1), with the process that
 * tries it killed at any point. tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Client     one connection's process; fill(), claim_free_slot(), score_connected(), score_failed(), score_release(),
 *              score_leave() of ticket.c; bury_slot() of reap.c.
 *   open_due   claim_open_due(): by a newcomer, and by the guard.
 *   Guard      score_guard(), whenever a live process waits: reap, open, dispatch.
 *   Prober     score_verdict(): the node is up after all (PROBES).
 *   Killer     SIGKILL, KILLS times in a run, between any two sections. A kill inside a section leaves the same as a
 *              kill before or after it, but for the dispatch, which queue.pml is about.
 *   Final      what must be true when nothing can happen any more.
 *
 * One node of CORES slots. A section is one step; waiters have no order here, and the guard has no lock to wait for.
 * A look decides whether the time has come. The length of a pause is a number of doublings.
 *
 * What is checked
 *   one trial     never two, not even if the node comes up and goes down again meanwhile (in fill)
 *   opens again   when nothing can happen any more, no process waits for a node that is due for a trial, or up and free
 *                 (Final)
 *   flags         ENTRY_TRIAL_RUNS is set if and only if a trial runs, and then no trial is open (in check_flags)
 *   at once       when the node comes up, no process waits for a free slot (in Client)
 *   doubling      only a trial that failed doubles the pause (in failed)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef CLIENTS
#define CLIENTS 3
#endif
#ifndef CORES
#define CORES 2
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef FAILS
#define FAILS 2
#endif
#ifndef LEAVES
#define LEAVES 0
#endif
#ifndef PROBES
#define PROBES 0
#endif

mtype = { WAITS, GRANTED, CONNECTS, SERVES, OVER };

/* The node. */
bool up, open, runs;
bool due = true;               /* there is a time of the next trial */
byte busy;
byte pause = 1;

/* The slots and waiters of the clients. */
mtype stage[CLIENTS] = OVER;
bool trial[CLIENTS];           /* stored in the slot */
bool gone[CLIENTS], began[CLIENTS];
chan dies[CLIENTS] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */
byte kills, leaves, fails, probes = PROBES;
byte i, n;                     /* scratch: 0 between steps */

#define HOLDS(p) (stage[p] == GRANTED || stage[p] == CONNECTS || stage[p] == SERVES)
#define FREE (busy < CORES && (up || open))
#define RUNS_ONE(p) (trial[p] && HOLDS(p))
#if CLIENTS == 3
#define ANY(what) (what(0) || what(1) || what(2))
#else
#define ANY(what) (what(0) || what(1))
#endif
#define IS_WAITING(p) (stage[p] == WAITS)
#define LIVES_WAITING(p) (stage[p] == WAITS && !gone[p])
#define DEAD_HOLDING(p) (gone[p] && (HOLDS(p) || stage[p] == WAITS))

inline check_flags() {
	n = 0;
	for (i : 0 .. CLIENTS - 1) {
		n = n + RUNS_ONE(i)
	}
	assert(n <= 1);
#ifndef MUTATE_UP_FORGETS_TRIAL
	assert(runs == (n == 1));
	assert(!(open && (runs || up)));
#endif
	i = 0; n = 0
}

inline fill(p, as) {
	trial[p] = !up;
	if
	:: !up -> assert(!ANY(RUNS_ONE) || RUNS_ONE(p)); runs = true; open = false
	:: up
	fi;
	busy++;
	stage[p] = as
}

/* claim_free_slot() */
inline free_slot(p) {
	busy--;
	if
#ifdef MUTATE_FREE_KEEPS_CLOSED
	:: trial[p] && runs -> runs = false
#else
	:: trial[p] && runs -> runs = false; open = !up
#endif
	:: else
	fi;
	trial[p] = false;
	stage[p] = OVER
}

inline end_trial(p) {
	if
	:: trial[p] ->
#ifndef MUTATE_NOT_DUE_AGAIN
		due = true;
#endif
		runs = false
	:: else
	fi
}

inline dispatch() {
	do
	:: ANY(IS_WAITING) && FREE ->
		i = 0;
		do
		:: stage[i] != WAITS -> i++
		:: else -> break
		od;
		if
		:: gone[i] -> stage[i] = OVER
		:: else -> fill(i, GRANTED)
		fi;
		i = 0
	:: else -> break
	od;
	check_flags()
}

inline open_due() {
	if
#ifdef MUTATE_OPEN_WHILE_RUNS
	:: due -> due = false; open = !up
#else
	:: due -> due = false; open = !up && !runs
#endif
	:: true                /* not yet */
	fi
}

proctype Client(byte p) {
	{
		atomic { p == 0 || began[(p + CLIENTS - 1) % CLIENTS] -> began[p] = true }
		/* score_claim() */
		atomic {
			open_due();
			dispatch();
			if
			:: !ANY(IS_WAITING) && FREE -> fill(p, CONNECTS)
			:: else -> stage[p] = WAITS
			fi;
			check_flags()
		}
end_waits:	if
		:: atomic { stage[p] == CONNECTS }
		:: atomic { stage[p] == GRANTED -> stage[p] = CONNECTS }
		:: atomic { leaves > 0 && stage[p] == WAITS -> leaves--; stage[p] = OVER; dispatch(); goto over }
		:: atomic { leaves > 0 && stage[p] == GRANTED -> leaves--; free_slot(p); dispatch(); goto over }
		fi;
		if
		:: atomic { fails > 0 -> fails--;
			/* score_failed() */
			n = pause;
			if
			:: up -> pause = 1
			:: !up && trial[p] -> pause = (pause < 3 -> pause + 1 : 3)
			:: else -> assert(pause == n)
			fi;
			if
			:: up || trial[p] -> due = true; runs = (trial[p] -> false : runs); up = false; open = false
			:: else
			fi;
			n = 0;
			free_slot(p);
			if
			:: !ANY(IS_WAITING) && FREE -> fill(p, CONNECTS)
			:: else -> stage[p] = WAITS
			fi;
			dispatch();
			goto end_waits
		   }
		:: atomic { true ->
			/* score_connected() */
			if
			:: trial[p] -> trial[p] = false; runs = false; open = false;
				if
				:: !up -> up = true; due = false
				:: up
				fi
			:: else
			fi;
			stage[p] = SERVES;
#ifndef MUTATE_UP_TELLS_NONE
			dispatch();
#endif
			assert(!(ANY(IS_WAITING) && FREE))
		   }
		:: atomic { leaves > 0 -> leaves--;
			/* score_release() before the node was reached */
			end_trial(p);
			free_slot(p);
			dispatch();
			goto over
		   }
		fi;
		if
		:: atomic { true -> free_slot(p); dispatch() }
		:: true ->
end_for_ever:		false
		fi;
over:		atomic { gone[p] = true }
	} unless {
		dies[p]?_
	}
}

/* The guard's look, by a process that waits. */
proctype Guard() {
	byte p;

end_guard:
	do
	:: atomic {
		ANY(LIVES_WAITING) && (due || ANY(DEAD_HOLDING) || FREE) ->
		/* bury(): a commit for each */
		for (p : 0 .. CLIENTS - 1) {
			if
			:: gone[p] && stage[p] == WAITS -> stage[p] = OVER
			:: gone[p] && HOLDS(p) ->
				end_trial(p);
				free_slot(p)
			:: else
			fi
		}
		p = 0;
		dispatch();
		open_due();
		dispatch()
	   }
	od
}

proctype Prober() {
	do
	:: atomic {
		probes > 0 && !up ->
		probes--;
		up = true; due = false; open = false;
#ifdef MUTATE_UP_FORGETS_TRIAL
		runs = false;
#endif
		dispatch()
	   }
	:: atomic { true -> break }
	od
}

proctype Killer() {
end_kill:
	do
	:: atomic { kills > 0 && began[0] && !gone[0] -> kills--; gone[0] = true; dies[0]!true }
	:: atomic { kills > 0 && began[1] && !gone[1] -> kills--; gone[1] = true; dies[1]!true }
#if CLIENTS > 2
	:: atomic { kills > 0 && began[2] && !gone[2] -> kills--; gone[2] = true; dies[2]!true }
#endif
	od
}

/* Nothing can happen any more. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		for (i : 0 .. CLIENTS - 1) {
			assert(gone[i] || stage[i] != GRANTED);
			assert(gone[i] || stage[i] != WAITS || (up && busy == CORES) || ANY(RUNS_ONE))
		}
		assert(up || due || open || runs)
	}
}

init {
	atomic {
		select (kills : 0 .. KILLS);
		select (leaves : 0 .. LEAVES);
		select (fails : 0 .. FAILS);
		run Client(0);
		run Client(1);
#if CLIENTS > 2
		run Client(2);
#endif
		run Guard();
#if PROBES
		run Prober();
#endif
		run Killer();
		run Final()
	}
}
