/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * chat.c: check=chat:FILE. The steps of a script, in turn. What a step expects
 * is looked for in all that came since the last one's match; that it does not
 * come is known only when time, room or the connection ends.
 */

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "list/check_syntax.h"
#include "checkup.h"
#include "connect.h"
#include "conversation.h"
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

/* Whether what the step expects is there; then it is dropped, with all before it. */
static bool is_there(struct conversation *talk, const struct script_step *step)
{
	regmatch_t match = { .rm_so = 0, .rm_eo = (regoff_t)talk->received };
	size_t end;

	if (regexec(&step->regex, (const char *)talk->data, 1, &match, REG_STARTEND | (talk->ended ? 0 : REG_NOTEOL)) != 0)
		return false;
	end = (size_t)match.rm_eo;
	talk->received -= end;
	(void)memmove(talk->data, talk->data + end, talk->received);
	return true;
}

/* Does steps until one has to wait, or all are done. */
static enum outcome go_on(struct probe *probe, uint64_t deadline_usec)
{
	const struct script *script = probe->checkup->prepared;
	struct conversation *talk = probe->talk;

	for (; talk->step < script->n; talk->step++) {
		const struct script_step *step = &script->steps[talk->step];

		if (step->text) {
			talk->step++;
			return talk_send(probe, step->text, step->size, deadline_usec); /* and from there chat_sent() */
		}
		if (!is_there(talk, step))
			return talk_listen(probe, deadline_usec);
	}
	return OUTCOME_UP;
}

static enum outcome chat_heard(struct probe *probe, uint64_t deadline_usec)
{
	const struct script *script = probe->checkup->prepared;
	struct conversation *talk = probe->talk;

	/* The stage's deadline stays if it has not come yet. */
	if (!is_there(talk, &script->steps[talk->step]))
		return OUTCOME_PENDING;
	talk->step++;
	return go_on(probe, deadline_usec);
}

static enum outcome chat_lost(struct probe *probe, enum node_reason reason, const char *detail)
{
	const struct script *script = probe->checkup->prepared;
	const struct conversation *talk = probe->talk;
	size_t step = talk->step < script->n ? talk->step : script->n - 1;
	unsigned line = script->steps[step].line;
	const char *said;
	int length;

	if (talk->received > 0 && (reason == REASON_NO_ANSWER || reason == REASON_CLOSED || reason == REASON_TOO_LONG)) {
		said = conversation_last_line(talk, &length);
		return probe_fail(probe, REASON_WRONG_ANSWER, "line %u: %.*s", line, length, said);
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
