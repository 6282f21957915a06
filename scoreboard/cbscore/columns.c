/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "columns.h"

#include <inttypes.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "command/gateway_note.h"
#include "explain.h"
#include "scoreboard.h"

/* A formatter with a single printf conversion. */
#define FORMAT(name, type, ...) \
	static void name(const void *item, char text[static COLUMN_TEXT_MAX]) \
	{ \
		const type *i = item; \
		(void)snprintf(text, COLUMN_TEXT_MAX, __VA_ARGS__); \
	}

FORMAT(node_name_, struct score_node, "%s", i->config.name)
FORMAT(node_cores, struct score_node, "%" PRIu32, i->config.cores)
FORMAT(node_busy, struct score_node, "%" PRIu32, i->busy)
FORMAT(node_free, struct score_node, "%" PRIu32, i->free)
FORMAT(node_state_, struct score_node, "%s", node_state_to_string(i->state))
FORMAT(node_speed, struct score_node, "%.6g", i->speed)
FORMAT(node_served, struct score_node, "%" PRIu64, i->served)
FORMAT(node_failed, struct score_node, "%" PRIu64, i->failed)
FORMAT(node_since, struct score_node, "%" PRIu64, i->since_usec)
FORMAT(node_flags, struct score_node, "0x%08" PRIx32, i->flags)
FORMAT(node_in, struct score_node, "%" PRIu64, i->bytes_in)
FORMAT(node_out, struct score_node, "%" PRIu64, i->bytes_out)
FORMAT(node_rise, struct score_node, "%" PRIu32, i->rise)
FORMAT(node_fall, struct score_node, "%" PRIu32, i->fall)
FORMAT(node_doubts, struct score_node, "%" PRIu32, i->doubts)
FORMAT(node_backup, struct score_node, "%d", i->config.backup)
FORMAT(node_check, struct score_node, "%s", *i->config.check ? i->config.check : "tcp")
FORMAT(node_detail, struct score_node, "%s", i->detail)
FORMAT(node_pinned, struct score_node, "%d", i->learning.pinned)
FORMAT(node_learned, struct score_node, "%.3g", i->learning.learned)
FORMAT(node_hold, struct score_node, "%.3g", i->learning.hold)
FORMAT(node_holds, struct score_node, "%.3g", i->learning.hold_weight)
FORMAT(node_compile, struct score_node, "%.3g", i->learning.compile)
FORMAT(node_compiles, struct score_node, "%.3g", i->learning.compile_weight)
FORMAT(explain_rank_, struct explain_row, "%" PRIu32, i->rank)
FORMAT(explain_why, struct explain_row, "%s", i->why)
FORMAT(explain_worth, struct explain_row, "%.6g", score_worth(&i->node))
FORMAT(explain_share, struct explain_row, "%.3g", (double)i->node.free / i->node.config.cores)
FORMAT(node_share_, struct score_node, "%" PRIu32, i->share)
FORMAT(node_agent, struct score_node, "%s", i->agent)
FORMAT(node_fingerprint, struct score_node, "%s", i->fingerprint)
FORMAT(gateway_name, struct gateway_note, "%s", i->name)
FORMAT(gateway_state, struct gateway_note, "%s", gateway_note_word(i->state))
FORMAT(gateway_share, struct gateway_note, "%" PRIu64, i->shares)
FORMAT(gateway_cores, struct gateway_note, "%" PRIu64, i->cores)
FORMAT(gateway_busy, struct gateway_note, "%" PRIu64, i->busy)
FORMAT(gateway_waiting, struct gateway_note, "%" PRIu64, i->waiting)
FORMAT(gateway_list, struct gateway_note, "%s", i->same_list ? "same" : "other")
FORMAT(slot_node, struct score_slot_info, "%s", i->node)
FORMAT(slot_number, struct score_slot_info, "%" PRIu32, i->slot)
FORMAT(slot_pid, struct score_slot_info, "%ld", (long)i->pid)
FORMAT(slot_client, struct score_slot_info, "%s", i->client)
FORMAT(slot_since, struct score_slot_info, "%" PRIu64, i->since_usec)
FORMAT(slot_in, struct score_slot_info, "%" PRIu64, i->in)
FORMAT(slot_out, struct score_slot_info, "%" PRIu64, i->out)
FORMAT(slot_state, struct score_slot_info, "%s", i->taken ? "busy" : "granted")
FORMAT(client_address, struct score_client_info, "%s", i->client)
FORMAT(client_node, struct score_client_info, "%s", i->node)
FORMAT(client_since, struct score_client_info, "%" PRIu64, i->since_usec)
FORMAT(client_used, struct score_client_info, "%" PRIu64, i->used_usec)
FORMAT(client_uses, struct score_client_info, "%" PRIu64, i->uses)
FORMAT(ticket_number, struct score_ticket_info, "%" PRIu64, i->number)
FORMAT(ticket_pid, struct score_ticket_info, "%ld", (long)i->pid)
FORMAT(ticket_client, struct score_ticket_info, "%s", i->client)
FORMAT(ticket_since, struct score_ticket_info, "%" PRIu64, i->since_usec)

