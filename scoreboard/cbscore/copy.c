/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "copy.h"

int copy_farm(struct context *context, struct snapshot *ret)
{
	struct score *score;
	int status = context_look(context, &score), r;

	if (status != STATUS_OK)
		return status;
	r = snapshot_take(score, farm_options_shown(&context->farm), ret);
	(void)score_close(score);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}
