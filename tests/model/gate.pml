/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * gate.pml: which process takes the next connection, for spin(1), with relays
 * killed at any point. tests/model.bats runs it.
 *
 * What is modelled, and where it is in the code
 *   Relay        relay.c: find_work() and what it calls; gate.c. A number in the gate, for all its relays in turn.
 *   Listener     listener.c: listener_turn() and the events before it; pool.c.
 *   Client       connections that come, CONNECTIONS of them, into the backlog.
 *   arrive       the kernel: a connection wakes one process of those that sleep in epoll with EPOLLEXCLUSIVE. A process
 *                that does not sleep in its epoll finds the connection in its list at the next epoll_wait().
 *   Killer       SIGKILL, KILLS times in a run, to any relay between any two steps.
 *   Final        what must be true when nothing can happen any more.
 *
 * A relay accepts and claims in one section, newcomer.c. If the farm is full, it leaves the connection to the listener.
 *
 * What a step is. One atomic operation on the gate's memory, or one system call. The scoreboard is a number of
 * slots here, and the waiter gets the next slot: queue.pml is about that. A choice that looks at the process's own
 * variables alone is part of a step, and a variable that is not read any more is 0: a search is half as long.
 *
 * Time. A timer that is set fires at any time, but not if that would change nothing. A connection may last for
 * ever, so no process may rely on its relay.
 *
 * With -DMANY there are several listening sockets (one of them is used). With -DOWNED the socket ends with the
 * listener; else it stays, as systemd's do. With -DEXIT_IDLE the listener ends when it is idle.
 *
 * What is left out: SIGTERM to a relay that is busy; the death of the listener (every relay ends then); shortages of
 * this machine, and the call for which a listener that is short of descriptors asks (CALL_TAKEN): the timer closes the
 * copy of a taken connection, too.
 *
 * What is checked
 *   one order        a connection is accepted in the section that gives it its ticket: tickets are in the order of the
 *                    backlog (where accepted is counted), and no relay takes a slot while a connection waits
 *   one connection   no relay has two, or is given a connection while it has one (at "has")
 *   no order lost    a relay that was not killed does not end with an order unread (in end_relay)
 *   no wake-up lost  when nothing can happen any more, no connection is pending while a slot is free and a relay is
 *                    idle, or could be made; nor does a connection wait in the listener with such a slot (Final)
 *   no client lost   a client is lost only with a relay that had taken it (accepted == ... in Final)
 *   stopping ends    as soon as every connection has been served (Final)
 *   no slot lost     every slot is free or held by a live relay (Final)
 *
 * -DMUTATE_... breaks one rule each; then a check must fail, else it checks nothing.
 */

#ifndef RELAYS
#define RELAYS 2
#endif
#ifndef AHEAD
#define AHEAD 1           /* the least number of relays while the gate is open */
#endif
#ifndef START
#define START 2           /* the number of relays at the start */
#endif
#ifndef CONNECTIONS
#define CONNECTIONS 2
#endif
#ifndef PER_RELAY
#define PER_RELAY 2       /* connections that a relay serves before it retires */
#endif
#ifndef SLOTS
#define SLOTS 1
#endif
#ifndef LIMIT
#define LIMIT 8           /* --queue-limit */
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef STOPS
#define STOPS 0
#endif
#ifndef TERMS
#define TERMS 0           /* times that SIGTERM ends a relay that sleeps */
#endif
#ifndef REVOKES
#define REVOKES 0         /* times that a relay is slow to take a given connection */
#endif
#ifndef TRIMS
#define TRIMS 0           /* times that all idle relays but one are ended */
#endif

mtype = { LISTENER, RELAYS_DO, CLOSED, ABSENT, COMING, IDLE, GIVEN, TAKING, REVOKED, BUSY, RETIRED };

/* The gate. */
mtype position = LISTENER;
mtype state[RELAYS] = ABSENT;
bool call_no_idle, call_all_idle, told_full;
bool call_event, open_event;

/* Sockets. */
byte arrived, accepted;
bool ended_socket;
chan orders[RELAYS] = [2] of { bool };
bool closed[RELAYS];           /* the listener's end of the channel */
chan dies[RELAYS] = [0] of { bool }; /* SIGKILL, which a process takes wherever it stands */
bool asleep[RELAYS], ready[RELAYS], watches[RELAYS]; /* in epoll_wait(); has it in its list; has an epoll */