static void ticket_reason(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_ticket_info *i = item;

	*text = '\0';
	if (i->per_client)
		(void)snprintf(text, COLUMN_TEXT_MAX, "its client has %" PRIu32 " slot%s", i->per_client,
			       i->per_client == 1 ? "" : "s");
}


static void node_reason_(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_node *node = item;
	const char *phrase = reason_to_string(node->reason);

	(void)snprintf(text, COLUMN_TEXT_MAX, "%s%s%s", phrase, *phrase && *node->detail ? ": " : "", node->detail);
}

/* A moment; nothing if there was none. */
static void moment(uint64_t usec, char text[static COLUMN_TEXT_MAX])
{
	*text = '\0';
	if (usec > 0)
		(void)snprintf(text, COLUMN_TEXT_MAX, "%" PRIu64, usec);
}

static void gateway_oldest(const void *item, char text[static COLUMN_TEXT_MAX])
{
	moment(((const struct gateway_note *)item)->waiting_usec, text);
}

static void gateway_said(const void *item, char text[static COLUMN_TEXT_MAX])
{
	moment(((const struct gateway_note *)item)->said_usec, text);
}

static void node_share(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_node *node = item;

	*text = '\0';
	if (node->share != SHARE_NONE)
		node_share_(item, text);
}

static void node_retry(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_node *node = item;

	*text = '\0';
	if (node->retry_usec)
		(void)snprintf(text, COLUMN_TEXT_MAX, "%" PRIu64, node->retry_usec);
}

/* Writes the addresses of a node that have their bit set in which. */
static void write_addresses(const struct score_node *node, uint32_t which, char text[static COLUMN_TEXT_MAX])
{
	size_t used = 0;

	*text = '\0';
	for (unsigned i = 0; i < node->n_addresses; i++) {
		const struct score_address *address = &node->addresses[i];
		char one[NI_MAXHOST];
		int n;

		if (!(which >> i & 1))
			continue;
		if (getnameinfo(&address->sa, address->size, one, sizeof(one), NULL, 0, NI_NUMERICHOST) != 0)
			continue;
		n = snprintf(text + used, COLUMN_TEXT_MAX - used, "%s%s", used ? "," : "", one);
		if (n < 0 || (size_t)n >= COLUMN_TEXT_MAX - used)
			break;
		used += (size_t)n;
	}
}

static void node_addresses(const void *item, char text[static COLUMN_TEXT_MAX])
{
	write_addresses(item, UINT32_MAX, text);
}

static void node_unreached(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_node *node = item;

	write_addresses(node, node->unreached, text);
}

static void node_work(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct score_node *node = item;

	*text = '\0';
	if (node->learning.work_usec)
		(void)snprintf(text, COLUMN_TEXT_MAX, "%" PRIu64, node->learning.work_usec);
}

/* ---- explain: a row begins with its node, so the columns of nodes are for rows, too ---- */

static void explain_rank(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct explain_row *row = item;

	*text = '\0';
	if (row->rank)
		explain_rank_(item, text);
}

/* Writes the formula of corebalance(7) with this node's numbers. The agent's words apply to its result. */
static void explain_from(const void *item, char text[static COLUMN_TEXT_MAX])
{
	const struct explain_row *row = item;
	const struct score_speed *speed = &row->node.learning;
	int n;

	if (speed->pinned)
		n = snprintf(text, COLUMN_TEXT_MAX, "pinned by speed=");
	else if (speed->hold_weight + speed->compile_weight <= 0)
		n = snprintf(text, COLUMN_TEXT_MAX, "nothing known");
	else
		n = snprintf(text, COLUMN_TEXT_MAX, "%.3g = 2^((%.3g*log2(%.3g) + 4*%.3g*log2(%.3g)) / (%.3g + 4*%.3g + 4))",
			     speed->learned, speed->hold_weight, speed->hold, speed->compile_weight, speed->compile,
			     speed->hold_weight, speed->compile_weight);
	if (n > 0 && n < COLUMN_TEXT_MAX && *row->node.agent)
		(void)snprintf(text + n, COLUMN_TEXT_MAX - (size_t)n, "; its agent says %s", row->node.agent);
}

