/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * patience.pml: slots are kept by --patience, for spin(1), with processes stopped and killed at any point.
 * tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Client      a connection's process, once: comes (newcomer.c), waits, takes the slot that it was granted, serves,
 *               releases it. Each says by itself whether it is patient (CELL_PATIENT).
 *   dispatch    claim_dispatch(), in the section that frees a slot, brings a waiter, or looks for the dead.
 *   ends        patience_end(), after slots were dealt and none is kept.
 *   keeps       patience_keeps(): whether the slow slot is better later may change at any time, so it is any choice. The
 *               credit and until_usec are as in patience.c. A step of time is Clock's.
 *   deal        what the process with the youngest ticket does when the time is over: score_deal().
 *   look        score_guard(): any live process that waits does it, if the youngest does not, a step of time later
 *               (attempt_is_guarded()).
 *   Fate        SIGKILL or SIGSTOP, once in a run, between any two sections; a killed one is reaped by a look.
 *
 * A section is one atomic step: store.c's intent makes it so. queue.pml has what happens between the commits of a
 * section, who is woken and who reaps. A grant that is not taken goes to the next waiter after a step of time.
 *
 * What is checked
 *   cap         no more slots are held than there are (in count)
 *   order       a slot goes to the oldest ticket, and a newcomer overtakes no waiter (in dispatch, come)
 *   kept        a slot is free while a live process waits only if the oldest is patient, and the time is not over for
 *               longer than a look takes (in dispatch, Clock)
 *   bounded     no slot is kept for longer than MOST, plus LOOK where the process that is to deal is stopped (Clock)
 *   spent       the time passes only while a slot is free and a process waits, be it a dead one (Clock)
 *   all         when nothing can happen any more no process that is not stopped waits (Final)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef CLIENTS
#define CLIENTS 3
#endif
#define FAST 1         /* slots */
#define SLOW 1
#define MOST 2         /* --patience, in steps of time */
#define LOOK 2         /* steps until a look takes the place of a process that is stopped or killed */
#ifndef STEPS
#define STEPS 5
#endif
#define NONE 255

mtype = { OUT, WAITS, GRANTED, BUSY, DONE };

/* The scoreboard. */
mtype at[CLIENTS] = OUT;
bool fast[CLIENTS];            /* which slot it has */
bool patient[CLIENTS];
byte ticket[CLIENTS];
byte next_ticket = 1;
byte credit = MOST, until;     /* until: 0 is none; the time when no slot is kept any more */

/* The machine. */
byte now = 1;
bool stopped[CLIENTS], killed[CLIENTS];
byte faults;
byte over;                     /* for how many steps a slot has been free while a process waited, and until was over */

bool prompt;                   /* the process that is to deal runs */
bool waits;                    /* a process waits, dead or alive */
byte i, n_fast, n_slow, head, youngest;   /* scratch: 0 between steps */

#define HOLDS(p) (at[p] == GRANTED || at[p] == BUSY)
#define RUNS(p) (!stopped[p] && !killed[p])

/* n_fast, n_slow: free slots. head: the oldest ticket that waits and is not killed. youngest: the last of those. */
inline count() {
	n_fast = FAST; n_slow = SLOW; head = NONE; youngest = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: HOLDS(i) && fast[i] -> assert(n_fast > 0); n_fast--
		:: HOLDS(i) && !fast[i] -> assert(n_slow > 0); n_slow--
		:: at[i] == WAITS && !killed[i] ->
			if
			:: head == NONE || ticket[i] < ticket[head] -> head = i
			:: else
			fi;
			if
			:: youngest == NONE || ticket[i] > ticket[youngest] -> youngest = i
			:: else
			fi
		:: else
		fi
	}
	i = 0
}

inline clear() {
	n_fast = 0; n_slow = 0; head = 0; youngest = 0
}

#ifdef MUTATE_UNTIL_MOVES
#define BEGIN_KEEPING until = now + credit + 1
#else
#define BEGIN_KEEPING until = now + credit
#endif

/* Counts the credit; then a slow slot is kept from the head, or not: any choice, while there is credit. */
inline keeps(ret) {
	ret = false;
	if
	:: until > now -> credit = until - now
	:: until > 0 && until <= now -> credit = 0; until = 0
	:: else
	fi;
	if
#ifdef MUTATE_UNTIL_IGNORED
	:: true -> ret = true; BEGIN_KEEPING
#else
	:: credit > 0 -> ret = true; BEGIN_KEEPING
#endif
	:: true -> until = 0
	fi
}

bool kept;

/* patience_end(): nothing is kept any more, so the time stops. */
#ifdef MUTATE_NEVER_ENDS
inline ends() {
	skip
}
#else
inline ends() {
	if
	:: until > now -> credit = until - now
	:: until > 0 && until <= now -> credit = 0
	:: else
	fi;
	until = 0
}
#endif

inline give() {
	at[head] = GRANTED;
	fast[head] = n_fast > 0
}

