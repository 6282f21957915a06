/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "gateway_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "journal_export.h"
#include "key_values.h"
#include "log_line.h"
#include "moment.h"
#include "system/number.h"

#define MESSAGE_CONNECTION "6c2f0a7d9d5e4c83b6c0e7f4a1d2938b" /* as relay/report.c has it */
#define TIME_FORMAT "%Y-%m-%dT%H:%M:%S%z"

struct gateway_log {
	FILE *file;
	enum { KIND_UNKNOWN, KIND_EXPORT, KIND_LINES } kind;
	uint64_t units, connections, timeless; /* lines or entries, and those of them that are a relay's */
	struct journal_entry entry;
	char *line;     /* log_line_read()'s */
	size_t room;
};

int gateway_log_open(const char *path, struct gateway_log **ret)
{
	struct gateway_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	log->file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	if (!log->file) {
		int r = -errno;

		free(log);
		return r;
	}
	*ret = log;
	return 0;
}

struct gateway_log *gateway_log_close(struct gateway_log *log)
{
	if (!log)
		return NULL;
	if (log->file != stdin)
		(void)fclose(log->file);
	free(log->line);
	free(log);
	return NULL;
}

uint64_t gateway_log_timeless(const struct gateway_log *log)
{
	return log->timeless;
}

uint64_t gateway_log_strange(const struct gateway_log *log)
{
	return log->connections == 0 ? log->units : 0;
}

/* Fills the rest of *ret from texts. false: the connection reached no node, or the texts are none of a relay. */
static bool fill(struct passage *ret, const char *local, const char *total_usec)
{
	uint64_t usec;

	if (endpoint_parse(local, &ret->local) < 0 || ret->local.port == 0 || number_parse(total_usec, 0, UINT64_MAX, &usec) < 0)
		return false;
	ret->begin_usec = usec < ret->end_usec ? ret->end_usec - usec : 0;
	return true;
}

static bool copy(char *to, size_t size, const char *from)
{
	size_t n = strlen(from);

	if (n == 0 || n >= size)
		return false;
	(void)memcpy(to, from, n + 1);
	return true;
}

/* end_usec: 0 where only the line itself has the time. */
static bool from_key_values(struct gateway_log *log, const char *line, uint64_t end_usec, struct passage *ret)
{
	char local[80], total[24], time[64];
	uint64_t unit_usec;

	if (!key_values_get(line, "client", ret->client, sizeof(ret->client)) ||
	    !key_values_get(line, "node", ret->node, sizeof(ret->node)) ||
	    !key_values_get(line, "node_local", local, sizeof(local)) || !key_values_get(line, "total_usec", total, sizeof(total)))
		return false;
	log->connections++;
	ret->end_usec = end_usec;
	if (key_values_get(line, "time", time, sizeof(time)))
		(void)moment_parse(time, strlen(time), TIME_FORMAT, 0, &ret->end_usec, &unit_usec);
	if (ret->end_usec == 0) {
		log->timeless++;
		return false;
	}
	return fill(ret, local, total);
}

static bool from_entry(struct gateway_log *log, struct passage *ret)
{
	const struct journal_entry *entry = &log->entry;
	const char *line = key_values_find(entry->message);
	uint64_t end_usec;

	if (number_parse(entry->realtime, 1, UINT64_MAX, &end_usec) < 0)
		return false;
	if (strcmp(entry->message_id, MESSAGE_CONNECTION) != 0)
		return line && from_key_values(log, line, end_usec, ret);
	log->connections++;
	ret->end_usec = end_usec;
	return copy(ret->client, sizeof(ret->client), entry->client) && copy(ret->node, sizeof(ret->node), entry->node) &&
	       fill(ret, entry->node_local, entry->total_usec);
}

static int next_entry(struct gateway_log *log, struct passage *ret)
{
	int r;

	do {
		r = journal_export_read(log->file, &log->entry);
		log->units += r > 0;
	} while (r > 0 && !from_entry(log, ret));
	return r;
}

static int next_line(struct gateway_log *log, struct passage *ret)
{
	const char *line;
	size_t size;

	for (;;) {
		int r = log_line_read(log->file, &log->line, &log->room, &size);

		if (r <= 0)
			return r;
		log->units++;
		line = key_values_find(log->line);
		if (line && from_key_values(log, line, 0, ret))
			return 1;
	}
}

/* An entry of the journal begins with a field that has a name with two underscores in front; no line of text does. */
static int find_kind(struct gateway_log *log)
{
	int c;

	errno = 0;
	c = getc(log->file);
	if (c == EOF && ferror(log->file))
		return errno ? -errno : -EIO;
	(void)ungetc(c, log->file);
	log->kind = c == '_' ? KIND_EXPORT : KIND_LINES;
	return 0;
}

int gateway_log_next(struct gateway_log *log, struct passage *ret)
{
	int r = log->kind == KIND_UNKNOWN ? find_kind(log) : 0;

	if (r < 0)
		return r;
	return log->kind == KIND_EXPORT ? next_entry(log, ret) : next_line(log, ret);
}