const struct column columns[] = {
	{ TABLE_NODES, "NODE", SHOWN_ALWAYS, COLUMN_TEXT, "host:port", node_name_ },
	{ TABLE_NODES, "CORES", SHOWN_ALWAYS, COLUMN_NUMBER, "connections it takes at once", node_cores },
	{ TABLE_NODES, "BUSY", SHOWN_ALWAYS, COLUMN_NUMBER, "slots that are taken", node_busy },
	{ TABLE_NODES, "FREE", SHOWN_ALWAYS, COLUMN_NUMBER, "connections that it would take now", node_free },
	{ TABLE_NODES, "STATE", SHOWN_ALWAYS, COLUMN_STATE, "up, down, held, draining or retry", node_state_ },
	{ TABLE_NODES, "SPEED", SHOWN_ALWAYS, COLUMN_NUMBER, "1 is ordinary", node_speed },
	{ TABLE_NODES, "SERVED", SHOWN_ALWAYS, COLUMN_NUMBER, "connections served", node_served },
	{ TABLE_NODES, "FAILED", SHOWN_ALWAYS, COLUMN_NUMBER, "connections that failed", node_failed },
	{ TABLE_NODES, "AGE", SHOWN_PEOPLE, COLUMN_AGE, "how long the state has lasted", node_since },
	{ TABLE_NODES, "SINCE", SHOWN_PROGRAMS, COLUMN_TIME, "when the state began", node_since },
	{ TABLE_NODES, "REASON", SHOWN_ALWAYS, COLUMN_TEXT, "why it is not up", node_reason_ },
	{ TABLE_NODES, "FLAGS", SHOWN_NOT, COLUMN_TEXT, "0x80000000 down, 0x40000000 held", node_flags },
	{ TABLE_NODES, "IN", SHOWN_NOT, COLUMN_NUMBER, "bytes from clients", node_in },
	{ TABLE_NODES, "OUT", SHOWN_NOT, COLUMN_NUMBER, "bytes to clients", node_out },
	{ TABLE_NODES, "RISE", SHOWN_NOT, COLUMN_NUMBER, "probes in a row that succeeded", node_rise },
	{ TABLE_NODES, "FALL", SHOWN_NOT, COLUMN_NUMBER, "probes in a row that failed", node_fall },
	{ TABLE_NODES, "DOUBTS", SHOWN_NOT, COLUMN_NUMBER, "connections in a row that it did not answer", node_doubts },
	{ TABLE_NODES, "RETRY", SHOWN_NOT, COLUMN_TIME, "when a connection may try it again", node_retry },
	{ TABLE_NODES, "ADDRESSES", SHOWN_NOT, COLUMN_TEXT, "what its name resolves to, in the order of the tries", node_addresses },
	{ TABLE_NODES, "UNREACHED", SHOWN_NOT, COLUMN_TEXT, "addresses where it was tried in vain", node_unreached },
	{ TABLE_NODES, "BACKUP", SHOWN_NOT, COLUMN_BOOLEAN, "used only while no other is up", node_backup },
	{ TABLE_NODES, "CHECK", SHOWN_NOT, COLUMN_TEXT, "how it is probed", node_check },
	{ TABLE_NODES, "PINNED", SHOWN_NOT, COLUMN_BOOLEAN, "its speed is that of the node list", node_pinned },
	{ TABLE_NODES, "LEARNED", SHOWN_NOT, COLUMN_NUMBER, "the speed that was learned, before steps", node_learned },
	{ TABLE_NODES, "HOLD", SHOWN_NOT, COLUMN_NUMBER, "its speed by how long connections hold a slot", node_hold },
	{ TABLE_NODES, "HOLDS", SHOWN_NOT, COLUMN_NUMBER, "of so many connections, at most 64, halved each hour", node_holds },
	{ TABLE_NODES, "COMPILE", SHOWN_NOT, COLUMN_NUMBER, "its speed by the compiles of probes", node_compile },
	{ TABLE_NODES, "COMPILES", SHOWN_NOT, COLUMN_NUMBER, "of so many compiles, at most 16, halved each hour",
	  node_compiles },
	{ TABLE_NODES, "WORK", SHOWN_NOT, COLUMN_NUMBER, "microseconds of the last such compile", node_work },
	{ TABLE_NODES, "SHARE", SHOWN_NOT, COLUMN_NUMBER, "cores that are this gateway's, of several", node_share },
	{ TABLE_NODES, "AGENT", SHOWN_NOT, COLUMN_TEXT, "what its agent has said", node_agent },
	{ TABLE_NODES, "FINGERPRINT", SHOWN_NOT, COLUMN_TEXT, "its machine and compiler, by check=distcc", node_fingerprint },
	{ TABLE_NODES, "DETAIL", SHOWN_NOT, COLUMN_TEXT, "an administrator's or a check's own words", node_detail },

	{ TABLE_SLOTS, "NODE", SHOWN_ALWAYS, COLUMN_TEXT, "host:port", slot_node },
	{ TABLE_SLOTS, "SLOT", SHOWN_ALWAYS, COLUMN_NUMBER, "its number on the node", slot_number },
	{ TABLE_SLOTS, "PID", SHOWN_ALWAYS, COLUMN_NUMBER, "the process that holds it", slot_pid },
	{ TABLE_SLOTS, "CLIENT", SHOWN_ALWAYS, COLUMN_TEXT, "the client of the connection", slot_client },
	{ TABLE_SLOTS, "AGE", SHOWN_PEOPLE, COLUMN_AGE, "how long it has been taken", slot_since },
	{ TABLE_SLOTS, "SINCE", SHOWN_PROGRAMS, COLUMN_TIME, "when it was taken", slot_since },
	{ TABLE_SLOTS, "IN", SHOWN_ALWAYS, COLUMN_NUMBER, "bytes from the client", slot_in },
	{ TABLE_SLOTS, "OUT", SHOWN_ALWAYS, COLUMN_NUMBER, "bytes to the client", slot_out },
	{ TABLE_SLOTS, "STATE", SHOWN_NOT, COLUMN_TEXT, "busy, or granted to a waiter that has not taken it yet", slot_state },

	{ TABLE_QUEUE, "TICKET", SHOWN_ALWAYS, COLUMN_NUMBER, "place in the order of arrival", ticket_number },
	{ TABLE_QUEUE, "PID", SHOWN_ALWAYS, COLUMN_NUMBER, "the process that waits", ticket_pid },
	{ TABLE_QUEUE, "CLIENT", SHOWN_ALWAYS, COLUMN_TEXT, "the client of the connection", ticket_client },
	{ TABLE_QUEUE, "AGE", SHOWN_PEOPLE, COLUMN_AGE, "how long it has waited", ticket_since },
	{ TABLE_QUEUE, "REASON", SHOWN_PEOPLE, COLUMN_TEXT, "why it waits though slots may be free (--per-client)", ticket_reason },
	{ TABLE_QUEUE, "SINCE", SHOWN_PROGRAMS, COLUMN_TIME, "when it began to wait", ticket_since },

	{ TABLE_CLIENTS, "CLIENT", SHOWN_ALWAYS, COLUMN_TEXT, "its address", client_address },
	{ TABLE_CLIENTS, "NODE", SHOWN_ALWAYS, COLUMN_TEXT, "the node that it used last", client_node },
	{ TABLE_CLIENTS, "AGE", SHOWN_PEOPLE, COLUMN_AGE, "how long it has used that node", client_since },
	{ TABLE_CLIENTS, "SINCE", SHOWN_PROGRAMS, COLUMN_TIME, "when it first used that node", client_since },
	{ TABLE_CLIENTS, "USES", SHOWN_ALWAYS, COLUMN_NUMBER, "its connections, to all nodes", client_uses },
	{ TABLE_CLIENTS, "IDLE", SHOWN_PEOPLE, COLUMN_AGE, "how long ago it last came", client_used },
	{ TABLE_CLIENTS, "USED", SHOWN_PROGRAMS, COLUMN_TIME, "when it last came", client_used },

	{ TABLE_GATEWAYS, "GATEWAY", SHOWN_ALWAYS, COLUMN_TEXT, "its name", gateway_name },
	{ TABLE_GATEWAYS, "STATE", SHOWN_ALWAYS, COLUMN_TEXT, "here or lapsed (this gateway), there, silent or leaving",
	  gateway_state },
	{ TABLE_GATEWAYS, "SHARE", SHOWN_ALWAYS, COLUMN_NUMBER, "cores that are its own, of all nodes", gateway_share },
	{ TABLE_GATEWAYS, "CORES", SHOWN_ALWAYS, COLUMN_NUMBER, "cores of all nodes together", gateway_cores },
	{ TABLE_GATEWAYS, "BUSY", SHOWN_ALWAYS, COLUMN_NUMBER, "its connections that have a slot, when it spoke last", gateway_busy },
	{ TABLE_GATEWAYS, "WAITING", SHOWN_ALWAYS, COLUMN_NUMBER, "its connections that had none", gateway_waiting },
	{ TABLE_GATEWAYS, "OLDEST", SHOWN_PEOPLE, COLUMN_AGE, "how long the oldest of these has waited", gateway_oldest },
	{ TABLE_GATEWAYS, "SINCE", SHOWN_PROGRAMS, COLUMN_TIME, "since when the oldest of these waits", gateway_oldest },
	{ TABLE_GATEWAYS, "SAID", SHOWN_PEOPLE, COLUMN_AGE, "how long ago it spoke last", gateway_said },
	{ TABLE_GATEWAYS, "SPOKE", SHOWN_PROGRAMS, COLUMN_TIME, "when it spoke last", gateway_said },
	{ TABLE_GATEWAYS, "LIST", SHOWN_ALWAYS, COLUMN_TEXT, "whether its node list is the same as here, or other", gateway_list },

	{ TABLE_EXPLAIN, "RANK", SHOWN_ALWAYS, COLUMN_NUMBER, "1 is what the next connection gets", explain_rank },
	{ TABLE_EXPLAIN, "NODE", SHOWN_ALWAYS, COLUMN_TEXT, "host:port", node_name_ },
	{ TABLE_EXPLAIN, "STATE", SHOWN_ALWAYS, COLUMN_STATE, "up, down, held, draining or retry", node_state_ },
	{ TABLE_EXPLAIN, "CORES", SHOWN_ALWAYS, COLUMN_NUMBER, "connections it takes at once", node_cores },
	{ TABLE_EXPLAIN, "FREE", SHOWN_ALWAYS, COLUMN_NUMBER, "connections that it would take now", node_free },
	{ TABLE_EXPLAIN, "SHARE", SHOWN_ALWAYS, COLUMN_NUMBER, "FREE / CORES", explain_share },
	{ TABLE_EXPLAIN, "SPEED", SHOWN_ALWAYS, COLUMN_NUMBER, "the speed that counts; a learned speed in steps", node_speed },
	{ TABLE_EXPLAIN, "WORTH", SHOWN_ALWAYS, COLUMN_NUMBER, "of one more connection on it: SPEED, less when half busy",
	  explain_worth },
	{ TABLE_EXPLAIN, "WHY", SHOWN_ALWAYS, COLUMN_TEXT, "chosen, or why not", explain_why },
	{ TABLE_EXPLAIN, "FROM", SHOWN_ALWAYS, COLUMN_TEXT, "where SPEED comes from", explain_from },
	{ TABLE_EXPLAIN, "PINNED", SHOWN_NOT, COLUMN_BOOLEAN, "its speed is that of the node list", node_pinned },
	{ TABLE_EXPLAIN, "LEARNED", SHOWN_NOT, COLUMN_NUMBER, "the speed that was learned, before steps", node_learned },
	{ TABLE_EXPLAIN, "HOLD", SHOWN_NOT, COLUMN_NUMBER, "its speed by how long connections hold a slot", node_hold },
	{ TABLE_EXPLAIN, "HOLDS", SHOWN_NOT, COLUMN_NUMBER, "of so many connections", node_holds },
	{ TABLE_EXPLAIN, "COMPILE", SHOWN_NOT, COLUMN_NUMBER, "its speed by the compiles of probes", node_compile },
	{ TABLE_EXPLAIN, "COMPILES", SHOWN_NOT, COLUMN_NUMBER, "of so many compiles", node_compiles },
	{ TABLE_EXPLAIN, "AGENT", SHOWN_NOT, COLUMN_TEXT, "what its agent has said", node_agent },
};

const size_t n_columns = sizeof(columns) / sizeof(columns[0]);

const struct column *column_find(enum table_kind table, const char *name, size_t length)
{
	for (size_t i = 0; i < n_columns; i++)
		if (columns[i].table == table && strlen(columns[i].name) == length &&
		    strncasecmp(columns[i].name, name, length) == 0)
			return &columns[i];
	return NULL;
}

const char *table_name(enum table_kind table)
{
	static const char *const names[TABLE_KINDS_] = {
		[TABLE_NODES] = "nodes", [TABLE_SLOTS] = "slots", [TABLE_QUEUE] = "queue",
		[TABLE_CLIENTS] = "clients",
		[TABLE_EXPLAIN] = "explain", [TABLE_GATEWAYS] = "gateways",
	};

	return names[table];
}