/* The scoreboard. */
byte slots = SLOTS, waiting;
byte tickets;                  /* given so far: each accepted connection has a ticket */
byte held[RELAYS];
bool given[RELAYS];            /* the listener's descriptor of the connection that it gave to the relay */
bool untaken[RELAYS];          /* the slot of that connection, the listener's until the relay takes it */
byte past;                     /* connections that were served, or lost with a relay that was killed while it had them */
bool granted;                  /* a slot, to the first connection that waits in the listener */

/* Relays. */
bool member[RELAYS], forked[RELAYS], reserved[RELAYS], gone[RELAYS], has[RELAYS], for_ever[RELAYS];
byte kills, trims = TRIMS, terms = TERMS, revokes = REVOKES;

/* The listener. */
bool listening, stopping, ended;
bool pending_time, reopen_time, pause_time, idle_time;
bool dropped;                  /* a relay has ended otherwise than by retiring, since the listener last looked at that */

#define PENDING (arrived > accepted && !ended_socket)
#ifdef MUTATE_OVERTAKE
#define IS_FREE (slots > 0)
#else
#define IS_FREE (slots > 0 && waiting == 0)
#endif
#if RELAYS == 2
#define ANY(what) (what(0) || what(1))
#else
#define ANY(what) (what(0) || what(1) || what(2))
#endif
#define IS_ABSENT(r) (!member[r])
#define IS_IDLE(r) (state[r] == IDLE)
#define IS_COMING(r) (state[r] == COMING)
#define IS_BUSY(r) (state[r] != ABSENT && state[r] != COMING && state[r] != IDLE)
#define IS_UNTAKEN(r) (state[r] == GIVEN || state[r] == TAKING)
#define IS_TAKEN(r) (given[r] && !IS_UNTAKEN(r) && state[r] != ABSENT)
#define IS_DEAD(r) (member[r] && gone[r])
#define COUNT_IDLE ((state[0] == IDLE) + (state[1] == IDLE) MORE_IDLE)
#define COUNT_THERE (IS_IDLE(0) + IS_IDLE(1) + IS_COMING(0) + IS_COMING(1) MORE_THERE)
#define COUNT_MEMBERS (member[0] + member[1] MORE_MEMBERS)
#if RELAYS == 2
#define MORE_IDLE
#define MORE_THERE
#define MORE_MEMBERS
#else
#define MORE_IDLE + (state[2] == IDLE)
#define MORE_THERE + IS_IDLE(2) + IS_COMING(2)
#define MORE_MEMBERS + member[2]
#endif

byte i;                        /* scratch: 0 between steps */

/* ---- relays ---- */

inline be_idle(r) {
	if
	:: idle
	:: !idle -> idle = true; state[r] = IDLE
	fi;
	ordered = false
}

#ifdef EXIT_IDLE
inline tell_if_all_idle() {
	if
	:: call_all_idle ->
		atomic { found = ANY(IS_BUSY) };
		if
		:: atomic { !found && call_all_idle -> call_all_idle = false; call_event = true }
		:: atomic { found || !call_all_idle -> found = false }
		fi
	:: !call_all_idle
	fi
}
#define TELL ; tell_if_all_idle()
#else
#define TELL
#endif

inline rest(r) {
	atomic { be_idle(r) } TELL
}

inline end_relay(r) {
	d_step {
		assert(!len(orders[r]) && !has[r]);
		gone[r] = true;
		asleep[r] = false; ready[r] = false; watches[r] = false;
		idle = false; found = false; ordered = false; at = 0; left = 0
	}
}

/* What is left of a relay that is killed */
inline forget(r) {
	d_step {
		gone[r] = true;
		past = past + (has[r] && state[r] != TAKING);
		asleep[r] = false; ready[r] = false; watches[r] = false; has[r] = false; for_ever[r] = false;
		forked[r] = false; reserved[r] = false;
		i = 0;
		do
		:: nempty(orders[r]) -> orders[r]?_
		:: empty(orders[r]) -> break
		od
	}
}

