/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "node_log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "log_line.h"
#include "passages.h"

/* The node of "NODE=FILE": it has a port and no folder, so that a file with a = in its name is not taken apart. */
static int take_node(const char **argument, char **ret)
{
	const char *equals = strchr(*argument, '=');
	size_t size = equals ? (size_t)(equals - *argument) : 0;

	*ret = NULL;
	if (!equals || memchr(*argument, '/', size) || !memchr(*argument, ':', size))
		return 0;
	*ret = strndup(*argument, size);
	*argument = equals + 1;
	return *ret ? 0 : -ENOMEM;
}

int node_log_open(const char *argument, struct node_log *ret)
{
	int r;

	*ret = (struct node_log){ .path = argument };
	r = take_node(&ret->path, &ret->node);
	if (r < 0)
		return r;
	ret->file = strcmp(ret->path, "-") == 0 ? stdin : fopen(ret->path, "re");
	return ret->file ? 0 : -errno;
}

static void end_file(struct node_log *log)
{
	if (log->file && log->file != stdin)
		(void)fclose(log->file);
	log->file = NULL;
}

void node_log_clear(struct node_log *log)
{
	end_file(log);
	free(log->line);
	free(log->node);
	*log = (struct node_log){ 0 };
}

static int read_line(struct node_log *log)
{
	int r = log_line_read(log->file, &log->line, &log->room, &log->size);

	if (r <= 0)
		end_file(log);
	else
		log->number++;
	return r;
}

int node_log_next(struct node_log *log, uint64_t near_usec)
{
	int r = log->file ? read_line(log) : 0;

	if (r <= 0)
		return r;
	r = node_format_read(log->line, log->size, near_usec, &log->says);
	if (r < 0)
		return r;
	log->names_client = r == 1;
	if (log->names_client && log->says.unit_usec && log->says.usec > log->order_usec)
		log->order_usec = log->says.usec;
	return 1;
}

uint64_t node_log_clock(const struct node_log *log, uint64_t first_usec)
{
	uint64_t clock_usec = log->recent_usec[0];

	/* The oldest of several: a line for which a later connection than its own was found must not push the clock ahead. */
	if (log->n_recent < NODE_LOG_RECENT)
		return first_usec;
	for (unsigned i = 1; i < NODE_LOG_RECENT; i++)
		if (log->recent_usec[i] < clock_usec)
			clock_usec = log->recent_usec[i];
	return clock_usec;
}

void node_log_note(struct node_log *log, uint64_t begin_usec)
{
	log->recent_usec[log->n_recent++ % NODE_LOG_RECENT] = begin_usec;
	if (log->n_recent == 2 * NODE_LOG_RECENT)
		log->n_recent = NODE_LOG_RECENT;
	if (begin_usec > log->newest_usec)
		log->newest_usec = begin_usec;
	if (begin_usec > log->order_usec)
		log->order_usec = begin_usec;
}

static void write_part(const struct node_log *log, FILE *out, size_t begin, size_t end)
{
	(void)fwrite(log->line + begin, 1, end - begin, out);
}

/* The client's address, in brackets only if the line had it in brackets. */
static void write_address(const struct node_log *log, FILE *out, const char *client, size_t size)
{
	bool bracketed = log->line[log->says.address_begin] == '[';

	if (!bracketed && size > 2 && client[0] == '[')
		(void)fwrite(client + 1, 1, size - 2, out);
	else
		(void)fwrite(client, 1, size, out);
}

static void write_with(const struct node_log *log, FILE *out, const char *client)
{
	const struct node_line *says = &log->says;
	size_t size = passages_address_size(client);

	write_part(log, out, 0, says->address_begin);
	if (says->port_end == says->port_begin) {
		write_address(log, out, client, size);
		write_part(log, out, says->address_end, log->size);
	} else if (says->port_begin == says->address_end + 1) {
		(void)fputs(client, out);
		write_part(log, out, says->port_end, log->size);
	} else {
		write_address(log, out, client, size);
		write_part(log, out, says->address_end, says->port_begin);
		(void)fputs(client[size] ? client + size + 1 : "-", out);
		write_part(log, out, says->port_end, log->size);
	}
}

void node_log_write(const struct node_log *log, FILE *out, const char *client)
{
	if (client)
		write_with(log, out, client);
	else
		write_part(log, out, 0, log->size);
	(void)putc('\n', out);
}
