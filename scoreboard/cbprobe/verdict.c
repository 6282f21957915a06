/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * verdict.c: the scoreboard counts results in a row, so that results of several
 * passes add up, and says when they change the node's state.
 */

#include "verdict.h"

#include <errno.h>
#include <stdio.h>

#include "cbprobe/checks/checkup.h"
#include "event.h"

static int give(struct score *score, struct probe *probe, const struct score_verdict *verdict)
{
	const char *detail = verdict->detail;
	char text[NODE_DETAIL_MAX + 64];
	struct score_edge edge;
	int r = score_verdict(score, probe->id, verdict, &edge);

	if (r == -ENOENT)
		return 0; /* the node was removed during the check, or has another check now: nothing to do */
	if (r <= 0)
		return r;
	probe->down = !verdict->success;
	/* The health of a held node is noted, but the node was held and stays held. */
	if (edge.before == edge.after)
		return 1;
	/* The reason is the flapping; what happened this time follows, as in the scoreboard. */
	if (!verdict->success && edge.reason == REASON_FLAPPING) {
		(void)snprintf(text, sizeof(text), "%s%s%s", reason_to_string(verdict->reason), detail ? ": " : "",
			       detail ? detail : "");
		detail = text;
	}
	event_node_state(probe->name, &edge, detail);
	return 1;
}

static struct score_verdict make(const struct verdict_rules *rules, const struct probe *probe)
{
	return (struct score_verdict){
		.check = probe->checkup->text,
		.rise = rules->rise, .fall = rules->fall, .down_after_usec = rules->down_after_usec,
		.flaps = rules->flaps, .flap_usec = rules->flap_usec,
	};
}

int verdict_success(struct score *score, const struct verdict_rules *rules, struct probe *probe)
{
	struct score_verdict verdict = make(rules, probe);

	verdict.success = true;
	verdict.shallow = probe->checkup->check->shallow;
	verdict.detail = *probe->detail ? probe->detail : NULL;
	verdict.work_usec = probe->work_usec;
	return give(score, probe, &verdict);
}

int verdict_failure(struct score *score, const struct verdict_rules *rules, struct probe *probe,
		    enum node_reason reason, const char *detail)
{
	struct score_verdict verdict = make(rules, probe);

	verdict.reason = reason;
	verdict.detail = detail;
	return give(score, probe, &verdict);
}

bool verdict_wants_more(const struct verdict_rules *rules, const struct probe *probe)
{
	return probe->failures < 2 && probe->failures < rules->fall;
}
