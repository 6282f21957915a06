/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * fair.pml: slots go by --fair, for spin(1), with processes killed at any point.
 * tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Client      a connection's process, once: comes (newcomer.c), waits or leaves the queue, takes the slot that it was
 *               granted, serves, releases it.
 *   dispatch    claim_dispatch() with turn_next(), in the section that frees a slot or brings a waiter.
 *   held, turn  a party's record (party.h). The slots and tickets themselves are what the processes have (at[]).
 *   Fate        SIGKILL, KILLS times in a run, between any two sections; then score_reap(), of the slot and the ticket.
 *
 * A section is one atomic step: store.c's intent makes it so. queue.pml has what happens between the commits of a
 * section, which process wakes and which reaps; party_tree.c is left out (fsck and tests/death.bats compare it with the rest).
 *
 * Party 0 has all processes but the last ones, which are parties of their own: PARTIES in all.
 *
 * With LIMIT, party 0 has --per-client: every second of its tickets may have a slot while the party holds fewer than
 * LIMIT, the others while it holds at most LIMIT. The other parties have no limit.
 *
 * What is checked
 *   counts     a party's count is that of its slots, after each commit (in check)
 *   at once    no slot is free while a live process waits that may have it, and a newcomer overtakes no process (in check, come)
 *   the limit  a slot goes to no ticket of a party that holds as many slots as that ticket's limit (in give)
 *   the next   a slot goes to a party that holds the fewest of those that wait, to its oldest ticket (in give)
 *   one end    a party that waits and holds nothing sees at most PARTIES - 2 slots go to others first: to parties
 *              that held nothing before it. With two parties: it gets the next slot that comes free (in give)
 *   all        when nothing can happen any more no live process waits, and no slot is held (Final)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef CLIENTS
#define CLIENTS 5
#endif
#ifndef PARTIES
#define PARTIES 2
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef LEAVES
#define LEAVES 1
#endif
#define FIRST_OF(q) ((q) == 0 -> 0 : CLIENTS - PARTIES + (q))
#define PARTY(p) ((p) <= CLIENTS - PARTIES -> 0 : (p) - (CLIENTS - PARTIES))
#ifndef LIMIT
#define LIMIT 0
#endif
#define NONE 255

mtype = { OUT, WAITS, GRANTED, BUSY, DONE };

/* The scoreboard. */
mtype at[CLIENTS] = OUT;
byte ticket[CLIENTS];
byte next_ticket = 1;
byte held[PARTIES], turn[PARTIES], last_turn;

/* The machine. */
bool gone[CLIENTS];
byte kills, leaves;
byte overtaken[PARTIES];       /* grants to other parties since the party waits and holds nothing */

byte i, n, o, q;               /* scratch: 0 between steps */

/* Whether the ticket of p may have a slot. */
#define MAY(p) (LIMIT == 0 || PARTY(p) > 0 || held[0] < LIMIT + (p) % 2)

#define HOLDS(p) (at[p] == GRANTED || at[p] == BUSY)

inline check() {
	for (q : 0 .. PARTIES - 1) {
		n = 0;
		for (i : 0 .. CLIENTS - 1) {
			if
			:: PARTY(i) == q && HOLDS(i) -> n++
			:: else
			fi
		}
		assert(held[q] == n)
	}
	n = 0;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: HOLDS(i) -> n++
		:: else
		fi
	}
	assert(n <= SLOTS);
	for (i : 0 .. CLIENTS - 1) {
		assert(n == SLOTS || at[i] != WAITS || gone[i] || !MAY(i))
	}
	i = 0; n = 0; q = 0
}

/* Whether the party has a ticket that waits, in n; i is used. */
inline waits(party) {
	n = 0;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] -> n = 1
		:: else
		fi
	}
}

/* Whether the party has such a ticket that may have a slot, in n; i is used. */
inline waits_and_may(party) {
#ifdef MUTATE_LOOKS_AT_FIRST
	n = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] && (n == NONE || ticket[i] < ticket[n]) -> n = i
		:: else
		fi
	}
	n = (n != NONE && MAY(n) -> 1 : 0)
#else
	n = 0;
	for (i : 0 .. CLIENTS - 1) {
		if
#ifdef MUTATE_LIMITS_NONE
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] -> n = 1
#else
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] && MAY(i) -> n = 1
#endif
		:: else
		fi
	}
#endif
}

/* The party begins to wait with so many slots. */
inline take_turn(party) {
	last_turn++;
	turn[party] = last_turn
}

/* The party's oldest ticket that may have a slot, in o; i is used. */
inline oldest(party) {
	o = NONE;
	for (i : 0 .. CLIENTS - 1) {
		if
#ifdef MUTATE_LIMITS_NONE
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] && (o == NONE || ticket[i] < ticket[o]) -> o = i
#else
		:: PARTY(i) == party && at[i] == WAITS && !gone[i] && MAY(i) && (o == NONE || ticket[i] < ticket[o]) -> o = i
#endif
		:: else
		fi
	}
}

