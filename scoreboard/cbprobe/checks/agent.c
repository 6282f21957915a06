/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * agent.c: check=agent:PORT. First the node itself, as by check=tcp, then its
 * agent, at another port of the node: HAProxy's agent-check, a line that says how
 * the node feels. An agent that does not answer says nothing about the node, and
 * leaves what the agent said before as it was.
 */

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "list/check_syntax.h"
#include "checkup.h"
#include "connect.h"
#include "conversation.h"
#include "cbprobe/event.h"
#include "talk.h"

/* The conversation's steps. */
enum {
	STEP_NODE,   /* connecting to the node */
	STEP_AGENT,  /* to its agent, and listening */
	STEP_HEARD,  /* the agent's line is in the conversation, ended by a NUL */
};

/* The node answers, its agent does not. */
static enum outcome silent(struct probe *probe, enum node_reason reason, const char *detail)
{
	char words[NODE_DETAIL_MAX + 1];

	(void)snprintf(words, sizeof(words), "agent: %s%s%s", reason_to_string(reason), detail ? ": " : "",
		       detail ? detail : "");
	return probe_warn(probe, "%s", words);
}

/* The outcome for the node when the try at the agent has ended with the given outcome. */
static enum outcome forgive(struct probe *probe, enum outcome outcome)
{
	char detail[NODE_DETAIL_MAX + 1];

	if (probe->talk->step == STEP_NODE ||
	    (outcome != OUTCOME_DOWN && outcome != OUTCOME_UNREACHED && outcome != OUTCOME_UNABLE))
		return outcome;
	(void)memcpy(detail, probe->detail, sizeof(detail));
	return silent(probe, probe->reason, *detail ? detail : NULL);
}

static enum outcome agent_ready(struct probe *probe, uint64_t deadline_usec)
{
	enum outcome outcome;

	if (probe->talk->step != STEP_NODE)
		return forgive(probe, talk_ready(probe, deadline_usec));
	outcome = connect_ready(probe, deadline_usec);
	if (outcome != OUTCOME_UP)
		return outcome;
	connect_close(probe);
	probe->talk->step = STEP_AGENT;
	probe->connect_port = probe->checkup->syntax.port;
	return forgive(probe, connect_start(probe, deadline_usec));
}

static enum outcome agent_expired(struct probe *probe, uint64_t deadline_usec)
{
	return forgive(probe, talk_expired(probe, deadline_usec));
}

static enum outcome agent_heard(struct probe *probe, uint64_t deadline_usec)
{
	struct conversation *talk = probe->talk;
	size_t n = 0;

	(void)deadline_usec;
	while (n < talk->received && talk->data[n] != '\r' && talk->data[n] != '\n' && talk->data[n] != '\0')
		n++;
	if (n == talk->received && (!talk->ended || n == 0))
		return OUTCOME_PENDING;
	if (n == sizeof(talk->data))
		return silent(probe, REASON_TOO_LONG, NULL);
	talk->data[n] = '\0';
	talk->step = STEP_HEARD;
	return OUTCOME_UP;
}

static int agent_settle(struct score *score, struct probe *probe)
{
	struct agent_line line;
	struct score_edge edge;
	int r;

	if (probe->talk->step != STEP_HEARD)
		return 0;
	r = score_agent(score, probe->id, probe->checkup->text, (const char *)probe->talk->data, &line, &edge);
	if (r < 0)
		return r;
	if (agent_reason(&line.agent))
		(void)probe_warn(probe, "%s", line.why);
	else if (*line.unknown)
		(void)probe_warn(probe, "agent: \"%s\" is no word", line.unknown);
	if (r > 0)
		event_node_state(probe->name, &edge, *probe->detail ? probe->detail : NULL);
	return 0;
}

const struct check check_agent = {
	.name = "agent",
	.shallow = true, /* the agent's answer is not the node's own */
	.talks = true,
	.start = connect_start,
	.ready = agent_ready,
	.expired = agent_expired,
	.opened = talk_listen,
	.heard = agent_heard,
	.lost = silent,
	.settle = agent_settle,
};
