/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * share.pml: gateways that lease shares of one node's cores from an engine.
 *
 * Two gateways have a limit each, connections, and at most two commits under way. A
 * commit is applied at any later time, or never; its answer may be lost. Then the
 * gateway is unsettled: it writes its epoch, and reads. A lease may lapse; then the
 * gateway's connections are closed, and the other one takes its share, if the
 * engine still has the same heartbeat. Clocks are not modelled: a lease ends and
 * its connections are closed before the other gateway takes the share, as gateway.c
 * has it.
 *
 * Checked: neither shares nor connections of both are ever more than the cores.
 *
 * Bounds: CORES, COMMITS, SETTLES and LAPSES. Mutations, each of which must fail:
 *   NO_EPOCH      a settlement only reads
 *   GIVE_EARLY    a share is given while its connection goes on
 *   RAISE_UNSURE  a gateway without an answer goes on with what it reads
 *   RENEW_BLIND   a heartbeat is renewed whether it was deleted or not
 *   RECLAIM_BLIND a share is taken whether the heartbeat is the same or not
 */

#ifndef CORES
#define CORES 2
#endif
#ifndef COMMITS
#define COMMITS 3
#endif
#ifndef SETTLES
#define SETTLES 1
#endif
#ifndef LAPSES
#define LAPSES 1
#endif

#define GIVE 1
#define TAKE 2
#define RECLAIM 3

#define other (1 - i)

/* The engine */
byte share[2], revision, epoch[2], heartbeat[2];
bool gone[2];                        /* its heartbeat was deleted */

/* A gateway */
byte limit[2], busy[2], known[2], seen[2]; /* known: its share, at the revision seen */
bool promised[2];                    /* others leave its share alone: since its heartbeat was sent its lease is not over */
bool lease[2], settled[2], written[2], lowered[2], waits[2];
byte commits, settles, lapses;

/* Commits under way, two of each gateway; kind 0: none. answer: the gateway waits for it. */
typedef commit {
	byte kind, revision, epoch, heartbeat;
	bool answer;
}
commit under_way[4];

inline send(what) {
	d_step {
		if
		:: under_way[2 * i].kind == 0 -> slot = 2 * i
		:: else -> slot = 2 * i + 1
		fi;
		under_way[slot].kind = what;
		under_way[slot].revision = seen[i];
		under_way[slot].epoch = epoch[i];
		under_way[slot].heartbeat = heartbeat[other];
		under_way[slot].answer = true;
		waits[i] = true;
		commits++;
		slot = 0
	}
}

#define may_send (commits < COMMITS && settled[i] && !waits[i] && (under_way[2 * i].kind == 0 || under_way[2 * i + 1].kind == 0))

inline look() {
	seen[i] = revision;
	known[i] = share[i]
}

proctype gateway(byte i) {
	byte slot;

end:	do
	/* connections */
	:: atomic { lease[i] && busy[i] < limit[i] -> busy[i]++ }
	:: atomic { busy[i] > 0 -> busy[i]-- }

	/* The watch tells of changes, or is late. The limit rises after the share. */
	:: atomic { settled[i] && !waits[i] && !lowered[i] && seen[i] != revision -> look(); limit[i] = known[i] }

	/* give: the limit falls, the connection ends, the share is given */
	:: atomic { settled[i] && !waits[i] && !lowered[i] && known[i] > 0 && lease[i] && commits < COMMITS ->
		limit[i] = known[i] - 1; lowered[i] = true }
#ifdef MUTATE_GIVE_EARLY
	:: atomic { lowered[i] && may_send -> send(GIVE) }
#else
	:: atomic { lowered[i] && busy[i] <= limit[i] && may_send -> send(GIVE) }
#endif
	:: atomic { !lowered[i] && may_send && lease[i] -> send(TAKE) }
	:: atomic { !lowered[i] && may_send && !promised[other] && busy[other] == 0 -> send(RECLAIM) }

	/* No answer comes. */
	:: atomic { waits[i] ->
		waits[i] = false; under_way[2 * i].answer = false; under_way[2 * i + 1].answer = false;
#ifdef MUTATE_RAISE_UNSURE
		lowered[i] = false
#else
		settled[i] = false
#endif
	   }

	/* Settling: the epoch, and the heartbeat, are written; then the share is read. */
	:: atomic { !settled[i] && !written[i] && settles < SETTLES ->
		settles++;
#ifndef MUTATE_NO_EPOCH
		epoch[i]++;
#endif
		heartbeat[i]++; gone[i] = false; promised[i] = true; written[i] = true }
	:: atomic { written[i] -> look(); limit[i] = known[i]; lowered[i] = false; settled[i] = true; written[i] = false;
		lease[i] = promised[i] }

	/* The lease ends; then everything is closed. */
	:: atomic { lapses < LAPSES && promised[i] -> lapses++; promised[i] = false; lease[i] = false }
	:: atomic { !lease[i] && busy[i] > 0 -> busy[i] = 0 }

	/* The heartbeat is renewed, if it is there. */
#ifdef MUTATE_RENEW_BLIND
	:: atomic { !lease[i] && settled[i] -> heartbeat[i]++; gone[i] = false; promised[i] = true; lease[i] = true }
#else
	:: atomic { !lease[i] && settled[i] && !gone[i] -> heartbeat[i]++; promised[i] = true; lease[i] = true }
	:: atomic { !lease[i] && settled[i] && gone[i] -> settled[i] = false; waits[i] = false;
		under_way[2 * i].answer = false; under_way[2 * i + 1].answer = false }
#endif
	od
}