inline dispatch() {
	do
	:: true ->
		count();
		if
		:: head == NONE || n_fast + n_slow == 0 -> break
		:: else
		fi;
		kept = false;
		if
		:: n_fast == 0 && patient[head] -> keeps(kept)
		:: else
		fi;
#ifdef MUTATE_SERVES_BEHIND
		if
		:: kept && youngest != head -> head = youngest; kept = false
		:: else
		fi;
#endif
		if
		:: kept -> break
		:: else
		fi;
		for (i : 0 .. CLIENTS - 1) {
			assert(at[i] != WAITS || killed[i] || ticket[head] <= ticket[i])
		}
		i = 0;
		give()
	od;
	if
	:: kept
	:: else -> ends()
	fi;
	/* Nothing is free while a process waits, but what is kept, and only until the time is over. */
	count();
	assert(head == NONE || n_fast + n_slow == 0 || (n_fast == 0 && patient[head] && until > now));
	kept = false;
	clear()
}

inline come(p) {
	ticket[p] = next_ticket;
	next_ticket++;
	count();
	kept = false;
	if
	:: head == NONE && n_fast + n_slow > 0 && n_fast == 0 && patient[p] -> keeps(kept)
	:: else
	fi;
	if
	:: head == NONE && n_fast + n_slow > 0 && !kept -> at[p] = BUSY; fast[p] = n_fast > 0
	:: else -> at[p] = WAITS
	fi;
	kept = false;
	clear();
	dispatch()
}

proctype Client(byte p) {
	{
		if
		:: patient[p] = true
		:: true
		fi;
end_out:
		atomic { now <= STEPS -> come(p) };
end_stopped:
		do
		:: atomic { at[p] == GRANTED && RUNS(p) -> at[p] = BUSY }
		:: atomic { at[p] == BUSY && RUNS(p) -> at[p] = DONE; dispatch(); break }
		od
	} unless {
		atomic { killed[p] }
	}
}

/* What is due when a step of time has passed: urgent, so before the next step. */
#ifdef MUTATE_NONE_DEALS
#define DEALS(p) false
#else
#define DEALS(p) (RUNS(p) && over >= 1)
#endif
#ifdef MUTATE_NONE_LOOKS
#define LOOKS false
#else
#define LOOKS (over >= LOOK)
#endif

/* A look for the dead: frees what killed processes have, and what is granted to stopped ones; then deals. */
inline look() {
	for (i : 0 .. CLIENTS - 1) {
		if
		:: killed[i] && at[i] != OUT -> at[i] = DONE
		:: stopped[i] && at[i] == GRANTED -> at[i] = DONE; killed[i] = true
		:: else
		fi
	}
	i = 0;
	dispatch()
}

/* Time passes. The youngest waiter deals when the time is over, if it runs; else a look does, LOOK steps later. */
proctype Clock() {
	do
	:: atomic { now <= STEPS ->
		now++;
		count();
		if
		:: head != NONE && n_fast + n_slow > 0 && until <= now -> over++
		:: else -> over = 0
		fi;
		prompt = youngest != NONE && RUNS(youngest);
		for (i : 0 .. CLIENTS - 1) {
			if
			:: at[i] == WAITS -> waits = true
			:: else
			fi
		}
		i = 0;
		assert(until < now || (waits && n_fast + n_slow > 0));
		waits = false;
		if
		:: youngest != NONE && over >= 1 && DEALS(youngest) -> clear(); dispatch()
		:: else ->
			clear();
			if
			:: LOOKS -> look()
			:: else
			fi
		fi;
		count();
		if
		:: head == NONE || n_fast + n_slow == 0 -> over = 0
		:: until > now -> over = 0
		:: else
		fi;
		clear();
		/* Between: the credit rises, here by a step for two that pass. */
		if
		:: until == 0 && credit < MOST && now % 2 == 0 -> credit++
		:: else
		fi;
		assert(over == 0 || !prompt);
		assert(over < LOOK);
		prompt = false;
		assert(until <= now + MOST)
	}
	:: atomic { now > STEPS -> look(); until = 0; credit = 0; look(); break }
	od
}

/* What may become of a process, once in a run. */
proctype Fate(byte p) {
end_live:
	if
	:: atomic { faults > 0 && at[p] != OUT && at[p] != DONE -> faults--;
		if
		:: killed[p] = true
		:: stopped[p] = true
		fi }
	:: atomic { at[p] == DONE }
	fi
}

/* Nothing can happen any more: a stopped process goes on waiting, and no other does. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		for (i : 0 .. CLIENTS - 1) {
			assert(!RUNS(i) || at[i] == OUT || at[i] == DONE)
		}
	}
}

init {
	byte p;

	atomic {
		select (faults : 0 .. 1);
		for (p : 0 .. CLIENTS - 1) {
			run Client(p);
			run Fate(p)
		}
		run Clock();
		run Final()
	}
}
