/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "keep_holds.h"

#include <errno.h>
#include <string.h>

void keep_holds(const struct context *context, struct score *score)
{
	int r = score_save_holds(score);

	if (r < 0 && r != -ENOENT)
		complain("%s: %s; a reboot will not find the same nodes held", context->farm.holds_path, strerror(-r));
}
