/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * chat.c: check=chat:FILE. The steps of a script, in turn. What a step expects
 * is looked for in all that came since the previous step's match. Only the end of
 * the time, the room or the connection shows that it does not come.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "list/check_syntax.h"
#include "checkup.h"
#include "connect.h"
#include "conversation.h"
#include "expect.h"
#include "script.h"
#include "talk.h"

static int chat_prepare(const struct check_syntax *syntax, void **ret)
{
	struct script *script = calloc(1, sizeof(*script));
	int r = script ? script_read(syntax->argument, script) : -ENOMEM;

	if (r < 0)
		free(script);
	else
		*ret = script;
	return r;
}

static void chat_forget(void *prepared)
{
	script_clear(prepared);
	free(prepared);
}

/* Whether what the step expects is there: OUTCOME_UP. Then the match is dropped, with all bytes before it. */
static enum outcome look_for(struct probe *probe, const struct script_step *step)
{
	struct conversation *talk = probe->talk;
	enum outcome outcome;
	size_t end;

	outcome = expect_pattern(probe, step->pattern, (const char *)talk->data, talk->received, talk->ended,
				 &talk->search, &end);
	if (outcome != OUTCOME_UP)
		return outcome;
	talk->received -= end;
	(void)memmove(talk->data, talk->data + end, talk->received);
	talk->search.begin = 0;
	return OUTCOME_UP;
}

/* Does steps until a step has to wait, or all are done. */
static enum outcome go_on(struct probe *probe, uint64_t deadline_usec)
{
	const struct script *script = probe->checkup->prepared;
	struct conversation *talk = probe->talk;

	for (; talk->step < script->n; talk->step++) {
		const struct script_step *step = &script->steps[talk->step];
		enum outcome outcome;

		if (step->text) {
			talk->step++;
			return talk_send(probe, step->text, step->size, deadline_usec); /* then chat_sent() */
		}
		outcome = look_for(probe, step);
		if (outcome == OUTCOME_PENDING)
			return talk_listen(probe, deadline_usec);
		if (outcome != OUTCOME_UP)
			return outcome;
	}
	return OUTCOME_UP;
}

static enum outcome chat_heard(struct probe *probe, uint64_t deadline_usec)
{
	const struct script *script = probe->checkup->prepared;
	enum outcome outcome = look_for(probe, &script->steps[probe->talk->step]);

	/* The stage's deadline stays if it has not come yet. */
	if (outcome != OUTCOME_UP)
		return outcome;
	probe->talk->step++;
	return go_on(probe, deadline_usec);
}

static enum outcome chat_lost(struct probe *probe, enum node_reason reason, const char *detail)
{
	const struct script *script = probe->checkup->prepared;
	const struct conversation *talk = probe->talk;
	size_t step = talk->step < script->n ? talk->step : script->n - 1;
	unsigned line = script->steps[step].line;
	const char *said;
	char words[32];
	size_t length;

	if (talk->received > 0 && (reason == REASON_NO_ANSWER || reason == REASON_CLOSED || reason == REASON_TOO_LONG)) {
		said = conversation_last_line(talk, &length);
		(void)snprintf(words, sizeof(words), "line %u: ", line);
		return probe_fail_said(probe, REASON_WRONG_ANSWER, words, said, length);
	}
	return probe_fail(probe, reason, "line %u%s%s", line, detail ? ": " : "", detail ? detail : "");
}

const struct check check_chat = {
	.name = "chat",
	.talks = true,
	.prepare = chat_prepare,
	.forget = chat_forget,
	.start = connect_start,
	.ready = talk_ready,
	.expired = talk_expired,
	.opened = go_on,
	.sent = go_on,
	.heard = chat_heard,
	.lost = chat_lost,
};
