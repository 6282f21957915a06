/* SPDX-License-Identifier: GPL-3.0-or-later */

/* gateways.c: the verb gateways: the gateways that share the farm, as cbshare(8) has noted them. */

#include <errno.h>

#include "command/gateway_note.h"
#include "table.h"
#include "system/printable.h"
#include "verbs.h"

static struct table *table; /* freed with the process, which ends after the verb */

static int make(const struct context *context)
{
	return table_new(context, TABLE_GATEWAYS, &table);
}

static int add(const struct gateway_note *note, void *arg)
{
	(void)arg;
	return table_add(table, note);
}

static int gateways(const struct context *context)
{
	int r = gateway_note_each(context->farm.scoreboard, add, NULL);

	if (r == -ENOENT) {
		complain("%s.gateways: not there: no cbshare(8) runs for this farm", context->farm.scoreboard);
		return STATUS_FAILED;
	}
	if (r < 0) {
		complain("%s.gateways: %s", context->farm.scoreboard,
			 r == -EBADMSG ? "a line that cbshare(8) has not written" : score_strerror(r));
		return STATUS_FAILED;
	}
	return table_print(table);
}

const struct action verb_gateways = {
	.verb = {
		.name = "gateways", .arguments = "", .also = "peers", .options = { &table_options },
		.topic = TOPIC_COLUMNS + TABLE_GATEWAYS,
		.help = "the gateways that lease shares of the farm by cbshare",
	},
	.read = make, .run = gateways,
};
