/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * replace.pml: a scoreboard that is rebuilt into a new file, and one that is
 * removed while it is in use, for spin(1), with processes killed at any point.
 * tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Process    a relay: it opens the file of the name, then takes and gives back the only slot, TURNS times.
 *   work       store_lock() of store.c: the lock of the file that the process has open. It cannot be taken once the file
 *              was retired; and if the process before died with it, it is looked whether another file has the name.
 *   put        rebuild() of rebuild.c: with the lock of the old file, a new file is made, gets the old one's contents,
 *              and then the name: by rename(2), or by link(2) if the name was gone; then the old one is retired.
 *   newest     users_removed() of users.c: of the files without a name that living processes have open the one that lost
 *              it last.
 *   Stranger   damages the file DAMAGES times and removes its name REMOVES times, whenever it likes.
 *   Killer     SIGKILL, KILLS times in a run, between any two steps. The kernel takes the locks of the killed; the
 *              node sees the connection end.
 *
 * What is checked
 *   cap        the slot has one holder (in claim)
 *   whole      the file that has the name has its contents (in work)
 *   one copy   a process gives back only what the file says that it has (in work)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef PROCESSES
#define PROCESSES 2
#endif
#ifndef TURNS
#define TURNS 2
#endif
#ifndef DAMAGES
#define DAMAGES 1
#endif
#ifndef REMOVES
#define REMOVES 0
#endif
#ifndef KILLS
#define KILLS 1
#endif
#define FILES 7                 /* more than can be made */

byte name = 1;                  /* the file that has the name, 0: none */
byte n_files = 1;
bool whole[FILES + 1], damaged[FILES + 1];
byte taken[FILES + 1];          /* the slot's holder as the file says: its number + 1, 0: free */
byte lock[FILES + 1];           /* its number + 1 */
bool retired[FILES + 1], died[FILES + 1];
byte mine[PROCESSES];           /* the file that a process has open, 0: none */
bool has[PROCESSES], dead[PROCESSES];
byte holders;                   /* connections at the node */

#define LIVES if :: dead[p] -> goto end :: else fi
#define UNLOCK(file) lock[file] = 0
#define LET_GO(file) if :: lock[file] == f + 1 -> lock[file] = 0; died[file] = true :: else fi

/* Files are numbered in the order in which they lose their name: no file but the newest has it. */
inline newest(ret) {
	ret = 0; i = 0;
	do
	:: i < PROCESSES ->
		if
		:: !dead[i] && mine[i] > ret -> ret = mine[i]
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

proctype Process(byte p) {
	byte turns, from, new, i;
	bool removed, first;

again:
	atomic { LIVES;
		from = 0; new = 0; first = false;
		if
		:: name != 0 -> mine[p] = name
		:: else ->
#ifdef MUTATE_FRESH_ANYWAY
			skip
#else
			newest(from)
#endif
			;
			first = (from == 0)
		fi
	};
	if
	:: first && n_files < FILES ->
		/* create() of open.c: no process has one */
		atomic { LIVES;
			if
			:: name == 0 -> n_files++; name = n_files; whole[name] = true
			:: else
			fi };
		goto again
	:: first && n_files == FILES -> goto end
	:: from != 0 -> goto put
	:: else -> goto work
	fi;

work:
	atomic { dead[p] || lock[mine[p]] == 0 -> LIVES;
		if
		:: retired[mine[p]] -> goto again
		:: else -> lock[mine[p]] = p + 1
		fi };
	atomic { LIVES;
		if
#ifndef MUTATE_DEATH_UNSEEN
		:: died[mine[p]] && name != 0 && name != mine[p] ->
#ifndef MUTATE_DEATH_FORGOTTEN
			retired[mine[p]] = true;
#endif
			died[mine[p]] = false;
			UNLOCK(mine[p]); goto again
#endif
		:: else -> died[mine[p]] = false
		fi };
	atomic { LIVES;
		if
		:: damaged[mine[p]] && n_files < FILES -> UNLOCK(mine[p]); from = mine[p]; goto put
		:: skip /* or it is not met in what this process reads */
		fi };
	atomic { LIVES;
		assert(whole[mine[p]]);
		if
		:: has[p] ->
			assert(taken[mine[p]] == p + 1);
			taken[mine[p]] = 0; has[p] = false; holders--
		:: !has[p] && (taken[mine[p]] == 0 || dead[taken[mine[p]] - 1]) ->
			taken[mine[p]] = p + 1; has[p] = true; holders++;
			assert(holders <= 1)
		:: else
		fi };
	atomic { LIVES; UNLOCK(mine[p]) };
	turns++;
	if
	:: turns < TURNS -> goto work
	:: else -> goto end
	fi;

put:
	atomic { dead[p] || lock[from] == 0 -> LIVES;
#ifndef MUTATE_NO_LOCK
		lock[from] = p + 1;
#endif
		died[from] = false
		};
	atomic { LIVES;
		removed = (name == 0);
		if
#ifdef MUTATE_REBUILD_ANYWAY
		:: false
#else
		:: name != 0 && name != from -> retired[from] = true; UNLOCK(from); goto again
#endif
		:: else
		fi;
#ifndef MUTATE_ANY_REMOVED
		if
		:: removed ->
			newest(new);
			if
			:: new != from -> UNLOCK(from); goto again
			:: else -> new = 0
			fi
		:: else
		fi
#endif
		};
	atomic { LIVES;
		if
		:: n_files == FILES -> UNLOCK(from); goto end
		:: else -> n_files++; new = n_files
		fi };
#ifdef MUTATE_NAME_FIRST
	atomic { LIVES; name = new };
	atomic { LIVES; taken[new] = taken[from]; whole[new] = true };
#else
	atomic { LIVES; taken[new] = taken[from]; whole[new] = true };
	atomic { LIVES;
		if
		:: !removed || name == 0 -> name = new
		:: else -> UNLOCK(from); goto again   /* link(2) fails: EEXIST */
		fi };
#endif
	atomic { LIVES;
#ifndef MUTATE_NOT_RETIRED
		retired[from] = true
#endif
		};
	atomic { LIVES;
		if
		:: lock[from] == p + 1 -> UNLOCK(from)
		:: else
		fi };
	goto again;
end:
	skip
}

proctype Stranger() {
	byte damages, removes;

end:	do
	:: atomic { damages < DAMAGES && name != 0 -> damaged[name] = true; damages++ }
	:: atomic { removes < REMOVES && name != 0 -> name = 0; removes++ }
	od
}

proctype Killer() {
	byte kills, f;

end:	do
	:: kills < KILLS ->
		atomic {
			if
			:: !dead[0] -> f = 0
			:: !dead[1] -> f = 1
			:: dead[0] && dead[1] -> goto over
			fi;
			dead[f] = true; kills++;
			if
			:: has[f] -> has[f] = false; holders--
			:: else
			fi;
			LET_GO(1);
			LET_GO(2);
			LET_GO(3);
			LET_GO(4);
			LET_GO(5);
			LET_GO(6);
			LET_GO(7);
			f = 0
		}
	:: else -> break
	od;
over:	skip
}

init {
	byte p;

	atomic {
		whole[1] = true;
		do
		:: p < PROCESSES -> run Process(p); p++
		:: else -> break
		od;
		run Stranger();
		run Killer()
	}
}
