/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * handover.pml: a slot on its way from a listener's ticket to a relay, for
 * spin(1), with either killed at any point. tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Listener   waiters.c and pool.c: a ticket for each connection, an order to a relay when a slot has come, and
 *              bury() when it hears of a relay's death: score_leave() of the last order's ticket, then score_reap().
 *   Relay      relay.c, connection.c: takes the slot of the order (score_take(): it is the relay's now), serves,
 *              releases it, and can get the next order. If the listener dies, a relay lives on as long as it is busy.
 *   Other      another entrance: claims a free slot, releases it; and reaps, as any waiter's guard does.
 *   Killer     SIGKILL, KILLS times in a run, to the listener or a relay, between any two sections.
 *   Final      what must be true when nothing can happen any more.
 *
 * One slot; ORDERS connections come to the listener; all tickets are numbered in one sequence.
 *
 * What is checked
 *   one holder   a slot is not given while a process has it; the process that has it serves (in free_slot)
 *   its own      score_leave() for a dead relay takes back the slot of its last order, or nothing (in bury)
 *   no leak      when nothing can happen any more, and a process lives, the slot is free (Final)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef ORDERS
#define ORDERS 3
#endif
#ifndef KILLS
#define KILLS 2
#endif
#define RELAYS 2
#define LISTENER RELAYS
#define OTHER (RELAYS + 1)
#define NONE 255

mtype = { FREE, GRANTED, BUSY };

/* The scoreboard: the slot, and the cell of a granted ticket (the cell's number is its slot's). */
mtype state = FREE;
byte holder = NONE;
byte number;                   /* of the ticket */
byte next_ticket = 1;

/* The machine. */
bool gone[OTHER + 1];
chan dies[OTHER] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */
chan orders[RELAYS] = [1] of { byte };
bool idle[RELAYS] = true;
byte last[RELAYS];             /* member.ticket: of the last order; 0: none */
bool buried[RELAYS];
byte serves = NONE;          /* the process that has a connection with the node */
byte kills;

inline free_slot(p) {
	assert(state != FREE && holder == p);
	state = FREE; holder = NONE; number = 0
}

inline fill(p, as) {
	assert(state == FREE && holder == NONE && serves == NONE);
	state = as; holder = p; number = next_ticket; next_ticket++
}

/* score_reap() by p */
inline reap(p) {
	if
	:: state != FREE && holder != p && gone[holder] -> state = FREE; holder = NONE; number = 0
	:: else
	fi
}

proctype Relay(byte r) {
	byte ticket;

	{
end_idle:	do
		:: atomic { orders[r]?ticket ->
			/* score_take() */
			if
			:: state == GRANTED && number == ticket ->
				state = BUSY;
#ifndef MUTATE_TAKE_KEEPS_OWNER
				holder = r
#endif
			:: else ->
				/* the ticket's owner has died: as if the ticket had just come */
				ticket = 0
			fi
		   }
			if
			:: atomic { ticket == 0 && state == FREE -> fill(r, BUSY); ticket = number }
			:: atomic { ticket == 0 && state != FREE -> idle[r] = true; goto end_idle } /* waits: queue.pml */
			:: atomic { ticket != 0 }
			fi;
			atomic { assert(serves == NONE); serves = r };
			serves = NONE;
			idle[r] = true;      /* on_release() */
			atomic {
				if
				:: state == BUSY && holder == r && number == ticket -> free_slot(r)
				:: else -> assert(false)
				fi;
				ticket = 0
			}
		:: atomic { empty(orders[r]) && gone[LISTENER] && idle[r] -> goto over }
		od;
over:		atomic { gone[r] = true; buried[r] = true }
	} unless {
		atomic { dies[r]?_ -> ticket = 0 }
	}
}

proctype Listener() {
	byte todo = ORDERS, ticket, to;

	{
end_turn:	do
		/* a ticket has got its slot */
		:: atomic { todo > 0 && ticket == 0 && state == FREE -> todo--; fill(LISTENER, GRANTED); ticket = number }
		/* pool_give(): sends the order, and then notes it */
		:: atomic { ticket != 0 && idle[0] -> idle[0] = false; to = 0 };
			goto send
		:: atomic { ticket != 0 && idle[1] -> idle[1] = false; to = 1 };
			goto send
		:: atomic { gone[0] && !buried[0] -> to = 0; goto bury }
		:: atomic { gone[1] && !buried[1] -> to = 1; goto bury }
		od;
send:		if
		:: atomic { gone[to] -> to = 0; goto end_turn }
		:: atomic { !gone[to] -> orders[to]!ticket }
#ifndef MUTATE_NOT_NOTED
			atomic { last[to] = ticket; ticket = 0; to = 0; goto end_turn }
#else
			atomic { ticket = 0; to = 0; goto end_turn }
#endif
		fi;
bury:		/* score_leave(): only if that ticket's slot is still granted and not taken */
		atomic {
			if
#ifdef MUTATE_LEAVE_ANY
			:: last[to] != 0 && state != FREE -> state = FREE; holder = NONE; number = 0
#else
			:: last[to] != 0 && state == GRANTED && number == last[to] ->
				assert(holder == LISTENER);
				free_slot(LISTENER)
#endif
			:: else
			fi;
			last[to] = 0
		}
		atomic { reap(LISTENER); buried[to] = true; idle[to] = false; to = 0; goto end_turn }
	} unless {
		atomic { dies[LISTENER]?_ -> ticket = 0; todo = 0; to = 0 }
	}
}

proctype Other() {
	byte left = 1;

end_other:
	do
	:: atomic { left > 0 && state == FREE -> left--; fill(OTHER, BUSY) }
		atomic { assert(serves == NONE); serves = OTHER };
		serves = NONE;
		atomic { free_slot(OTHER) }
	/* a guard, while a process waits; it is not there while the listener is */
	:: atomic { state != FREE && holder != NONE && gone[holder] -> reap(OTHER) }
	od
}

inline kill(p) {
	kills--;
	gone[p] = true;
	serves = (serves == p -> NONE : serves);
	if
	:: p < RELAYS && len(orders[p % RELAYS]) -> orders[p % RELAYS]?_
	:: else
	fi
}

proctype Killer() {
end_kill:
	do
	:: atomic { kills > 0 && !gone[0] -> kill(0); dies[0]!true }
	:: atomic { kills > 0 && !gone[1] -> kill(1); dies[1]!true }
	:: atomic { kills > 0 && !gone[LISTENER] -> kill(LISTENER); dies[LISTENER]!true }
	od
}

/* Nothing can happen any more. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		assert(state == FREE || (holder == LISTENER && !gone[LISTENER] && gone[0] && gone[1] && number + 1 == next_ticket));
		assert(serves == NONE)
	}
}

init {
	atomic {
		select (kills : 0 .. KILLS);
		run Relay(0);
		run Relay(1);
		run Listener();
		run Other();
		run Killer();
		run Final()
	}
}
