/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * explain.c: the verb explain: which node the next connection would get, and why
 * it would get no other.
 *
 * The library makes the choice, as for a connection. This file only puts the
 * other nodes in order behind the chosen node, by what the policy compares.
 */

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "explain.h"
#include "command/fold.h"
#include "kept.h"
#include "table.h"
#include "system/grow.h"
#include "system/number.h"
#include "system/timespan.h"
#include "verbs.h"

#define TOP 20u                /* lines of the table for people */

static enum score_policy arg_policy = POLICY_FASTEST;
static uint32_t arg_top;       /* 0: all */
static bool arg_top_given;

struct explanation {
	enum score_policy policy;
	struct score_choice choice;
	struct explain_row *rows;
	uint32_t n;
	size_t room;
	const struct explain_row *chosen;
	double best;           /* the largest worth of the nodes that can be used in place of the chosen node */
};

static int add_row(const struct score_node *node, void *arg)
{
	struct explanation *e = arg;
	struct explain_row *row;

	if (GROW(e->rows, e->n, e->room) < 0)
		return -ENOMEM;
	row = &e->rows[e->n];
	*row = (struct explain_row){ .node = *node, .position = e->n++ };
	row->usable = node->free > 0 && !e->choice.paused && !e->choice.lapsed && !(node->config.backup && e->choice.primary_up);
	return 0;
}

/* ---- what a policy compares ---- */

/* How far the row is behind the chosen node in the list; the list's beginning follows its end. */
static uint32_t turn(const struct explanation *e, const struct explain_row *row)
{
	return row->position >= e->chosen->position ? row->position - e->chosen->position :
						      row->position + e->n - e->chosen->position;
}

static uint32_t first(const struct explanation *e, const struct explain_row *row)
{
	for (unsigned i = 0; i < e->choice.n_firsts; i++)
		if (e->choice.firsts[i] == row->node.id)
			return i;
	return SCORE_FIRSTS_MAX;
}

static struct score_candidate candidate(const struct explanation *e, const struct explain_row *row)
{
	return (struct score_candidate){
		.node = &row->node, .position = row->position, .turn = turn(e, row), .first = first(e, row),
		.best = e->best,
	};
}

/* Above 0 if b comes before a. The chosen node is first, then the other nodes that can be used, backups last, then the rest
 * in the order of the list. */
static int compare(const struct explain_row *a, const struct explain_row *b, const struct explanation *e)
{
	struct score_candidate x = candidate(e, a), y = candidate(e, b);

	if ((a->node.id == e->choice.node) != (b->node.id == e->choice.node))
		return a->node.id == e->choice.node ? -1 : 1;
	if (a->usable != b->usable)
		return a->usable ? -1 : 1;
	if (!a->usable)
		return a->position < b->position ? -1 : 1;
	if (a->node.config.backup != b->node.config.backup)
		return a->node.config.backup ? 1 : -1;
	return policy_compare(e->policy, &x, &y);
}

static int compare_rows(const void *a, const void *b, void *arg)
{
	return compare(a, b, arg);
}

/* ---- why ---- */

static void why_not_usable(const struct explanation *e, struct explain_row *row)
{
	const struct score_node *node = &row->node;
	const char *reason = reason_to_string(node->reason);
	uint64_t now_usec = now_realtime();
	char pause[64] = "";

	if (node->state != NODE_UP) {
		if (node->state == NODE_DOWN && node->retry_usec > now_usec)
			(void)timespan_format(node->retry_usec - now_usec, pause, sizeof(pause));
		(void)snprintf(row->why, sizeof(row->why), "%s%s%s%s%s%s%s", node->flags & BN_DOWN && node->state == NODE_DOWN ? "down: " : "",
			       node->state == NODE_RETRY && node->free == 0 ? "a connection is trying it" : reason,
			       *node->detail ? ": " : "", node->detail, *pause ? " (a trial in " : "", pause, *pause ? ")" : "");
	} else if (node->free == 0) {
		(void)strcpy(row->why, node->busy >= node->config.cores ? "no free slot" :
					node->busy >= node->share ? "its other cores are other gateways'" :
								    "as many as its agent allows");
	} else if (e->choice.paused) {
		(void)strcpy(row->why, "the farm is paused");
	} else if (e->choice.lapsed) {
		(void)strcpy(row->why, "the farm's lease is over");
	} else {
		(void)strcpy(row->why, "a backup, and another node is up");
	}
}

static const char *why_behind(const struct explanation *e, const struct explain_row *row)
{
	struct score_candidate x = candidate(e, row), chosen = candidate(e, e->chosen);

	if (row->node.config.backup && !e->chosen->node.config.backup)
		return "a backup";
	return policy_why_behind(e->policy, &x, &chosen);
}

