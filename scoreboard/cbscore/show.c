/* SPDX-License-Identifier: GPL-3.0-or-later */

/* show.c: the verbs that look: list, slots, queue. */

#include "table.h"
#include "verbs.h"

static int add_node(const struct score_node *node, void *table)
{
	return table_add(table, node);
}

static int add_slot(const struct score_slot_info *slot, void *table)
{
	return table_add(table, slot);
}

static int add_ticket(const struct score_ticket_info *ticket, void *table)
{
	return table_add(table, ticket);
}

static int fill(struct score *score, enum table_kind kind, struct table *table)
{
	switch (kind) {
	case TABLE_NODES:
		return score_each_node(score, add_node, table);
	case TABLE_SLOTS:
		return score_each_slot(score, add_slot, table);
	default:
		return score_each_ticket(score, add_ticket, table);
	}
}

static int show(const struct context *context, enum table_kind kind)
{
	struct table *table = NULL;
	struct score *score = NULL;
	int r, status;

	status = table_new(context, kind, &table);
	if (status == STATUS_OK)
		status = context_look(context, &score);
	if (status == STATUS_OK) {
		r = fill(score, kind, table);
		if (r < 0) {
			status = complain_score(context, r);
		} else {
			status = table_print(table);
			table = NULL;
		}
	}
	table_free(table);
	(void)score_close(score);
	return status;
}

static int run_list(void *settings, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(settings, TABLE_NODES);
}

static int run_slots(void *settings, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(settings, TABLE_SLOTS);
}

static int run_queue(void *settings, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	return show(settings, TABLE_QUEUE);
}

const struct verb verb_list = {
	.name = "list", .arguments = "", .also = "nodes ls", .options = { &table_options },
	.topic = TOPIC_COLUMNS + TABLE_NODES, .run = run_list,
	.help = "the nodes, in the order of the node list",
};

const struct verb verb_slots = {
	.name = "slots", .arguments = "", .also = "ps connections", .options = { &table_options },
	.topic = TOPIC_COLUMNS + TABLE_SLOTS, .run = run_slots,
	.help = "the slots that are taken, and by whom",
};

const struct verb verb_queue = {
	.name = "queue", .arguments = "", .also = "waiters waiting", .options = { &table_options },
	.topic = TOPIC_COLUMNS + TABLE_QUEUE, .run = run_queue,
	.help = "the connections that wait, in order",
};
