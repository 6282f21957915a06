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
bool gone[N], ended[N];
byte kills;
chan dies[N] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */

#define is_dead(p) (p < N && gone[p])
#define FORGET page = 0; seen = 0; died = false
#define RETIRES(p) (p == 0 && round == 1)

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

	{
		do
		:: atomic { round == ROUNDS -> break }
		:: atomic { round < ROUNDS -> page = name };
again:
			/* The mutex. */
			if
			:: atomic { owner[page] == NONE -> owner[page] = p }
			:: atomic { is_dead(owner[page]) -> owner[page] = p; died = true }
			fi;
			if
			:: atomic { retired[page] -> owner[page] = NONE; died = false; page = name; goto again }
			:: !retired[page]
			fi;
			/* The word. A process that has it is in the section. */
#ifdef MUTATE_WITHOUT_WORD
			atomic { enter(p) };
#else
			do
			:: atomic { word == RETIRED -> owner[page] = NONE; break }
#ifdef MUTATE_LOOKS_THEN_WRITES
			:: word == NONE -> atomic { word = p; enter(p); goto change }
#else
			:: atomic { word == NONE -> word = p; enter(p); goto change }
#endif
#ifdef MUTATE_ROBS_THE_LIVING
			:: atomic { word < N -> word = p; enter(p); goto change }
#endif
			/* It is read first, and then compared with the value that was read. */
			:: atomic { is_dead(word) -> seen = word };
				if
				:: atomic {
					word == seen -> word = p; seen = 0;
#ifndef MUTATE_DOES_NOT_TELL
					died = true;
#endif
					enter(p); goto change
				   }
				:: atomic { word != seen -> seen = 0 }
				fi
			od;
			break;
#endif
change:                 half = true;
			half = false;
			/* The end of the section. */
			if
			:: atomic { RETIRES(p) -> inside = NONE; word = RETIRED; over = true }
#ifdef MUTATE_CLEARS_BLINDLY
				word = NONE
#endif
			:: atomic {
				!RETIRES(p) -> inside = NONE;
#ifndef MUTATE_KEEPS_THE_WORD
				if
				:: word == p -> word = NONE
				:: else
				fi
#endif
			   }
			fi;
			atomic { owner[page] = NONE; FORGET; round++ }
		od;
		atomic { ended[p] = true; FORGET; round = 0 }
	} unless {
		atomic { dies[p]?_ -> gone[p] = true; FORGET; round = 0 }
	}
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
	:: atomic { kills < KILLS && !gone[0] && !ended[0] -> kills++; dies[0]!true }
	:: atomic { kills < KILLS && !gone[1] && !ended[1] -> kills++; dies[1]!true }
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