static void find_chosen(struct explanation *e)
{
	for (uint32_t i = 0; i < e->n; i++)
		if (e->rows[i].node.id == e->choice.node)
			e->chosen = &e->rows[i];
	for (uint32_t i = 0; e->chosen && i < e->n; i++) {
		const struct score_node *node = &e->rows[i].node;

		if (e->rows[i].usable && node->config.backup == e->chosen->node.config.backup && score_worth(node) > e->best)
			e->best = score_worth(node);
	}
}

static void rank(struct explanation *e)
{
	find_chosen(e);
	if (e->chosen) {
		/* A copy of the chosen row, as the sort moves rows. */
		struct explain_row chosen = *e->chosen;

		e->chosen = &chosen;
		qsort_r(e->rows, e->n, sizeof(*e->rows), compare_rows, e);
		e->chosen = &e->rows[0]; /* it comes before all others */
	}
	for (uint32_t i = 0; i < e->n; i++) {
		struct explain_row *row = &e->rows[i];

		row->rank = e->chosen && row->usable ? i + 1 : 0;
		if (row == e->chosen)
			(void)strcpy(row->why, row->node.state == NODE_RETRY ? "chosen, to try it again" : "chosen");
		else if (row->usable && e->chosen)
			(void)strcpy(row->why, why_behind(e, row));
		else
			why_not_usable(e, row);
	}
}

/* ---- telling ---- */

static void tell_rule(const struct explanation *e, const char *word)
{
	const char *how = "";

	if (policy_is_by_client(e->policy))
		how = word ? " The client is " : " No client is named, so the node is chosen as by fastest";
	else if (word)
		how = " This is the same for every client, also ";
	(void)putchar('\n');
	fold_line(stdout, "%s: %s.%s%s%s", policy_to_string(e->policy), policy_rule(e->policy), how, word ? word : "",
		  *how ? "." : "");
}

/* Tells why the second node is not the first, with the numbers of both. */
static void tell_second(const struct explanation *e)
{
	const struct explain_row *second = e->n > 1 ? &e->rows[1] : NULL;
	const struct score_node *a, *b;

	if (!e->chosen || !second || !second->usable)
		return;
	a = &e->chosen->node;
	b = &second->node;
	fold_line(stdout, "%s comes next: %s; speed %.3g against %.3g, worth %.3g against %.3g, %" PRIu32 " of %" PRIu32
		  " free against %" PRIu32 " of %" PRIu32 ".", b->config.name, second->why, b->speed, a->speed,
		  score_worth(b), score_worth(a), b->free, b->config.cores, a->free, a->config.cores);
}

static void tell_kept(const struct explanation *e)
{
	char text[KEPT_MAX];
	uint64_t kept = 0;

	for (uint32_t i = 0; i < e->n; i++)
		kept += e->rows[i].usable ? e->rows[i].node.free : 0;
	fold_line(stdout, "%" PRIu64 " wait: %s. Then the oldest gets %s.", e->choice.waiting,
		  kept_format(kept, e->choice.kept_usec, text), e->chosen->node.config.name);
}

static void tell(const struct explanation *e, const char *word, uint32_t shown)
{
	const char *reason = e->choice.paused ? ", as the farm is paused" :
			     e->choice.lapsed ? ", as the farm's lease is over" : "";
	uint64_t waiting = e->choice.waiting;

	if (shown < e->n)
		fold_line(stdout, "(%" PRIu32 " of %" PRIu32 " nodes; --top 0 shows all)", shown, e->n);
	tell_rule(e, word);
	if (e->choice.over > 0)
		fold_line(stdout, "%" PRIu64 " wait, as their clients have all the slots that they may have (--per-client).",
		      e->choice.over);
	if (e->chosen && waiting > 0 && e->choice.kept_usec > 0)
		tell_kept(e);
	else if (e->chosen && waiting > 0)
		fold_line(stdout, "%" PRIu64 " wait, and the next of them gets %s.", waiting, e->chosen->node.config.name);
	else if (e->chosen)
		fold_line(stdout, "The next connection gets %s.", e->chosen->node.config.name);
	else if (waiting > 0)
		fold_line(stdout, "The next connection waits%s, behind %" PRIu64 ".", reason, waiting);
	else
		fold_line(stdout, "The next connection waits%s, and is the first that does.", reason);
	tell_second(e);
}

/* The number of rows to show. */
static uint32_t top(const struct context *context)
{
	if (arg_top_given)
		return arg_top > 0 ? arg_top : UINT32_MAX;
	return context->json || context->raw ? UINT32_MAX : TOP;
}

static struct table *table; /* freed with the process, which ends after the verb */

