/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * verbs.h: the verbs. A verb is a struct action, in a file of its own or with
 * related verbs, and a row here. The rows are in the order of --help.
 */

#include "action.h"
#include "columns.h"

#define VERBS(VERB) \
	VERB(list) \
	VERB(status) \
	VERB(top) \
	VERB(slots) \
	VERB(queue) \
	VERB(clients) \
	VERB(gateways) \
	VERB(explain) \
	VERB(load) \
	VERB(diff) \
	VERB(edit) \
	VERB(validate) \
	VERB(dump) \
	VERB(add) \
	VERB(remove) \
	VERB(set) \
	VERB(down) \
	VERB(up) \
	VERB(kill) \
	VERB(pause) \
	VERB(resume) \
	VERB(share) \
	VERB(verbosity) \
	VERB(check) \
	VERB(export) \
	VERB(metrics) \
	VERB(agent) \
	VERB(serve) \
	VERB(mergelogs) \
	VERB(reap) \
	VERB(fsck) \
	VERB(shell) \
	VERB(help)

#define VERB_DECLARE(name) extern const struct action verb_##name;
VERBS(VERB_DECLARE)

/* What the help of a verb lists besides its options: nothing, the keys of a node, the fields of a line of the node list,
 * or the columns of a table. */
enum {
	TOPIC_NONE,
	TOPIC_KEYS,
	TOPIC_LINE,
	TOPIC_COLUMNS,             /* plus an enum table_kind */
};
