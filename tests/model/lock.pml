/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * lock.pml: the section of the scoreboard, for spin(1), with processes killed at
 * any point and the page of the mutex replaced at any time. tests/model.bats runs
 * it.
 *
 * What is modelled, and where it is in the code (scoreboard/store/lock.c, page.c and word.c)
 *   Process    takes the mutex of the page that it has mapped, then the word in the scoreboard's file; changes a record
 *              in two steps; clears the word, gives up the mutex. A process in the section may retire the file.
 *   mutex      robust: a process that takes it after its owner died is told so. A replaced page keeps its mutex; a
 *              process that has it mapped uses it until it finds the page retired.
 *   Vandal     gives the page's name to another page, PAGES - 1 times; retires the old page, or does not (as rm(1)).
 *   Killer     SIGKILL, KILLS times in a run, between any two steps.
 *
 * A variable that is not read any more is 0, which spares a search two thirds of the states.
 *
 * What is checked
 *   apart      no two living processes are in the section (in enter)
 *   told       a process that enters after another died in the middle of a change knows it (in enter)
 *   final      no process enters after the file was retired (in enter)
 *   no block   every process comes to its end (no invalid end state)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef N
#define N 3
#endif
#ifndef KILLS
#define KILLS 1
#endif
#ifndef PAGES
#define PAGES 2
#endif
#define ROUNDS 2
#define NONE 255
#define RETIRED 254

byte owner[PAGES] = NONE;    /* of the mutex of each page */
bool retired[PAGES];
byte name;                     /* which page has the name */
byte word = NONE;            /* the process in the section, as the file says */
byte inside = NONE;          /* the process that really is in it */
bool half;                     /* a change has begun and not ended */
bool over;                     /* the file was retired */
bool gone[N];
byte kills;

#define is_dead(p) (p < N && gone[p])
#define FORGET page = 0; seen = 0; died = false
#define step(p) :: atomic { gone[p] -> FORGET; round = 0; goto ended }

inline enter(p) {
	assert(inside == NONE || is_dead(inside));
	assert(!over);
	assert(!half || died);
	inside = p; half = false
}

proctype Process(byte p)
{
	byte page, seen, round;
	bool died;

	do
	:: atomic { round == ROUNDS -> round = 0; break }
	:: atomic { round < ROUNDS -> page = name };
again:
		/* The mutex. */
		if
		step(p)
		:: atomic { !gone[p] && owner[page] == NONE -> owner[page] = p }
		:: atomic { !gone[p] && is_dead(owner[page]) -> owner[page] = p; died = true }
		fi;
		if
		step(p)
		:: atomic { !gone[p] && retired[page] -> owner[page] = NONE; died = false; page = name; goto again }
		:: !gone[p] && !retired[page]
		fi;
		/* The word. */
#ifndef MUTATE_WITHOUT_WORD
		do
		step(p)
		:: atomic { !gone[p] && word == RETIRED -> owner[page] = NONE; FORGET; round = 0; goto ended }
#ifdef MUTATE_LOOKS_THEN_WRITES
		:: !gone[p] && word == NONE ->
			if
			step(p)
			:: atomic { !gone[p] -> word = p; break }
			fi
#else
		:: atomic { !gone[p] && word == NONE -> word = p; break }
#endif
#ifdef MUTATE_ROBS_THE_LIVING
		:: atomic { !gone[p] && word < N -> word = p; break }
#endif
		/* It is read first, and then compared with the value that was read. */
		:: atomic { !gone[p] && is_dead(word) -> seen = word };
			if
			step(p)
			:: atomic { !gone[p] && word == seen -> word = p; seen = 0;
#ifndef MUTATE_DOES_NOT_TELL
				died = true;
#endif
				break }
			:: atomic { !gone[p] && word != seen -> seen = 0 }
			fi
		od;
#endif
		/* The section. */
		if
		step(p)
		:: atomic { !gone[p] -> enter(p) }
		fi;
		if
		step(p)
		:: atomic { !gone[p] -> half = true }
		fi;
		if
		step(p)
		:: atomic { !gone[p] -> half = false }
		fi;
		if
		step(p)
		:: atomic { !gone[p] -> inside = NONE;
			if
			:: p == 0 && round == 1 -> word = RETIRED; over = true
			:: else
			fi }
		fi;
		/* The end of the section. */
		if
		step(p)
#ifdef MUTATE_CLEARS_BLINDLY
		:: atomic { !gone[p] -> word = NONE }
#else
#ifdef MUTATE_KEEPS_THE_WORD
		:: !gone[p]
#else
		:: atomic { !gone[p] -> if :: word == p -> word = NONE :: else fi }
#endif
#endif
		fi;
		if
		step(p)
		:: atomic { !gone[p] -> owner[page] = NONE; FORGET; round++ }
		fi
	od;
ended:
	skip
}

proctype Vandal()
{
	do
	:: name < PAGES - 1 -> atomic { retired[name] = true; name++ }
	:: name < PAGES - 1 -> name++
	:: break
	od
}

proctype Killer()
{
	do
	:: atomic { kills < KILLS && !gone[0] -> gone[0] = true; kills++ }
	:: atomic { kills < KILLS && !gone[1] -> gone[1] = true; kills++ }
	:: break
	od
}

init {
	atomic {
		byte i;

		for (i : 0 .. N - 1) { run Process(i) }
		run Vandal();
		run Killer()
	}
}
