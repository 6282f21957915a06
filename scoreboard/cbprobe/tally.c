/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * tally.c: an answer proves a network if it came from another machine. A refused
 * connect is an answer. A timeout is none, and neither is what a command says: a
 * command may succeed or fail without any packet.
 */

#include "tally.h"

#include <stdio.h>
#include <string.h>

#include "cbprobe/checks/checkup.h"
#include "news.h"
#include "system/here.h"
#include "system/say.h"
#include "system/timespan.h"

#define WHY_MAX (NODE_NAME_MAX + NODE_DETAIL_MAX + 64) /* of a node that could not be checked */

/* Of two probes, of which a may be NULL, the first in the roster: so the example is the same in each pass. */
static const struct probe *first_of(const struct probe *a, const struct probe *b)
{
	return a && a < b ? a : b;
}

/* Whether the node is this machine, which is always reachable. */
static bool is_here(const struct probe *probe)
{
	for (unsigned i = 0; i < probe->n_addresses; i++)
		if (!here_is(&probe->addresses[i]))
			return false;
	return true;
}

/* Whether the node answered, if only to refuse, or to talk nonsense. */
static bool has_answered(const struct probe *probe)
{
	switch (probe->reason) {
	case REASON_TIMED_OUT:
	case REASON_NO_ROUTE:
	case REASON_NO_ADDRESS_LEFT:
	case REASON_CONNECT_FAILED:
	case REASON_COMMAND: /* a command may fail for any reason */
		return false;
	default:
		return true;
	}
}

/* Whether a success means that a packet came back. A command may succeed without any packet. A node that was not asked
 * served before the pass, when the network may have been different. */
static bool is_proof(const struct probe *probe)
{
	return !probe->spared && probe->checkup->check != &check_exec;
}

void tally_up(struct tally *tally, const struct probe *probe)
{
	tally->reached_out = tally->reached_out || (is_proof(probe) && !is_here(probe));
	tally->up++;
}

void tally_failure(struct tally *tally, const struct probe *probe)
{
	tally->reached_out = tally->reached_out || (has_answered(probe) && !is_here(probe));
}

void tally_down(struct tally *tally, const struct probe *probe, bool certain)
{
	tally->down += certain;
	tally->unreached += !certain;
	if (!certain)
		tally->first_unreached = first_of(tally->first_unreached, probe);
}

void tally_unable(struct tally *tally, const struct probe *probe)
{
	tally->unable++;
	tally->first_unable = first_of(tally->first_unable, probe);
}

/* "NODE: WHY", or "NODE: WHY: DETAIL". */
static const char *why(const struct probe *probe, char text[static WHY_MAX + 1])
{
	const char *what = probe->error ? strerror(probe->error) : reason_to_string(probe->reason);
	bool more = *probe->detail && strcmp(probe->detail, what) != 0;

	(void)snprintf(text, WHY_MAX + 1, "%s: %s%s%s", probe->name, what, more ? ": " : "", more ? probe->detail : "");
	return text;
}

int tally_tell(const struct tally *tally, size_t n)
{
	size_t unjudged = tally->unable + (tally->reached_out ? 0 : tally->unreached);
	const struct probe *example = tally->first_unable ?: tally->first_unreached;
	char text[WHY_MAX + 1];

	if (tally->up + tally->down == 0 && unjudged > 0) {
		news_say(LOG_ERR, "no node can be checked from here (%s), no node's health was changed",
			 why(example, text));
		return 1;
	}
	if (unjudged > 0)
		news_say(LOG_WARNING, "%zu of %zu nodes cannot be checked from here (%s), their health was not changed",
			 unjudged, n, why(example, text));
	return 0;
}

void tally_sum_up(const struct tally *tally, size_t n, uint64_t usec)
{
	size_t failed = tally->down + (tally->reached_out ? tally->unreached : 0), checked = tally->up + failed;
	char took[64];

	(void)timespan_format(usec, took, sizeof(took));
	say(LOG_DEBUG, "checked %zu of %zu nodes in %s: %zu answered, %zu did not; %zu left as they are",
	    checked, n, took, tally->up, failed, n - checked);
}