proctype Relay(byte r) {
	byte left, at;
	bool idle, found, ordered;     /* ordered: the listener accepted its connection */
#ifdef MUTATE_ACCEPT_FIRST
	byte came;
#endif

end_absent:
	do
	:: atomic { forked[r] -> forked[r] = false; left = PER_RELAY; watches[r] = true; ready[r] = PENDING || ended_socket };
		{
			if
			:: atomic { reserved[r] -> reserved[r] = false; goto await_order }
			:: atomic { !reserved[r] -> be_idle(r) } TELL
			fi;

find_work:
look:                   if
			:: atomic { position == RELAYS_DO -> goto sleep }
#ifndef MANY
			/* no other relay was idle */
			:: atomic { position == RELAYS_DO -> goto accept_one }
#endif
			:: atomic { position == LISTENER -> goto while_listener_accepts }
			:: atomic { position == CLOSED -> goto no_work }
			fi;
accept_one:             atomic {
				idle = false; ordered = false;
				if
#ifdef MUTATE_TAKE_ANYWAY
				:: true -> state[r] = BUSY
#else
				:: state[r] == IDLE -> state[r] = BUSY
				:: else -> goto await_order
#endif
				fi
			}
			/* score_claim(): one section, in which the relay accepts */
			if
#ifdef MUTATE_ACCEPT_FIRST
			:: atomic { PENDING && IS_FREE -> came = accepted; accepted++; slots--; held[r]++; has[r] = true };
				atomic { assert(came == tickets); tickets++ }
#else
			:: atomic { PENDING && IS_FREE ->
				assert(waiting == 0 && accepted == tickets && !has[r]);
				accepted++; tickets++; slots--; held[r]++; has[r] = true
			   }
#endif
			:: atomic { !ended_socket && !IS_FREE -> goto is_full }
			:: atomic { ended_socket -> goto no_work }
			:: atomic { !PENDING && !ended_socket && IS_FREE -> goto nothing_there }
			fi;
			/* gate_took() */
			if
			:: atomic { !call_no_idle -> goto serve }
			:: atomic { call_no_idle }
			fi;
			/* whether any relay is idle: one load a step, like the code */
			do
			:: atomic {
				if
				:: state[at] == IDLE -> at = 0; goto serve
				:: else -> at++
				fi;
				if
				:: at == RELAYS -> at = 0; break
				:: else
				fi
			   }
			od;
			if
			:: atomic { call_no_idle -> call_no_idle = false; call_event = true; goto serve }
			:: atomic { !call_no_idle -> goto serve }
			fi;
is_full:                 /* gate_tell_full(), and a pause: wait_full() */
#ifndef MUTATE_FULL_UNTOLD
			if
			:: atomic { !told_full -> told_full = true }
				call_event = true
			:: atomic { told_full }
			fi;
#endif
			rest(r);
end_full:               if
			:: atomic { nempty(orders[r]) -> goto receive }
			:: atomic { empty(orders[r]) && closed[r] -> goto no_work }
			:: atomic { empty(orders[r]) && !closed[r] && (position != RELAYS_DO || IS_FREE || ended_socket) -> goto look }
#if TERMS
			:: atomic { terms > 0 -> terms--; goto no_work }
#endif
			fi;
nothing_there:          rest(r);
#ifdef MUTATE_SLEEP_AT_ONCE
			goto sleep;
#endif
			if
			:: atomic { position == RELAYS_DO -> goto sleep }
			:: atomic { position != RELAYS_DO -> goto look }
			fi;
sleep:                  asleep[r] = true;
end_asleep:             if
			:: atomic { ready[r] && (PENDING || ended_socket) -> asleep[r] = false }
				if
				:: atomic { position == RELAYS_DO -> goto accept_one }
				:: atomic { position != RELAYS_DO -> goto look }
				fi
			:: atomic { ready[r] && !PENDING && !ended_socket -> ready[r] = false; goto end_asleep }
			:: atomic { nempty(orders[r]) -> asleep[r] = false; goto receive }
			:: atomic { empty(orders[r]) && closed[r] -> asleep[r] = false; goto no_work }
#if TERMS
			:: atomic { terms > 0 -> terms--; asleep[r] = false; goto no_work }
#endif
			fi;

while_listener_accepts:
end_shut:               if
			:: atomic { nempty(orders[r]) -> goto receive }
			:: atomic { empty(orders[r]) && closed[r] -> goto no_work }
			:: atomic { empty(orders[r]) && !closed[r] && open_event -> goto look }
#if TERMS
			:: atomic { terms > 0 -> terms--; goto no_work }
#endif
			fi;

no_work:                /* the end of find_work() */
#ifdef MUTATE_END_ANYWAY
			goto over;
#endif
			atomic {
				if
				:: !idle -> goto over
				:: idle && state[r] == IDLE -> idle = false; state[r] = BUSY; goto over
				:: idle && state[r] != IDLE -> idle = false
				fi
			}
await_order:
end_await:              if
			:: atomic { nempty(orders[r]) -> goto receive }
			:: atomic { empty(orders[r]) && closed[r] -> goto over }
			fi;

receive:                atomic {
				orders[r]?_; idle = false; ordered = true;
				if
				:: state[r] == GIVEN -> state[r] = TAKING
				:: else -> goto revoked
				fi
			}
			/* score_take() */
			atomic { assert(!has[r] && untaken[r]); untaken[r] = false; held[r]++; has[r] = true };
			/* gate_taken() */
			state[r] = BUSY;

serve:                  if
			/* score_release(), and the line */
			:: atomic {
				true ->
				slots++; held[r]--; left--; has[r] = false; past++;
				if
				:: left > 0
#ifdef MUTATE_RETIRE_ORDERED
				:: left == 0 -> goto retire
#else
				:: left == 0 && !ordered -> goto retire
				:: left == 0 && ordered -> goto over
#endif
				fi
			   }
			:: atomic { true -> for_ever[r] = true };
end_for_ever:                   false
			fi;
			rest(r);
			goto find_work;
revoked:		rest(r);
			goto find_work;
retire:                 state[r] = RETIRED; /* gate_retire() */
over:                   end_relay(r)
		} unless {
			atomic { dies[r]?_ -> forget(r); idle = false; found = false; ordered = false; at = 0; left = 0 }
		}
	od
}

