/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "news.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <systemd/sd-daemon.h>

#include "system/printable.h"
#include "system/say.h"
#include "system/timespan.h"

#define TEXT_MAX 512

/* How an event is told. Of cores that change hands: text, how many, of which nodes, and the peer; else the peer and text. */
static const struct {
	int priority;
	bool has_slots;
	const char *peer;            /* before the peer's name; NULL: no other gateway takes part */
	const char *text;
} tales[GATEWAY_EVENT_MAX_] = {
	[GATEWAY_JOINED] = { LOG_NOTICE, true, NULL, "joined the farm's gateways; had" },
	[GATEWAY_TOOK] = { LOG_INFO, true, NULL, "took, as no gateway had them," },
	[GATEWAY_GAVE] = { LOG_INFO, true, "to gateway ", "gave" },
	[GATEWAY_GOT] = { LOG_INFO, true, "from gateway ", "got" },
	[GATEWAY_SHED] = { LOG_INFO, true, NULL, "gave back" },
	[GATEWAY_LOST] = { LOG_WARNING, true, NULL, "lost to others, as the lease was over," },
	[GATEWAY_RECLAIMED] = { LOG_NOTICE, true, "of gateway ", "set free, as it is dead," },
	[GATEWAY_CAME] = { LOG_NOTICE, false, "gateway ", "is there" },
	[GATEWAY_WENT] = { LOG_NOTICE, false, "gateway ", "has left" },
	[GATEWAY_SILENT] = { LOG_WARNING, false, "gateway ", "has said nothing for its lease" },
	[GATEWAY_SPEAKS] = { LOG_NOTICE, false, "gateway ", "says something again" },
	[GATEWAY_LAPSED] = { LOG_WARNING, false, NULL, "the lease is over: no slot is given out" },
	[GATEWAY_RENEWED] = { LOG_NOTICE, false, NULL, "the lease is valid again" },
	[GATEWAY_UNSETTLED] = { LOG_NOTICE, false, NULL, "a change has no answer: shares stay lowered until it is settled" },
	[GATEWAY_LIST_DIFFERS] = { LOG_WARNING, false, "gateway ", "has another node list" },
	[GATEWAY_LIST_AGREES] = { LOG_NOTICE, false, "gateway ", "has the same node list again" },
	[GATEWAY_NAME_TAKEN] = { LOG_ERR, false, "gateway ", "is another machine's already: --name must differ" },
	[GATEWAY_NAME_HELD] = { LOG_WARNING, false, "gateway ",
				"was here before this machine was started, or runs on a copy of this machine: waiting until its "
				"lease is over" },
	[GATEWAY_BAD_VALUE] = { LOG_ERR, false, "the engine's key ", "has a value that cannot be read" },
	[GATEWAY_WENT_BACK] = { LOG_ERR, false, NULL,
				"the engine has lost changes, as one that was restored from a backup: the lease is given up, and "
				"all begins anew when those of all gateways are over" },
	[GATEWAY_LEFT] = { LOG_NOTICE, false, NULL, "left the farm's gateways" },
};

/* "gave 3 cores of node1:3632 and 2 other nodes to gateway gw2" */
static void describe_slots(const struct gateway_event *event, char *text, size_t size)
{
	const char *before_peer = event->peer ? tales[event->kind].peer : NULL;
	char others[64] = "";

	if (event->nodes > 1)
		(void)snprintf(others, sizeof(others), " and %zu other node%s", event->nodes - 1, event->nodes == 2 ? "" : "s");
	(void)snprintf(text, size, "%s %" PRIu64 " core%s%s%s%s%s%s%s", tales[event->kind].text, event->slots,
		       event->slots == 1 ? "" : "s", event->node ? " of " : "", event->node ?: "", others,
		       before_peer ? " " : "", before_peer ?: "", before_peer ? event->peer : "");
}

void news_tell(const struct gateway_event *event)
{
	const char *before_peer = event->peer ? tales[event->kind].peer : NULL;
	char text[TEXT_MAX];

	if (tales[event->kind].has_slots)
		describe_slots(event, text, sizeof(text));
	else
		(void)snprintf(text, sizeof(text), "%s%s%s%s", before_peer ?: "", before_peer ? event->peer : "",
			       before_peer ? " " : "", tales[event->kind].text);
	printable(text, '?');
	say(tales[event->kind].priority, "%s", text);
}

void news_status(const struct gateway_status *status, uint64_t now_usec, const char *trouble)
{
	static char before[TEXT_MAX];
	uint64_t shares = status->n_peers > 0 ? status->peers[0].shares : 0;
	char text[TEXT_MAX];

	(void)snprintf(text, sizeof(text), "%s%" PRIu64 " of %" PRIu64 " cores are this gateway's, of %zu%s%s",
		       status->lease_usec <= now_usec ? "No lease; " : "", shares, status->cores, status->n_peers,
		       trouble ? "; " : "", trouble ?: "");
	if (strcmp(text, before) == 0)
		return;
	(void)snprintf(before, sizeof(before), "%s", text);
	(void)sd_notifyf(0, "STATUS=%s", text);
}