/* The slot goes to party q, which is the next. */
inline give() {
	oldest(q);
	for (i : 0 .. CLIENTS - 1) {
		assert(at[i] != WAITS || gone[i] || !MAY(i) || held[q] <= held[PARTY(i)]);
		assert(at[i] != WAITS || gone[i] || !MAY(i) || PARTY(i) != q || ticket[o] <= ticket[i])
	}
	assert(MAY(o));
	at[o] = GRANTED;
#ifndef MUTATE_COUNTS_WHEN_TAKEN
	held[q]++;
#endif
	overtaken[q] = 0;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: at[i] == WAITS && !gone[i] && i == FIRST_OF(PARTY(i)) && PARTY(i) != q && PARTY(i) > 0 && held[PARTY(i)] == 0 ->
			overtaken[PARTY(i)]++;
			assert(overtaken[PARTY(i)] <= PARTIES - 2)
		:: else
		fi
	}
	waits(q);
	if
	:: n == 1 -> take_turn(q)
	:: else
	fi;
	o = 0; n = 0
}

/* The party that is next, in q, or NONE; o is used. */
inline choose() {
	q = NONE;
	for (o : 0 .. PARTIES - 1) {
		waits_and_may(o);
		if
#ifdef MUTATE_OLDEST_OF_ALL
		:: n == 1 && (q == NONE || held[o] < held[q]) -> q = o
#else
		:: n == 1 && (q == NONE || held[o] < held[q] || (held[o] == held[q] && turn[o] < turn[q])) -> q = o
#endif
		:: else
		fi
	}
	o = 0; n = 0; i = 0
}

inline count_free() {
	n = SLOTS;
	for (i : 0 .. CLIENTS - 1) {
		if
		:: HOLDS(i) -> n--
		:: else
		fi
	}
}

inline dispatch() {
	do
	:: true ->
		choose();
		count_free();
		if
		:: n == 0 || q == NONE -> n = 0; i = 0; q = 0; break
		:: else -> give()
		fi;
		i = 0; q = 0
	od;
	check()
}

/* The slot of p is free from now on. */
inline free_slot(p) {
	at[p] = DONE;
	held[PARTY(p)]--;
	waits(PARTY(p));
	if
#ifndef MUTATE_KEEPS_TURN
	:: n == 1 -> take_turn(PARTY(p))
#endif
	:: else
	fi;
	n = 0; i = 0
}

inline come(p) {
	ticket[p] = next_ticket;
	next_ticket++;
	choose();
	count_free();
	if
	:: n > 0 && q == NONE -> at[p] = BUSY; held[PARTY(p)]++
	:: else ->
		waits(PARTY(p));
		if
		:: n == 0 -> take_turn(PARTY(p)); overtaken[PARTY(p)] = 0
		:: else
		fi;
		at[p] = WAITS
	fi;
	n = 0; i = 0; q = 0;
	dispatch()
}

proctype Client(byte p) {
	{
		atomic { come(p) };
		do
		:: atomic { at[p] == GRANTED -> at[p] = BUSY;
#ifdef MUTATE_COUNTS_WHEN_TAKEN
			held[PARTY(p)]++;
#endif
			check() }
		:: atomic { leaves > 0 && at[p] == WAITS -> leaves--; at[p] = DONE; dispatch(); break }
		:: atomic { leaves > 0 && at[p] == GRANTED -> leaves--;
#ifdef MUTATE_LEAVES_WITH_COUNT
			at[p] = DONE;
#else
			free_slot(p);
#endif
			dispatch(); break }
#ifdef MUTATE_COUNTS_LATER
		:: atomic { at[p] == BUSY -> at[p] = DONE };
			atomic { held[PARTY(p)]--; dispatch(); break }
#else
		:: atomic { at[p] == BUSY -> free_slot(p); dispatch(); break }
#endif
		od
	} unless {
		atomic { gone[p] }
	}
}

/* What may become of a process: SIGKILL, and then the reap. */
proctype Fate(byte p) {
end_live:
	if
	:: atomic { kills > 0 && !gone[p] && at[p] != OUT && at[p] != DONE -> kills--; gone[p] = true }
	fi;
	if
	:: atomic { HOLDS(p) ->
#ifdef MUTATE_REAPS_WITHOUT_COUNT
		at[p] = DONE;
#else
		free_slot(p);
#endif
		dispatch() }
	:: atomic { at[p] == WAITS -> at[p] = DONE; dispatch() }
	:: atomic { at[p] == DONE }
	fi
}

/* Nothing can happen any more. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		check();
		for (i : 0 .. CLIENTS - 1) {
			assert(gone[i] || at[i] == DONE);
			assert(!HOLDS(i))
		}
	}
}

init {
	byte p;

	atomic {
		select (kills : 0 .. KILLS);
		select (leaves : 0 .. LEAVES);
		for (p : 0 .. CLIENTS - 1) {
			run Client(p);
			run Fate(p)
		}
		run Final()
	}
}
