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
#include <time.h>

#include "system/log.h"
#include "system/number.h"
#include "system/timespan.h"

/* A MESSAGE_ID for each sort of event, see sd_journal_send(3); made by systemd-id128 new. */
#define MESSAGE_CONNECTION "6c2f0a7d9d5e4c83b6c0e7f4a1d2938b"
#define MESSAGE_NODE_DOWN "0e4b9c3f7a6d4f5a8b1c2d3e4f506172"
#define MESSAGE_NODE_UP "f3a8d1c6b5e94720918273645546372a"

#define WORDS_MAX 512
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
	(void)snprintf(ret, REPORT_ID_MAX + 1, "%s-%" PRIu64 "-%" PRIx64, farm, ticket, accepted_usec);
}

void report_message(int priority, const char *format, ...)
{
	char text[1024];
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
	};

	return names[cause];
}

/* Microseconds for fields; "-" for a phase that was never reached. */
static struct words exact(uint64_t usec)
{
	struct words words = { "-" };

	if (usec != UINT64_MAX)
		(void)snprintf(words.text, sizeof(words.text), "%" PRIu64, usec);
	return words;
}

/* Universal time, in the form of RFC 3339. */
static struct words moment(uint64_t usec)
{
	time_t seconds = (time_t)(usec / USEC_PER_SEC);
	struct words words = { "-" };
	struct tm tm;
	size_t n;

	if (!gmtime_r(&seconds, &tm))
		return words;
	n = strftime(words.text, sizeof(words.text), "%Y-%m-%dT%H:%M:%S", &tm);
	(void)snprintf(words.text + n, sizeof(words.text) - n, ".%06" PRIu64 "Z", usec % USEC_PER_SEC);
	return words;
}

/* The client without its port. */
static int address_size(const char *client)
{
	const char *colon = strrchr(client, ':');

	return colon ? (int)(colon - client) : (int)strlen(client);
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

void report_connection(const struct record *r, bool always)
{
	const char *node = *r->node ? r->node : "<NOSRV>", *local = *r->node_local ? r->node_local : "-";
	struct words wait = exact(r->wait_usec), connect = exact(r->connect_usec), total = exact(r->total_usec);
	struct words slot = exact(*r->node ? r->slot : UINT64_MAX);
	struct words stands_for = exact(lines == LINES_SAMPLE && r->ended_by == END_CLEAN ? sample : 1);
	const char *id = *r->id ? r->id : "-";
	char text[WORDS_MAX];
	struct log_line line = { 0 };

	if (!always && !is_told(r))
		return;
	if (!log_has_fields()) {
		report_message(LOG_INFO, "client=%s node=%s slot=%s node_local=%s wait_usec=%s connect_usec=%s total_usec=%s "
			       "bytes_in=%" PRIu64 " bytes_out=%" PRIu64 " farm=%s id=%s time=%s sample=%s cause=%s failed_nodes=%u "
			       "end=%c%c",
			       r->client, node, slot.text, local, wait.text, connect.text, total.text, r->in, r->out,
			       farm, id, moment(now_realtime()).text, stands_for.text, cause_name(r->end_cause), r->failed_nodes,
			       r->ended_by, r->end_phase);
		return;
	}
	write_words(r, text);
	log_add(&line, "MESSAGE=%s", text);
	log_add(&line, "MESSAGE_ID=" MESSAGE_CONNECTION);
	log_add(&line, "PRIORITY=%i", LOG_INFO);
	log_add(&line, "COREBALANCE_FARM=%s", farm);
	log_add(&line, "COREBALANCE_NODE=%s", node);
	log_add(&line, "COREBALANCE_SLOT=%s", slot.text);
	log_add(&line, "COREBALANCE_CLIENT=%s", r->client);
	log_add(&line, "COREBALANCE_CLIENT_ADDRESS=%.*s", address_size(r->client), r->client);
	log_add(&line, "COREBALANCE_NODE_LOCAL=%s", local);
	log_add(&line, "COREBALANCE_ID=%s", id);
	log_add(&line, "COREBALANCE_WAIT_USEC=%s", wait.text);
	log_add(&line, "COREBALANCE_CONNECT_USEC=%s", connect.text);
	log_add(&line, "COREBALANCE_TOTAL_USEC=%s", total.text);
	log_add(&line, "COREBALANCE_BYTES_IN=%" PRIu64, r->in);
	log_add(&line, "COREBALANCE_BYTES_OUT=%" PRIu64, r->out);
	log_add(&line, "COREBALANCE_SAMPLE=%s", stands_for.text);
	log_add(&line, "COREBALANCE_CAUSE=%s", cause_name(r->end_cause));
	log_add(&line, "COREBALANCE_FAILED_NODES=%u", r->failed_nodes);
	log_add(&line, "COREBALANCE_END=%c%c", r->ended_by, r->end_phase);
	(void)log_send(&line);
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
