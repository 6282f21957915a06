/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * report.c: the words. A message is for people; the exact numbers, and the two
 * letters of an end, are in the fields. On a terminal or in a file there are no
 * fields, so a connection's line has all of them as key=value.
 */

#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "system/log.h"
#include "system/number.h"
#include "system/text.h"
#include "system/timespan.h"

/* A MESSAGE_ID for each sort of event, see sd_journal_send(3); made by systemd-id128 new. */
#define MESSAGE_CONNECTION "6c2f0a7d9d5e4c83b6c0e7f4a1d2938b"
#define MESSAGE_NODE_DOWN "0e4b9c3f7a6d4f5a8b1c2d3e4f506172"
#define MESSAGE_NODE_UP "f3a8d1c6b5e94720918273645546372a"

#define WORDS_MAX 512
#define TEXT_MAX 1024
#define NOTICEABLE_USEC 50000u  /* a shorter wait is not mentioned */

static enum { LINES_ALL, LINES_FAILED, LINES_SLOW, LINES_SAMPLE, LINES_NONE } lines = LINES_ALL;
static uint64_t slow_usec;
static uint64_t sample = 1;     /* one in so many has a line */
static const char *farm = "corebalance";

int report_choose(const char *text)
{
	if (strncmp(text, "slow=", 5) == 0) {
		lines = LINES_SLOW;
		return timespan_parse(text + 5, &slow_usec);
	}
	if (strncmp(text, "sample=", 7) == 0) {
		lines = LINES_SAMPLE;
		return number_parse(text + 7, 1, UINT32_MAX, &sample);
	}
	lines = strcmp(text, "all") == 0 ? LINES_ALL : strcmp(text, "failed") == 0 ? LINES_FAILED : LINES_NONE;
	return lines == LINES_NONE && strcmp(text, "none") != 0 ? -EINVAL : 0;
}

void report_set_farm(const char *name)
{
	farm = name;
}

void report_make_id(uint64_t ticket, uint64_t accepted_usec, char ret[static REPORT_ID_MAX + 1])
{
	struct text text = text_begin(ret, REPORT_ID_MAX + 1);

	text_add(&text, farm);
	text_add(&text, "-");
	text_add_number(&text, ticket, 1);
	text_add(&text, "-");
	text_add_hex(&text, accepted_usec);
}

void report_message(int priority, const char *format, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	log_text(priority, text);
}

static void report_mistake(const char *line)
{
	report_message(LOG_ERR, "%s", line);
}

void report_mistakes(const struct nodelist *list)
{
	nodelist_tell_errors(list, NODELIST_ERRORS_SHOWN, report_mistake);
}

void report_no_nodes(const char *path)
{
	report_message(LOG_WARNING, "%s: no nodes; connections wait until it is loaded with some", path);
}

/* ---- numbers for people ---- */

struct words {
	char text[32];
};

static struct words duration(uint64_t usec)
{
	struct words words;

	if (usec < 99500)
		(void)snprintf(words.text, sizeof(words.text), "%" PRIu64 "ms", (usec + USEC_PER_MSEC - 1) / USEC_PER_MSEC);
	else if (usec < 59950000)
		(void)snprintf(words.text, sizeof(words.text), "%" PRIu64 ".%" PRIu64 "s", (usec + 50000) / USEC_PER_SEC,
			       (usec + 50000) % USEC_PER_SEC / 100000);
	else
		(void)timespan_format(usec - usec % USEC_PER_SEC, words.text, sizeof(words.text));
	return words;
}

static struct words size_of(uint64_t bytes)
{
	static const char *const units[] = { "kB", "MB", "GB", "TB", "PB", "EB" };
	struct words words;
	unsigned unit = 0;
	double n = (double)bytes / 1000;

	if (bytes < 10000) {
		(void)snprintf(words.text, sizeof(words.text), "%" PRIu64 " B", bytes);
		return words;
	}
	for (; n >= 999.5 && unit + 1 < sizeof(units) / sizeof(units[0]); unit++)
		n /= 1000;
	(void)snprintf(words.text, sizeof(words.text), n < 9.95 ? "%.1f %s" : "%.0f %s", n, units[unit]);
	return words;
}

/* ---- the end of a connection ---- */

static const char *limit_words(enum end_cause cause)
{
	switch (cause) {
	case CAUSE_QUEUE_LIMIT:
		return "not served: as many wait already as may (--queue-limit)";
	case CAUSE_QUEUE_TIMEOUT:
		return "not served: all nodes were busy for %s (--queue-timeout)";
	case CAUSE_DOWN_TIMEOUT:
		return "not served: no node was up for %s (--down-timeout)";
	case CAUSE_NO_HEADER:
		return "not served: no PROXY header had come after %s (--accept-proxy)";
	case CAUSE_BAD_HEADER:
		return "not served: what came first was no PROXY header (--accept-proxy)";
	case CAUSE_KILLED:
		return "not served: its relay was killed after %s";
	case CAUSE_PLAIN:
	case CAUSE_IDLE_TIMEOUT:
	case CAUSE_VANISHED:
		break;
	}
	return "not served: this machine could not, after %s";
}

