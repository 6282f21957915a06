/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * agent.h: what the agent, a program on a node, says of the node by the line of
 * HAProxy's agent-check. It is stored apart from an administrator's hold and from
 * what probes and connects find: only the agent undoes its words.
 */

#include <stdint.h>

#include "list/reason.h"

#define AGENT_TEXT_MAX 63

enum {
	AGENT_DOWN = 1 << 0,
	AGENT_DRAIN = 1 << 1,
	AGENT_MAINT = 1 << 2,
	AGENT_PERCENT = 1 << 3,  /* weight is a share of the node's own speed */
	AGENT_WEIGHT = 1 << 4,   /* weight replaces the node's own speed */
	AGENT_LIMIT = 1 << 5,    /* limit counts */
};

/* Stored in the node's record as it is. */
struct agent {
	uint32_t words;          /* bits of the above */
	uint32_t weight;
	uint32_t limit;
	uint32_t reserved;
};

/* A line of an agent, with the words that count after it: a word that the line does not mention stays as it was. */
struct agent_line {
	struct agent agent;
	char why[AGENT_TEXT_MAX + 1];     /* the text behind the #, may be empty */
	char unknown[AGENT_TEXT_MAX + 1]; /* the first unknown word, or empty */
};

/* Reads a line, which ends with its NUL, and applies it to what was said before. Unknown words are passed over. */
void agent_read(const char *text, const struct agent *before, struct agent_line *ret);

/* Why the agent keeps new connections from its node, or REASON_NONE. */
enum node_reason agent_reason(const struct agent *agent);

/* A speed in thousandths as the agent changes it: 1 to 1000000000. */
uint32_t agent_speed(const struct agent *agent, uint32_t speed);

/* How many connections at once a node with so many cores takes; at least 1. */
uint32_t agent_limit(const struct agent *agent, uint32_t cores);

/* Writes the agent's words as one line, "drain 50% maxconn:3"; empty if it said nothing. */
void agent_format(const struct agent *agent, char ret[static AGENT_TEXT_MAX + 1]);
