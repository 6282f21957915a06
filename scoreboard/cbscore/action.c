/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "action.h"

const struct action *action_of(const struct verb *verb)
{
	return (const struct action *)verb;
}

static bool makes_scoreboard(const struct action *action, const struct context *context)
{
	return action->change && !(action->look && context->n_arguments == 0);
}

static int tell(const struct action *action, const struct context *context, struct score *score)
{
	struct snapshot snapshot;
	int r = snapshot_take(score, context->farm_shown, &snapshot);

	if (r < 0)
		return r;
	r = action->tell(context, &snapshot);
	snapshot_clear(&snapshot);
	return r;
}

static int with_scoreboard(const struct action *action, const struct context *context, struct score *score)
{
	if (makes_scoreboard(action, context))
		return action->change(context, score);
	return action->look ? action->look(context, score) : tell(action, context, score);
}

int action_fail(const struct action *action, const struct context *context, const char *why)
{
	if (action->unreadable)
		return action->unreadable(context, why);
	complain("%s", why);
	return STATUS_FAILED;
}

int action_run(const struct action *action, const struct context *context)
{
	int r = action->read ? action->read(context) : STATUS_OK;
	char why[CONTEXT_WHY_MAX];
	struct score *score;

	if (r != STATUS_OK)
		return r;
	if (action->run)
		return action->run(context);
	r = makes_scoreboard(action, context) ? context_open(context, &score, why) : context_look(context, &score, why);
	if (r != STATUS_OK)
		return r == STATUS_FAILED || action->unreadable ? action_fail(action, context, why) : r;
	r = with_scoreboard(action, context, score);
	(void)score_close(score);
	return r < 0 ? action_fail(action, context, context_why(context, r, why)) : r;
}