/* What happened, after the names. Formats have at most one %s, for how long it took. */
static const char *end_words(const struct record *r)
{
	bool vanished = r->end_cause == CAUSE_VANISHED;

	if (r->end_phase == PHASE_QUEUE && (r->end_cause == CAUSE_NO_HEADER || r->end_cause == CAUSE_BAD_HEADER))
		return limit_words(r->end_cause);
	if (r->end_phase == PHASE_QUEUE)
		return r->ended_by == END_CLIENT ? "left after it had waited %s" :
		       r->ended_by == END_ADMIN ? "ended on demand after it had waited %s" : limit_words(r->end_cause);
	switch (r->ended_by) {
	case END_CLEAN:
		return "served in %s";
	case END_CLIENT:
		return r->end_phase == PHASE_CONNECT ? "left after %s, before the node had answered the connect" :
		       vanished ? "the client's machine vanished; given up after %s" : "broken off by the client after %s";
	case END_NODE:
		return vanished ? "the node's machine vanished; given up after %s" : "broken off by the node after %s";
	case END_ADMIN:
		return "ended on demand after %s";
	case END_RESOURCES:
		break;
	}
	if (r->end_cause == CAUSE_KILLED)
		return "ended after %s, as its relay was killed";
	return r->end_cause == CAUSE_IDLE_TIMEOUT ? "ended after %s, as nothing moved any more (--idle-timeout)" :
						    "ended after %s, as this machine could not go on";
}

/* Adds to a text that always has room. */
static void append(char text[static WORDS_MAX], const char *format, ...) __attribute__((format(printf, 2, 3)));
static void append(char text[static WORDS_MAX], const char *format, ...)
{
	size_t n = strlen(text);
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text + n, WORDS_MAX - n, format, ap);
	va_end(ap);
}

static void write_words(const struct record *r, char text[static WORDS_MAX])
{
	const char *format = end_words(r), *place = strstr(format, "%s");

	text[0] = '\0';
	append(text, "%s", r->client);
	if (r->end_phase != PHASE_QUEUE)
		append(text, " -> %s", r->node);
	append(text, ": %.*s", (int)(place ? place - format : (ptrdiff_t)strlen(format)), format);
	if (place)
		append(text, "%s%s", duration(r->total_usec).text, place + 2);
	if (r->end_phase == PHASE_QUEUE)
		return;
	if (r->wait_usec != UINT64_MAX && r->wait_usec >= NOTICEABLE_USEC)
		append(text, " (%s of it waiting)", duration(r->wait_usec).text);
	append(text, ", %s in, %s out", size_of(r->in).text, size_of(r->out).text);
}

/* The cause of an end, for fields. */
static const char *cause_name(enum end_cause cause)
{
	static const char *const names[] = {
		[CAUSE_PLAIN] = "-", [CAUSE_QUEUE_LIMIT] = "queue-limit", [CAUSE_QUEUE_TIMEOUT] = "queue-timeout",
		[CAUSE_DOWN_TIMEOUT] = "down-timeout", [CAUSE_IDLE_TIMEOUT] = "idle-timeout", [CAUSE_VANISHED] = "vanished",
		[CAUSE_NO_HEADER] = "no-header", [CAUSE_BAD_HEADER] = "bad-header",
		[CAUSE_KILLED] = "killed",
	};

	return names[cause];
}

/* A number for fields; "-" for the time of a phase that was never reached. */
static struct words exact(uint64_t number)
{
	struct words words = { "-" };
	struct text text = text_begin(words.text, sizeof(words.text));

	if (number == UINT64_MAX)
		text_add(&text, "-");
	else
		text_add_number(&text, number, 1);
	return words;
}

/* The client without its port. */
static const char *address_of(const char *client, char buffer[static ADDRESS_MAX])
{
	const char *colon = strrchr(client, ':');
	struct text text = text_begin(buffer, ADDRESS_MAX);

	text_add_part(&text, client, colon ? (size_t)(colon - client) : strlen(client));
	return buffer;
}

static bool is_told(const struct record *r)
{
	switch (lines) {
	case LINES_ALL:
		return true;
	case LINES_SLOW:
		return r->ended_by != END_CLEAN || r->total_usec >= slow_usec;
	case LINES_FAILED:
		return r->ended_by != END_CLEAN;
	case LINES_SAMPLE:
		return r->ended_by != END_CLEAN || r->ticket % sample == 0;
	case LINES_NONE:
		break;
	}
	return false;
}

/* What a line says with and without fields, but for the names of these. */
struct facts {
	const char *node, *local, *id, *cause;
	struct words slot, wait, connect, total, in, out, stands_for, failed_nodes;
	char end[3];
};

