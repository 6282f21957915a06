/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * growth.pml: how processes join a queue that has no cell left, for spin(1), with
 * processes killed at any point. tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Client     come() of newcomer.c and once_failed() of holding.c: the section finds no free cell and is left, the
 *              queue grows in a transaction of its own, and the section begins anew; other clients may come in between.
 *   grow       ticket_make_room(): looks again for a free cell, as another process may have made the queue grow.
 *   Killer     SIGKILL, KILLS times in a run, between any two sections or transactions; and reaps, later.
 *   Final      what must be true when nothing can happen any more.
 *
 * A client joins with a number of its own. With REJOINS a client is served at once, fails, and comes back with its old
 * number, before the clients that came later. No other client is served; a client leaves the queue only by its end.
 *
 * What is checked
 *   order      a newcomer's number is the largest of all so far; the list is in the order of the numbers (in check)
 *   no double  no client has two places, and no number is given twice (in check)
 *   no loss    a live client is in the queue, or has left it (Final); a cell is free or a client's (in check)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef CLIENTS
#define CLIENTS 4
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef REJOINS
#define REJOINS 1
#endif
#define ROOM 8

byte cells = 1, free_cells = 1;
byte next_number = 1;
byte length;
byte list[CLIENTS];            /* the queue: the client at each place, + 1 */
byte number[CLIENTS];          /* of a client's ticket */
bool placed[CLIENTS], served[CLIENTS], gone[CLIENTS], began[CLIENTS];
chan dies[CLIENTS] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */
bool came[CLIENTS];            /* the client has had a number and a slot */
byte kills, rejoins;
byte i, n;                     /* scratch: 0 between steps */

inline check() {
	n = 0;
	for (i : 0 .. CLIENTS - 1) {
		n = n + placed[i]
	}
	assert(n == length && free_cells + length == cells);
	i = 1;
	do
	:: i < length -> assert(number[list[i - 1] - 1] < number[list[i] - 1]); i++
	:: else -> break
	od;
	i = 0; n = 0
}

/* queue_insert(): puts p into the list, behind all smaller numbers. */
inline insert(p) {
	assert(!placed[p] && free_cells > 0 && length < CLIENTS);
	i = length;
	do
	:: i > 0 && number[list[i - 1] - 1] > number[p] -> list[i] = list[i - 1]; i--
	:: else -> break
	od;
	list[i] = p + 1;
	i = 0;
	length++;
	free_cells--;
	placed[p] = true
}

inline leave(p) {
	i = 0;
	do
	:: list[i] != p + 1 -> i++
	:: else -> break
	od;
	do
	:: i + 1 < length -> list[i] = list[i + 1]; i++
	:: else -> list[i] = 0; break
	od;
	i = 0;
	length--;
	free_cells++;
	placed[p] = false;
	number[p] = 0;
	came[p] = false
}

/* In a transaction. */
inline grow() {
	if
#ifdef MUTATE_GROW_BLIND
	:: true -> cells = cells * 2; free_cells = cells / 2
#else
	:: free_cells == 0 -> cells = cells * 2; free_cells = cells / 2
	:: else
#endif
	fi;
	assert(cells <= ROOM);
	check()
}

proctype Client(byte p) {
	{
		/* The clients are alike, so it is enough that they begin in order. */
		atomic { p == 0 || began[(p + CLIENTS - 1) % CLIENTS] -> began[p] = true };
join:		atomic {
			if
#ifdef MUTATE_NUMBER_BEFORE_ROOM
			:: number[p] == 0 -> number[p] = next_number; next_number++
			:: else
#else
			:: true
#endif
			fi;
			if
			:: free_cells == 0
			:: free_cells > 0 && rejoins > 0 && !served[p] && length == 0 ->
				/* a slot was free */
				rejoins--; served[p] = true;
				number[p] = next_number; next_number++;
				came[p] = true;
				goto failed
			:: free_cells > 0 ->
#ifndef MUTATE_NUMBER_BEFORE_ROOM
				number[p] = next_number; next_number++;
#endif
				/* a newcomer is the last, and has never had a place before */
				assert(!served[p] && !came[p]);
				assert(length == 0 || number[list[length - 1] - 1] < number[p]);
				insert(p);
				check();
				goto wait
			fi
		}
		atomic { grow() };
		goto join;

failed:		atomic {
			if
#ifdef MUTATE_FREE_BEFORE_ROOM
			:: free_cells == 0 -> served[p] = false
#else
			:: free_cells == 0
#endif
			:: free_cells > 0 -> insert(p); served[p] = false; check(); goto wait
			fi
		}
		atomic { grow() };
#ifdef MUTATE_FREE_BEFORE_ROOM
		goto join;
#endif
		goto failed;

wait:		if
		:: atomic { true -> leave(p); check(); gone[p] = true }
		:: true ->
end_for_ever:		false
		fi
	} unless {
		dies[p]?_
	}
}

inline kill(p) {
	kills--;
	gone[p] = true;
	if
	:: !placed[p] -> number[p] = 0; served[p] = false; came[p] = false
	:: else
	fi
}

/* Kills and reaps. A reap at once or later is the same for clients that join. */
proctype Killer() {
	byte p;

end_kill:
	do
	:: atomic { kills > 0 && began[0] && !gone[0] -> kill(0); dies[0]!true }
	:: atomic { kills > 0 && began[1] && !gone[1] -> kill(1); dies[1]!true }
	:: atomic { kills > 0 && began[2] && !gone[2] -> kill(2); dies[2]!true }
	:: atomic { kills > 0 && began[3] && !gone[3] -> kill(3); dies[3]!true }
	:: atomic { gone[0] && placed[0] -> leave(0); check() }
	:: atomic { gone[1] && placed[1] -> leave(1); check() }
	:: atomic { gone[2] && placed[2] -> leave(2); check() }
	:: atomic { gone[3] && placed[3] -> leave(3); check() }
	od
}

/* Nothing can happen any more. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		check();
		for (i : 0 .. CLIENTS - 1) {
			assert(gone[i] || placed[i])
		}
	}
}

init {
	atomic {
		select (kills : 0 .. KILLS);
		select (rejoins : 0 .. REJOINS);
		run Client(0);
		run Client(1);
		run Client(2);
		run Client(3);
		run Killer();
		run Final()
	}
}
