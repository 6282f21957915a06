/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * report.h: what a relay says about its connections and their nodes. Nothing
 * here waits: see system/log.h.
 */

#include <stdint.h>

#include "address.h"
#include "scoreboard.h"

/* Which party ended a connection, and in which phase: the two letters of COREBALANCE_END. */
enum ended_by {
	END_CLEAN = '-',      /* both sides had ended */
	END_CLIENT = 'C',
	END_NODE = 'S',
	END_RESOURCES = 'R',  /* this machine, or a limit that was set */
	END_ADMIN = 'K',      /* SIGTERM */
};

enum end_phase {
	PHASE_QUEUE = 'Q',
	PHASE_CONNECT = 'C',
	PHASE_DATA = 'D',
	PHASE_DONE = '-',
};

/* What the two letters leave open. */
enum end_cause {
	CAUSE_PLAIN,
	CAUSE_QUEUE_LIMIT,
	CAUSE_QUEUE_TIMEOUT,
	CAUSE_DOWN_TIMEOUT,
	CAUSE_IDLE_TIMEOUT,
	CAUSE_VANISHED,       /* the machine of the party that ended the connection vanished */
	CAUSE_NO_HEADER,      /* the client was to send a PROXY header, and sent nothing, or not all of it */
	CAUSE_BAD_HEADER,     /* the client sent something else */
	CAUSE_KILLED,         /* its relay was killed */
};

#define REPORT_ID_MAX 127

/* What is told of a connection at its end. The time of a phase that was never reached is UINT64_MAX. */
struct record {
	char client[ADDRESS_MAX];      /* with its port */
	char id[REPORT_ID_MAX + 1];    /* of the connection, as its node was told; empty: it reached no node */
	uint64_t ticket;               /* of the slot; 0: the connection had none */
	char node[NODE_NAME_MAX + 1];  /* empty: the connection reached no node */
	char node_local[ADDRESS_MAX];  /* our address towards the node: what the node's log has */
	uint32_t slot;                 /* of the node */
	uint64_t wait_usec, connect_usec, total_usec;
	uint64_t in, out;              /* bytes from the client to the node, and back */
	unsigned failed_nodes;         /* tried in vain */
	enum ended_by ended_by;
	enum end_phase end_phase;
	enum end_cause end_cause;
};

/*
 * Decides which connections have a line: "all" (the default), "failed" (the
 * connections that did not end cleanly), "slow=TIME" (those, and the connections
 * that took so long), "sample=N" (those, and of the others each that has a ticket
 * which N divides: one in N, over all processes), or "none". 0 or -errno.
 */
int report_choose(const char *text);

/* Sets the name for COREBALANCE_FARM. The text must live until the process ends. */
void report_set_farm(const char *name);

/* A name for a connection that no other connection of the farm has, made of its ticket and the time of its accept. */
void report_make_id(uint64_t ticket, uint64_t accepted_usec, char ret[static REPORT_ID_MAX + 1]);

/* Says a line, at a syslog(3) priority. */
void report_message(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The mistakes of a node list, or the first of many. */
void report_mistakes(const struct nodelist *list);

/* The node list at a path was taken as it is, and it is empty. */
void report_no_nodes(const char *path);

/* The end of a connection; always: whatever report_choose() said. */
void report_connection(const struct record *record, bool always);

/* Says that a node went down or came up because of a connection; nothing if edge is no change. */
void report_node(const char *node, const struct score_edge *edge);