/* What a commit compares. */
#ifdef MUTATE_NO_EPOCH
#define holds(m) (m.revision == revision)
#else
#define holds(m) (m.revision == revision && m.epoch == epoch[i])
#endif
#ifdef MUTATE_RECLAIM_BLIND
#define is_dead(m) true
#else
#define is_dead(m) (m.heartbeat == heartbeat[other] || gone[other])
#endif

inline apply(m) {
	applied = false;
	if
	:: m.kind == GIVE && holds(m) && share[i] > 0 -> share[i]--; share[other]++; applied = true
	:: m.kind == TAKE && holds(m) && share[0] + share[1] < CORES -> share[i]++; applied = true
	:: m.kind == RECLAIM && holds(m) && is_dead(m) -> share[other] = 0; gone[other] = true; applied = true
	:: else
	fi;
	if
	:: applied -> revision++
	:: else
	fi;
	/* The answer. */
	if
	:: m.answer ->
		waits[i] = false;
		if
		:: applied -> look()
		:: else
		fi;
		limit[i] = (known[i] < limit[i] || !lowered[i] || m.kind == GIVE -> known[i] : limit[i]);
		lowered[i] = false
	:: else
	fi;
	m.kind = 0; m.revision = 0; m.epoch = 0; m.heartbeat = 0; m.answer = false
}

/* Applies commits in any order, or loses them. */
proctype network() {
	byte n, i;
	bool applied;

end:	do
	:: atomic {
		if
		:: under_way[0].kind != 0 -> n = 0
		:: under_way[1].kind != 0 -> n = 1
		:: under_way[2].kind != 0 -> n = 2
		:: under_way[3].kind != 0 -> n = 3
		fi;
		i = n / 2;
		apply(under_way[n]);
		n = 0; i = 0; applied = false;
		assert(share[0] + share[1] <= CORES)
	   }
	:: atomic {
		if
		:: under_way[0].kind != 0 && !under_way[0].answer -> n = 0
		:: under_way[1].kind != 0 && !under_way[1].answer -> n = 1
		:: under_way[2].kind != 0 && !under_way[2].answer -> n = 2
		:: under_way[3].kind != 0 && !under_way[3].answer -> n = 3
		fi;
		under_way[n].kind = 0; under_way[n].revision = 0; under_way[n].epoch = 0; under_way[n].heartbeat = 0;
		n = 0
	   }
	od
}

active proctype cap() {
end:	atomic { busy[0] + busy[1] > CORES -> assert(busy[0] + busy[1] <= CORES) }
}

init {
	atomic {
		share[0] = CORES; known[0] = CORES; limit[0] = CORES;
		lease[0] = true; lease[1] = true; promised[0] = true; promised[1] = true; settled[0] = true; settled[1] = true;
		run gateway(0); run gateway(1); run network()
	}
}
