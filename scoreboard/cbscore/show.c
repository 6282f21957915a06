/* SPDX-License-Identifier: GPL-3.0-or-later */

/* show.c: the verbs that look: list, slots, queue. */

#include <inttypes.h>
#include <stdio.h>

#include "kept.h"
#include "table.h"
#include "system/printable.h"
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

static int add_client(const struct score_client_info *client, void *table)
{
	return table_add(table, client);
}

static int fill(struct score *score, enum table_kind kind, struct table *table)
{
	switch (kind) {
	case TABLE_NODES:
		return score_each_node(score, add_node, table);
	case TABLE_SLOTS:
		return score_each_slot(score, add_slot, table);
	case TABLE_CLIENTS:
		return score_each_client(score, add_client, table);
	default:
		return score_each_ticket(score, add_ticket, table);
	}
}

/* Tells people why no free slot is given out, as no line of the table says so. */
static void tell_pause(const struct context *context, struct score *score)
{
	struct score_totals totals;
	char kept[KEPT_MAX];

	if (context->raw || context->json || context->no_headings || score_totals(score, &totals) < 0)
		return;
	if (totals.paused)
		print(stdout, "(the farm is paused: every new connection waits; cbscore resume lets it go on)\n");
	if (totals.lapsed)
		print(stdout, "(the farm's lease is over: every new connection waits until cbshare has another)\n");
	if (totals.kept > 0)
		print(stdout, "(%s)\n", kept_format(totals.kept, totals.kept_usec, kept));
}

static struct table *table; /* freed with the process, which ends after the verb */

/* A wrong column is told before the scoreboard is looked for. */
static int make_nodes(const struct context *context) { return table_new(context, TABLE_NODES, &table); }
static int make_slots(const struct context *context) { return table_new(context, TABLE_SLOTS, &table); }
static int make_queue(const struct context *context) { return table_new(context, TABLE_QUEUE, &table); }
static int make_clients(const struct context *context) { return table_new(context, TABLE_CLIENTS, &table); }

static int show(const struct context *context, struct score *score, enum table_kind kind)
{
	int r = fill(score, kind, table);

	if (r < 0)
		return r;
	r = table_print(table);
	tell_pause(context, score);
	return r;
}

static int list(const struct context *context, struct score *score)
{
	return show(context, score, TABLE_NODES);
}

static bool arg_free;

OPTION_FLAG(set_free, arg_free)

static const struct option_row slots_rows[] = {
	{ "free", 0, NULL, "print one number: how many connections would get a slot now", NULL, NULL, set_free, NULL },
};

static const struct option_set slots_options = OPTION_SET(slots_rows);

static int print_free(struct score *score)
{
	struct score_totals totals;
	int r = score_totals(score, &totals);

	if (r < 0)
		return r;
	print(stdout, "%" PRIu64 "\n", totals.free);
	return STATUS_OK;
}

static int slots(const struct context *context, struct score *score)
{
	return arg_free ? print_free(score) : show(context, score, TABLE_SLOTS);
}

static int queue(const struct context *context, struct score *score)
{
	return show(context, score, TABLE_QUEUE);
}

static int clients(const struct context *context, struct score *score)
{
	return show(context, score, TABLE_CLIENTS);
}

const struct action verb_clients = {
	.verb = {
		.name = "clients", .arguments = "", .also = "", .options = { &table_options },
		.topic = TOPIC_COLUMNS + TABLE_CLIENTS,
		.help = "the clients with a node that affinity remembers",
	},
	.read = make_clients, .look = clients,
};

const struct action verb_list = {
	.verb = {
		.name = "list", .arguments = "", .also = "nodes ls", .options = { &table_options },
		.topic = TOPIC_COLUMNS + TABLE_NODES,
		.help = "the nodes, in the order of the node list",
	},
	.read = make_nodes, .look = list,
};

const struct action verb_slots = {
	.verb = {
		.name = "slots", .arguments = "", .also = "ps connections", .options = { &slots_options, &table_options },
		.topic = TOPIC_COLUMNS + TABLE_SLOTS,
		.help = "the slots that are taken, with processes and clients",
	},
	.read = make_slots, .look = slots,
};

const struct action verb_queue = {
	.verb = {
		.name = "queue", .arguments = "", .also = "waiters waiting", .options = { &table_options },
		.topic = TOPIC_COLUMNS + TABLE_QUEUE,
		.help = "the connections that wait, in order",
	},
	.read = make_queue, .look = queue,
};