/* ---- the listener ---- */

inline set_position(new) {
	if
	:: position == new
	:: atomic { position != new -> position = new }
		open_event = (new != LISTENER)
	fi
}

inline fork_one(as) {
	d_step {
		i = 0;
		do
		:: member[i] -> i++
		:: else -> break
		od;
		member[i] = true; forked[i] = true; gone[i] = false; closed[i] = false;
		reserved[i] = (as == GIVEN);
		state[i] = as;
		number = i; i = 0
	}
}

/* Reserves relay r. A connection that it was given earlier is over: taken, served and ended. */
inline reserve(r) {
	state[r] = GIVEN;
#ifndef MUTATE_FORGET_TO_SETTLE
	given[r] = false
#endif
}

/* pool_settle() */
inline settle() {
	d_step {
		for (i : 0 .. RELAYS - 1) {
			given[i] = given[i] && !IS_TAKEN(i)
		}
		i = 0
	}
}

inline grow(n) {
	do
	:: atomic { COUNT_THERE < n && ANY(IS_ABSENT) -> fork_one(COMING); number = 0 }
	:: !(COUNT_THERE < n && ANY(IS_ABSENT)) -> break
	od
}

/* pool_give(): a waiter has a slot. */
inline give_one() {
	do
	:: atomic { number < RELAYS && member[number] && !closed[number] && state[number] == IDLE -> reserve(number) }
		if
		:: atomic { !gone[number] -> break }
		:: atomic { gone[number] -> closed[number] = true; number++ }
		fi
	:: atomic { number < RELAYS && !(member[number] && !closed[number] && state[number] == IDLE) -> number++ }
	:: atomic { number == RELAYS && ANY(IS_ABSENT) -> fork_one(GIVEN); break }
	:: atomic { number == RELAYS && !ANY(IS_ABSENT) -> break }
	od;
	atomic {
		if
		:: number < RELAYS && gone[number] -> closed[number] = true
		:: number < RELAYS && !gone[number] ->
			assert(state[number] == GIVEN && !has[number] && !len(orders[number]));
			waiting--; granted = false; untaken[number] = true;
#ifndef MUTATE_CLOSE_EARLY
			given[number] = true;
#endif
			orders[number]!true
		:: number == RELAYS -> pause_time = true
		fi;
		number = 0
	}
}

/* pool_shrink(): the highest ones first. */
inline shrink(n) {
	number = RELAYS;
	do
	:: atomic { number > 0 && COUNT_IDLE > n -> number--;
		if
		:: member[number] && !closed[number] && state[number] == IDLE -> reserve(number); closed[number] = true
		:: else
		fi
	   }
	:: atomic { number == 0 || COUNT_IDLE <= n -> number = 0; break }
	od
}

#define HAS_ROOM (waiting < LIMIT)
#define HAS_FEW (COUNT_MEMBERS < AHEAD || PER_RELAY == 1)
#define WANTED (stopping && waiting == 0 -> CLOSED : (open -> RELAYS_DO : LISTENER))

inline set_calls() {
#ifndef MUTATE_NOT_ASKED
	call_no_idle = open && !pending_time;
#else
	call_no_idle = false;
#endif
#ifdef EXIT_IDLE
	call_all_idle = !idle_time
#endif
}

