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
#include "system/printable.h"

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
	char name[NODE_NAME_MAX + 1], shown[256] = "", reason[512], message[1024];

	(void)snprintf(name, sizeof(name), "%s", node);
	if (detail && edge->after != NODE_UP) /* the detail is about now, not about why the node was down */
		(void)snprintf(shown, sizeof(shown), "%s", detail);
	printable(name, '?');
	printable(shown, '?');
	detail = *shown ? shown : NULL;
	format_reason(edge->reason, detail, reason, sizeof(reason));
	score_edge_describe(name, edge, detail, message, sizeof(message));
	if (!send_to_journal(name, edge, reason, message))
		say(LOG_NOTICE, "%s", message);
	notify_node_state(name, edge, detail);
}
