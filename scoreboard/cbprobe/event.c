/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * event.c: a journal entry with fields where stderr is the journal, the same
 * as a line of text anywhere else.
 */

#include "event.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

#include "notify.h"
#include "system/say.h"
#include "system/log.h"
#include "system/printable.h"

#define MESSAGE_NODE_STATE "3ae5f15ff8304e33aea22f0c164c4744" /* a MESSAGE_ID, see sd_journal_send(3) */

static const char *farm = "corebalance";

void event_set_farm(const char *name)
{
	farm = name;
}

/* "refused" or "connect failed: Protocol not available". */
static void format_reason(enum node_reason reason, const char *detail, char *buffer, size_t size)
{
	(void)snprintf(buffer, size, "%s%s%s", reason_to_string(reason), detail ? ": " : "", detail ? detail : "");
}

/* true: the journal has the entry, or takes none now, and the entry is lost. false: the caller says a line instead. */
static bool send_to_journal(const char *node, const struct score_edge *edge, const char *reason, const char *message)
{
	struct log_line line = { 0 };
	int r;

	if (!log_has_fields())
		return false;
	log_add(&line, "MESSAGE=%s", message);
	log_add(&line, "MESSAGE_ID=" MESSAGE_NODE_STATE);
	log_add(&line, "PRIORITY=%i", LOG_NOTICE);
	log_add(&line, "COREBALANCE_FARM=%s", farm);
	log_add(&line, "COREBALANCE_NODE=%s", node);
	log_add(&line, "COREBALANCE_OLD_STATE=%s", node_state_to_string(edge->before));
	log_add(&line, "COREBALANCE_NEW_STATE=%s", node_state_to_string(edge->after));
	log_add(&line, "COREBALANCE_REASON=%s", reason);
	log_add(&line, "COREBALANCE_LASTED_USEC=%" PRIu64, edge->lasted_usec);
	r = log_send(&line);
	return r == 0 || r == -EAGAIN;
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