static int print_table(const struct context *context, struct explanation *e, const char *word)
{
	uint32_t shown = top(context) < e->n ? top(context) : e->n;
	int r = 0, status;

	rank(e);
	for (uint32_t i = 0; r == 0 && i < shown; i++)
		r = table_add(table, &e->rows[i]);
	if (r < 0) {
		complain("%s", strerror(-r));
		return STATUS_FAILED;
	}
	status = table_print(table);
	if (status == STATUS_OK && !context->json && !context->raw && !context->no_headings)
		tell(e, word, shown);
	return status;
}

#define CLIENT_MAX (INET6_ADDRSTRLEN + 8)

/* Writes an address as `cbscore slots` shows clients, with port 0. ::ffff:10.0.0.7, which an IPv6 socket calls an IPv4 client,
 * is shown as 10.0.0.7. */
static void name_client(int family, const void *bytes, char ret[static CLIENT_MAX])
{
	char text[INET6_ADDRSTRLEN];

	if (family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)bytes)) {
		family = AF_INET;
		bytes = (const char *)bytes + sizeof(struct in6_addr) - sizeof(struct in_addr);
	}
	(void)inet_ntop(family, bytes, text, sizeof(text));
	(void)snprintf(ret, CLIENT_MAX, family == AF_INET6 ? "[%s]:0" : "%s:0", text);
}

/* Whether the text is unix:PID, or unix, as `cbscore slots` shows a client at a unix socket. Names it. */
static bool is_unix(const char *word, char ret[static CLIENT_MAX])
{
	uint64_t pid;

	if (strcmp(word, "unix") != 0 && (strncmp(word, "unix:", 5) != 0 || number_parse(word + 5, 1, INT32_MAX, &pid) < 0))
		return false;
	(void)snprintf(ret, CLIENT_MAX, "%s", word);
	return true;
}

/* Whether the text is an IPv4 or IPv6 address, with or without a port, as `cbscore slots` shows clients. Names it. */
static bool is_address(const char *word, char ret[static CLIENT_MAX])
{
	char text[CLIENT_MAX], bytes[sizeof(struct in6_addr)], *address = text, *end;
	int family;

	if ((size_t)snprintf(text, sizeof(text), "%s", word) >= sizeof(text))
		return false;
	if (inet_pton(AF_INET6, text, bytes) == 1) {
		name_client(AF_INET6, bytes, ret);
		return true;
	}
	end = *text == '[' ? strchr(text, ']') : strchr(text, ':');
	if (*text == '[') {
		address++;
		if (!end)
			return false;
	}
	if (end) {
		const char *behind = *end == ']' ? end + 1 : end;
		uint64_t port;

		if (*behind && (*behind != ':' || number_parse(behind + 1, 0, 65535, &port) < 0))
			return false;
		*end = '\0';
	}
	family = address > text ? AF_INET6 : AF_INET;
	if (inet_pton(family, address, bytes) != 1)
		return false;
	name_client(family, bytes, ret);
	return true;
}

static char client[CLIENT_MAX]; /* empty: not given */

static int read_words(const struct context *context)
{
	if (context->n_arguments > 0 && !is_unix(context->arguments[0], client) &&
	    !is_address(context->arguments[0], client))
		return complain_usage("\"%s\": expected the address of a client, with or without a port, or unix",
				      context->arguments[0]);
	return table_new(context, TABLE_EXPLAIN, &table);
}

static int explain(const struct context *context, struct score *score)
{
	struct explanation e = { .policy = arg_policy };
	int r = score_explain(score, e.policy, *client ? client : NULL, &e.choice, add_row, &e) ?:
		print_table(context, &e, *client ? context->arguments[0] : NULL);

	free(e.rows);
	return r;
}

static int set_policy(void *settings, const char *value)
{
	(void)settings;
	arg_policy = policy_from_string(value);
	return arg_policy == POLICY_INVALID_ ? -EINVAL : 0;
}

static int set_top(void *settings, const char *value)
{
	uint64_t number;

	(void)settings;
	if (number_parse(value, 0, NODES_MAX, &number) < 0)
		return -EINVAL;
	arg_top = (uint32_t)number;
	arg_top_given = true;
	return 0;
}

static const struct option_row rows[] = {
	{ "policy", 0, "NAME", "as that of cbrelay", "fastest", NULL, set_policy, policy_word },
	{ "top", 0, "N", "so many nodes, 0 for all; raw and JSON show all", "20", "0 to 1000000", set_top, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_explain = {
	.verb = {
		.name = "explain", .arguments = "[CLIENT]", .also = "why", .max = 1, .options = { &options, &table_options },
		.topic = TOPIC_COLUMNS + TABLE_EXPLAIN,
		.help = "which node the next connection gets, and why",
	},
	.read = read_words, .look = explain,
};