/* exit_if_idle() */
inline end_if_over() {
	if
	:: stopping && waiting == 0 && COUNT_MEMBERS == 0 ->
		ended = true; listening = false; call_event = false;
		pending_time = false; reopen_time = false; pause_time = false; idle_time = false; goto end_ended
	:: else
	fi
}

proctype Listener() {
	byte number;
	bool open, look, ripe = true;

	grow(START);
turn:   atomic {
		settle(); listening = false; open = false;
		if
		:: waiting == 0 || pause_time -> goto set_gate
		:: else
		fi
	}
	/* serve_waiters() */
	do
	:: atomic { !pause_time && waiting > 0 && !granted && slots > 0 -> slots--; granted = true }
	:: !pause_time && granted -> give_one()
	:: pause_time || waiting == 0 || (!granted && slots == 0) -> break
	od;

set_gate:
	atomic {
		if
		:: stopping -> open = false
		:: !stopping && (told_full || waiting > 0 || !IS_FREE) -> told_full = false; ripe = false; open = false
		:: !stopping && !told_full && waiting == 0 && IS_FREE -> open = true
		:: !stopping && !told_full && waiting == 0 && IS_FREE && !ripe -> open = false; reopen_time = true
		fi;
		look = open && (position != RELAYS_DO || dropped);
		dropped = false;
		if
		:: position == WANTED -> goto positioned
		:: else
		fi
	}
	position = WANTED;
	open_event = (position != LISTENER);
positioned:
	if
	:: position == CLOSED -> shrink(0); set_calls()
	:: atomic { position != CLOSED -> set_calls() }
	fi;
	atomic {
		settle();
		if
		:: !open -> listening = !stopping && !pause_time && HAS_ROOM; end_if_over(); goto decided
		:: open && HAS_FEW -> goto grow_more
		:: open && !HAS_FEW && look -> goto look_at_backlog
		:: open && !HAS_FEW && !look -> goto decide
		fi
	}
grow_more:
	grow(AHEAD);
look_at_backlog:
#ifndef MUTATE_LOOK_AT_NOTHING
	/* the connection may have woken a relay that did not come to accept it */
	if
	:: atomic { look && PENDING -> pending_time = true; call_no_idle = false }
	:: !look || !PENDING
	fi;
#endif
decide: atomic {
		listening = !pause_time && !pending_time && !ANY(IS_IDLE) && !ANY(IS_COMING); open = false; look = false;
		end_if_over()
	}
decided:
#ifdef EXIT_IDLE
	if
	:: !stopping && !idle_time && waiting == 0 && !ANY(IS_BUSY) ->
		if
		:: idle_time = true
		:: !PENDING -> goto stop
		:: PENDING
		fi
	:: else
	fi;
#endif

end_event:
	if
	:: atomic { call_event -> call_event = false }
	:: atomic { waiting > 0 && (granted || slots > 0) && !pause_time }        /* a wake-up */
	:: atomic { ANY(IS_DEAD) ->
		d_step {
			/* bury() */
			i = 0;
			do
			:: !IS_DEAD(i) -> i++
			:: else -> break
			od;
			slots = slots + held[i] + untaken[i];
#ifndef MUTATE_DROP_UNSEEN
			dropped = dropped || state[i] != RETIRED;
#endif
			if
			:: given[i] && IS_UNTAKEN(i) -> waiting++      /* it has its place again */
			:: else
			fi;
			member[i] = false; state[i] = ABSENT; gone[i] = false; closed[i] = false;
			held[i] = 0; untaken[i] = false; given[i] = false;
			i = 0
		}
	   }
#if REVOKES
#ifdef MUTATE_REVOKE_TAKING
#define IS_REVOCABLE(r) (given[r] && IS_UNTAKEN(r) && !gone[r])
#else
#define IS_REVOCABLE(r) (given[r] && state[r] == GIVEN && !gone[r])
#endif
	:: atomic {
		revokes > 0 && ANY(IS_REVOCABLE) ->
		revokes--;
		d_step {
			i = 0;
			do
			:: !IS_REVOCABLE(i) -> i++
			:: else -> break
			od;
			state[i] = REVOKED; given[i] = false; slots = slots + untaken[i]; untaken[i] = false; waiting++;
			i = 0
		}
	   }
#endif
	:: atomic { listening && PENDING && position == RELAYS_DO -> listening = false; pending_time = true }
	:: atomic { listening && PENDING && position != RELAYS_DO -> accepted++; tickets++; waiting++ }   /* score_join() */
	:: atomic { pending_time && (!PENDING || ANY(IS_IDLE) || ANY(IS_ABSENT)) -> pending_time = false }
		if
		:: atomic { PENDING && !ANY(IS_IDLE) -> pending_time = true };
			grow(1)
#ifndef MUTATE_LOOK_AT_NOTHING
		/* idle, but asleep: it goes by way of the queue */
		:: atomic { PENDING && ANY(IS_IDLE) && HAS_ROOM && !stopping -> accepted++; tickets++; waiting++ }
#endif
		:: else
		fi
	:: atomic { reopen_time -> reopen_time = false; ripe = true }
#ifndef MUTATE_COPY_UNTIMED
	:: atomic { ANY(IS_TAKEN) }                                               /* given_time of pool.c */
#endif
	:: atomic { pause_time && (ANY(IS_IDLE) || ANY(IS_ABSENT)) -> pause_time = false }
#if TRIMS
	:: atomic { trims > 0 && COUNT_IDLE > 1 -> trims-- }
		shrink(1)
#endif
#ifdef EXIT_IDLE
	:: atomic { idle_time -> idle_time = false }
#endif
#if STOPS
	:: atomic { !stopping -> goto stop }
#endif
	fi;
	goto turn;

stop:   atomic { stopping = true; listening = false };
	set_position(LISTENER);
#ifdef OWNED
	atomic {
		do
		:: PENDING && HAS_ROOM -> accepted++; tickets++; waiting++
		:: !(PENDING && HAS_ROOM) -> break
		od
	}
	atomic { ended_socket = true; for (i : 0 .. RELAYS - 1) { ready[i] = watches[i] }; i = 0 }
#endif
	goto turn;

end_ended:
	false
}

