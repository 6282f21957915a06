/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edge.c: the line that tells a change of a node's state, the same in relays and
 * the prober.
 */

#include <stdio.h>

#include "types.h"
#include "system/timespan.h"

/* The state in words for people: a node that a connection may try is still down. */
static const char *state_word(enum node_state state)
{
	return node_state_to_string(state == NODE_RETRY ? NODE_DOWN : state);
}

void score_edge_describe(const char *node, const struct score_edge *edge, const char *detail, char *buffer, size_t size)
{
	const char *after = state_word(edge->after), *before = state_word(edge->before);
	const char *reason = reason_to_string(edge->reason), *colon = detail && *detail ? ": " : "";
	char lasted[64];

	(void)timespan_format(edge->lasted_usec, lasted, sizeof(lasted));
	if (!detail)
		detail = "";
	if (edge->after != NODE_UP)
		(void)snprintf(buffer, size, "%s is %s: %s%s%s (was %s for %s)", node, after, reason, colon, detail, before,
			       lasted);
	else if (*reason)
		(void)snprintf(buffer, size, "%s is up (was %s for %s, the reason was: %s%s%s)", node, before, lasted, reason, colon,
			       detail);
	else
		(void)snprintf(buffer, size, "%s is up (was %s for %s)", node, before, lasted);
}