static void find_facts(const struct record *r, struct facts *ret)
{
	ret->node = *r->node ? r->node : "<NOSRV>";
	ret->local = *r->node_local ? r->node_local : "-";
	ret->id = *r->id ? r->id : "-";
	ret->cause = cause_name(r->end_cause);
	ret->slot = exact(*r->node ? r->slot : UINT64_MAX);
	ret->wait = exact(r->wait_usec);
	ret->connect = exact(r->connect_usec);
	ret->total = exact(r->total_usec);
	ret->in = exact(r->in);
	ret->out = exact(r->out);
	ret->stands_for = exact(lines == LINES_SAMPLE && r->ended_by == END_CLEAN ? sample : 1);
	ret->failed_nodes = exact(r->failed_nodes);
	ret->end[0] = (char)r->ended_by;
	ret->end[1] = (char)r->end_phase;
	ret->end[2] = '\0';
}

static void report_text(const struct record *r, const struct facts *facts)
{
	char line[TEXT_MAX], time[32];
	struct text text = text_begin(line, sizeof(line)), now = text_begin(time, sizeof(time));
	const char *const pieces[] = {
		"client=", r->client, " node=", facts->node, " slot=", facts->slot.text, " node_local=", facts->local,
		" wait_usec=", facts->wait.text, " connect_usec=", facts->connect.text, " total_usec=", facts->total.text,
		" bytes_in=", facts->in.text, " bytes_out=", facts->out.text, " farm=", farm, " id=", facts->id,
		" time=", time, " sample=", facts->stands_for.text, " cause=", facts->cause,
		" failed_nodes=", facts->failed_nodes.text, " end=", facts->end,
	};

	text_add_time(&now, now_realtime());
	for (size_t i = 0; i < sizeof(pieces) / sizeof(*pieces); i++)
		text_add(&text, pieces[i]);
	log_text(LOG_INFO, line);
}

static void report_fields(const struct record *r, const struct facts *facts)
{
	struct log_line line;
	char text[WORDS_MAX], address[ADDRESS_MAX];

	line.n = 0;
	write_words(r, text);
	log_put(&line, "MESSAGE=", text);
	log_put(&line, "MESSAGE_ID=", MESSAGE_CONNECTION);
	log_put(&line, "PRIORITY=", exact(LOG_INFO).text);
	log_put(&line, "COREBALANCE_FARM=", farm);
	log_put(&line, "COREBALANCE_NODE=", facts->node);
	log_put(&line, "COREBALANCE_SLOT=", facts->slot.text);
	log_put(&line, "COREBALANCE_CLIENT=", r->client);
	log_put(&line, "COREBALANCE_CLIENT_ADDRESS=", address_of(r->client, address));
	log_put(&line, "COREBALANCE_NODE_LOCAL=", facts->local);
	log_put(&line, "COREBALANCE_ID=", facts->id);
	log_put(&line, "COREBALANCE_WAIT_USEC=", facts->wait.text);
	log_put(&line, "COREBALANCE_CONNECT_USEC=", facts->connect.text);
	log_put(&line, "COREBALANCE_TOTAL_USEC=", facts->total.text);
	log_put(&line, "COREBALANCE_BYTES_IN=", facts->in.text);
	log_put(&line, "COREBALANCE_BYTES_OUT=", facts->out.text);
	log_put(&line, "COREBALANCE_SAMPLE=", facts->stands_for.text);
	log_put(&line, "COREBALANCE_CAUSE=", facts->cause);
	log_put(&line, "COREBALANCE_FAILED_NODES=", facts->failed_nodes.text);
	log_put(&line, "COREBALANCE_END=", facts->end);
	(void)log_send(&line);
}

void report_connection(const struct record *r, bool always)
{
	struct facts facts;

	if (!always && !is_told(r))
		return;
	find_facts(r, &facts);
	if (log_has_fields())
		report_fields(r, &facts);
	else
		report_text(r, &facts);
}

/* ---- a node ---- */

void report_node(const char *node, const struct score_edge *edge)
{
	const char *phrase = reason_to_string(edge->reason);
	bool up = edge->after == NODE_UP;
	struct log_line line = { 0 };
	char text[WORDS_MAX + NODE_NAME_MAX];

	if (edge->before == edge->after)
		return;
	score_edge_describe(node, edge, NULL, text, sizeof(text));
	if (!log_has_fields()) {
		log_text(LOG_NOTICE, text);
		return;
	}
	log_add(&line, "MESSAGE=%s", text);
	log_add(&line, "MESSAGE_ID=%s", up ? MESSAGE_NODE_UP : MESSAGE_NODE_DOWN);
	log_add(&line, "PRIORITY=%i", LOG_NOTICE);
	log_add(&line, "COREBALANCE_FARM=%s", farm);
	log_add(&line, "COREBALANCE_NODE=%s", node);
	log_add(&line, "COREBALANCE_OLD_STATE=%s", node_state_to_string(edge->before));
	log_add(&line, "COREBALANCE_NEW_STATE=%s", node_state_to_string(edge->after));
	log_add(&line, "COREBALANCE_REASON=%s", phrase);
	log_add(&line, "COREBALANCE_LASTED_USEC=%" PRIu64, edge->lasted_usec);
	(void)log_send(&line);
}