/* ---- the world ---- */

/* Whether it sleeps in its epoll, and nothing has woken it yet. */
#define SLEEPS(r) (asleep[r] && !ready[r] && !len(orders[r]) && !closed[r])

inline walk(r) {
	if
	:: !woke && watches[r] -> woke = SLEEPS(r); ready[r] = true
	:: else
	fi
}

proctype Client() {
	bool woke;

end_client:
	do
	:: atomic {
		arrived < CONNECTIONS && !ended_socket ->
		arrived++;
		if
		:: true ->
		   walk(0);
		   walk(1)
#if RELAYS > 2
		   ; walk(2)
#endif
		:: true ->
#if RELAYS > 2
		   walk(2);
#endif
		   walk(1);
		   walk(0)
		fi;
		woke = false
	   }
	od
}

proctype Killer() {
end_kill:
	do
	:: atomic { kills > 0 && member[0] && !gone[0] && !forked[0] -> kills--; dies[0]!true }
	:: atomic { kills > 0 && member[1] && !gone[1] && !forked[1] -> kills--; dies[1]!true }
#if RELAYS > 2
	:: atomic { kills > 0 && member[2] && !gone[2] && !forked[2] -> kills--; dies[2]!true }
#endif
	od
}

#define IS_FOR_EVER(r) (for_ever[r])

/* Nothing can happen any more. */
proctype Final() {
end_final:
	timeout ->
	d_step {
		/* a connection waits, in the backlog or in the listener, and yet */
		assert(!PENDING || stopping || !IS_FREE || (!ANY(IS_IDLE) && !ANY(IS_ABSENT)));
		assert(!PENDING || stopping || IS_FREE || !HAS_ROOM || (!ANY(IS_IDLE) && !ANY(IS_ABSENT)));
		assert((!granted && (waiting == 0 || slots == 0)) || (!ANY(IS_IDLE) && !ANY(IS_ABSENT)));
		assert(accepted == tickets);
		assert(accepted == past + waiting + has[0] + has[1]
#if RELAYS > 2
		       + has[2]
#endif
		       );
		assert(!stopping || ended || ANY(IS_FOR_EVER));
#ifdef EXIT_IDLE
		assert(ended || ANY(IS_FOR_EVER) || PENDING);
#endif
		for (i : 0 .. RELAYS - 1) {
			assert(!IS_DEAD(i) && (!held[i] || for_ever[i]) && !untaken[i] && !IS_TAKEN(i))
		}
		assert(slots + granted + held[0] + held[1]
#if RELAYS > 2
		       + held[2]
#endif
		       == SLOTS)
	}
}

init {
	atomic {
		select (kills : 0 .. KILLS);
		run Relay(0);
		run Relay(1);
#if RELAYS > 2
		run Relay(2);
#endif
		run Listener();
		run Client();
		run Killer();
		run Final()
	}
}
