/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * edit.c: changes one node of the farm as a load of the whole list with that
 * change does.
 */

#include <errno.h>
#include <string.h>

#include "attempt.h"
#include "layout.h"
#include "listed.h"
#include "load.h"
#include "walk.h"

/* An edit of a node that the farm has. */
struct change {
	const struct score_edit *edit;
	const struct resolve_request *resolved; /* of an added node */
	uint64_t cores;                         /* of all nodes before it */
	struct score_edited edited;             /* what the edit met and made */
};

/* For layout_revise(): the node as it is, with the fields of the edit. */
static int take_fields(struct node_record *record, struct index_entry *entry, void *arg)
{
	struct change *change = arg;
	const struct score_edit *edit = change->edit;
	struct node_config config = record->config;

	if (record->draining)
		return -ENOENT;
	change->edited.before = record->config;
	change->edited.before.flags = record->flags;
	change->edited.busy = entry->busy;
	fields_copy(&config, &edit->config, edit->fields);
	change->edited.after = config;
	/* The hold is all that an edit of the flags changes. */
	change->edited.after.flags = (config.flags & BN_HOLD) | (record->flags & BN_DOWN);
	if (config.cores > record->config.cores && change->cores - record->config.cores + config.cores > LIST_CORES_MAX)
		return -EDOM;
	/* As if the list had said what is now: so the edit's hold counts, whatever was done since. */
	if (edit->fields & field_bit(field_find("flags", strlen("flags"))))
		record->config.flags = (record->config.flags & ~BN_HOLD) | (record->flags & BN_HOLD);
	return listed_take_config(record, &config);
}

/* The same for a node that is to go, as it is not listed any more. */
static int leave_list(struct node_record *record, struct index_entry *entry, void *arg)
{
	struct change *change = arg;

	if (record->draining)
		return -ENOENT;
	change->edited.before = change->edited.after = record->config;
	change->edited.before.flags = record->flags;
	change->edited.busy = entry->busy;
	return listed_drain(record, entry, NULL);
}

/* The same for a node that is listed again before it has gone. */
static int return_to_list(struct node_record *record, struct index_entry *entry, void *arg)
{
	const struct change *change = arg;
	struct listed_line line = { .config = &change->edit->config, .resolved = change->resolved };

	return record->draining ? listed_take_line(record, entry, &line) : -EEXIST;
}

/* Adds a node. 0; -EEXIST; -ESTALE: it is to be tried again; or -errno. */
static int add(struct score *s, struct change *change)
{
	struct layout_new node = { .config = &change->edit->config, .resolved = change->resolved };
	uint32_t id, next_id;
	size_t done;
	int r = walk_find(s, change->edit->config.name, &id, &next_id);

	change->edited.after = change->edit->config;
	if (r == -ENOENT && change->cores + change->edit->config.cores > LIST_CORES_MAX)
		return -EDOM;
	if (r == -ENOENT)
		return layout_append(s, &node, 1, &next_id, &done);
	if (r < 0)
		return r;
	r = layout_revise(s, id, return_to_list, change);
	return r == -ENOENT ? -ESTALE : r < 0 ? r : layout_move_last(s, id);
}

static int change_one(struct score *s, struct change *change)
{
	uint32_t id;
	int r;

	if (change->edit->what == EDIT_ADD)
		return add(s, change);
	r = walk_find(s, change->edit->config.name, &id, NULL);
	if (r < 0)
		return r;
	if (change->edit->what == EDIT_SET)
		return layout_revise(s, id, take_fields, change);
	r = layout_revise(s, id, leave_list, change);
	return r < 0 ? r : layout_remove(s, id);
}

int attempt_edit(struct score *s, const struct score_edit *edit, struct score_edited *ret)
{
	struct resolve_request request = { .host = edit->config.host, .port = edit->config.port };
	struct change change = { .edit = edit, .resolved = &request };
	struct score_totals totals;
	int r = attempt_totals(s, &totals);

	change.cores = r == 0 ? totals.slots : 0;
	if (r == 0 && edit->what == EDIT_ADD)
		r = resolve_all(&request, 1, LOAD_RESOLVE_USEC);
	for (unsigned i = 0; r >= 0 && i < LOAD_AGAIN_MAX; i++) {
		r = change_one(s, &change);
		if (r != -ESTALE)
			break;
		r = i + 1 < LOAD_AGAIN_MAX ? 0 : -EBUSY;
	}
	if (r >= 0)
		r = layout_end(s);
	if (r >= 0 && ret)
		*ret = change.edited;
	return r < 0 ? r : 0;
}
