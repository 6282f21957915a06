/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * event.c: a journal entry with fields where stderr is the journal, the same
 * as a line of text anywhere else.
 */

#include "event.h"

#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include <systemd/sd-journal.h>

#include "notify.h"
#include "say.h"

/* "refused" or "connect failed: Protocol not available". */
static void format_reason(enum node_reason reason, const char *detail, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "%s%s%s", reason_to_string(reason), detail ? ": " : "", detail ? detail : "");
}

static bool send_to_journal(const char *node, const struct score_edge *edge, const char *reason, const char *message)
{
	return stderr_is_journal() &&
	       sd_journal_send("MESSAGE=%s", message,
			       MESSAGE_NODE_STATE_ID,
			       "PRIORITY=%i", LOG_NOTICE,
			       "COREBALANCE_NODE=%s", node,
			       "COREBALANCE_OLD_STATE=%s", node_state_to_string(edge->before),
			       "COREBALANCE_NEW_STATE=%s", node_state_to_string(edge->after),
			       "COREBALANCE_REASON=%s", reason,
			       "COREBALANCE_LASTED_USEC=%" PRIu64, edge->lasted_usec,
			       NULL) == 0;
}

void event_node_state(const char *node, const struct score_edge *edge, const char *detail)
{
	char reason[256], message[1024];

	if (edge->after == NODE_UP)
		detail = NULL; /* detail is about now, not about why the node was down */
	format_reason(edge->reason, detail, reason, sizeof(reason));
	score_edge_describe(node, edge, detail, message, sizeof(message));
	if (!send_to_journal(node, edge, reason, message))
		say(LOG_NOTICE, "%s", message);
	notify_node_state(node, edge, detail);
}
