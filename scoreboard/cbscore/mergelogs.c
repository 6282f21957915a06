/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * mergelogs.c: the verb mergelogs: nodes see all connections come from the
 * gateway, so their logs name the gateway as the client. The relay's log has
 * both ends, and the gateway's own address and port towards the node is what
 * joins the two. The nodes' lines are written in the order of their times, with
 * the real client in each.
 *
 * All files are read together, each once and from its beginning. A relay logs a
 * connection when it ends, after what the node wrote while it lasted. So
 * the gateway's log is read ahead, as far as --window says.
 */

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "merge/node_log.h"
#include "merge/passages.h"
#include "system/printable.h"
#include "system/timespan.h"
#include "verbs.h"

#define TOLD_MAX 10u /* lines of a log that are named because no client was found for them */

static const char *arg_pattern, *arg_time_format;
static uint64_t arg_skew_usec = 2 * USEC_PER_SEC;
static uint64_t arg_window_usec = 600 * USEC_PER_SEC;

struct merge {
	const char *gateway_path;
	struct gateway_log *gateway;
	bool gateway_over, gateway_failed; /* its log's end was read, or an error */
	struct passages *passages;
	uint64_t first_usec;        /* when the first connection began */
	struct node_log *logs;
	size_t n_logs;
};

/* ---- the gateway's log ---- */

/* Reads the next connection. 1, 0 at the end, or -errno. */
static int read_passage(struct merge *merge)
{
	struct passage passage;
	int r = merge->gateway_over ? 0 : gateway_log_next(merge->gateway, &passage);

	if (r <= 0) {
		merge->gateway_over = true;
		merge->gateway_failed = r < 0;
		return r;
	}
	if (passages_count(merge->passages) == 0)
		merge->first_usec = passage.begin_usec;
	r = passages_add(merge->passages, &passage);
	return r < 0 ? r : 1;
}

static int read_until(struct merge *merge, uint64_t usec)
{
	int r = 1;

	while (r > 0 && passages_last_usec(merge->passages) < usec)
		r = read_passage(merge);
	return r < 0 ? r : 0;
}

/* Reads ahead for a log without times: from the next connection that is younger than those that were found. */
static int read_for_timeless(struct merge *merge, const struct node_log *log)
{
	uint64_t newest_usec = log->n_recent ? log->newest_usec : merge->first_usec, next_usec;
	int r = 1;

	while (r > 0 && (next_usec = passages_first_after(merge->passages, newest_usec)) == 0)
		r = read_passage(merge);
	return r < 0 ? r : read_until(merge, (r > 0 ? next_usec : newest_usec) + arg_window_usec);
}

/* ---- a line ---- */

static void tell(struct node_log *log, const char *what)
{
	const struct node_line *says = &log->says;
	char client[128];

	if (log->missing + log->unclear > TOLD_MAX)
		return;
	(void)snprintf(client, sizeof(client), "%.*s%s%.*s", (int)(says->address_end - says->address_begin),
		       log->line + says->address_begin, says->port_end > says->port_begin ? ":" : "",
		       (int)(says->port_end - says->port_begin), log->line + says->port_begin);
	printable(client, '?');
	complain("%s:%llu: %s %s", log->path, (unsigned long long)log->number, client, what);
}

/* Finds the client of the line; NULL: it stays as it is. 0 or -errno. */
static int find_client(struct merge *merge, struct node_log *log, const char **ret)
{
	struct question question = {
		.peer = log->says.peer, .node = log->node, .usec = log->says.usec, .unit_usec = log->says.unit_usec,
		.skew_usec = arg_skew_usec,
	};
	bool timeless = question.unit_usec == 0;
	uint64_t begin_usec;
	int r = timeless ? read_for_timeless(merge, log) : read_until(merge, question.usec + arg_window_usec);

	*ret = NULL;
	if (r < 0)
		return r;
	if (timeless)
		question.usec = node_log_clock(log, merge->first_usec);
	switch (passages_find(merge->passages, &question, ret, &begin_usec)) {
	case FOUND:
		log->found++;
		if (timeless)
			node_log_note(log, begin_usec);
		break;
	case FOUND_NONE:
		log->missing++;
		tell(log, "is not found among the gateway's connections of that time");
		break;
	case FOUND_SEVERAL:
		log->unclear++;
		tell(log, "may be any of several clients");
		break;
	case FOUND_STRANGER:
		log->strangers++;
		break;
	}
	return 0;
}

/* Goes on to the next line. */
static int advance(struct merge *merge, struct node_log *log)
{
	uint64_t near_usec = passages_last_usec(merge->passages);
	int r = node_log_next(log, near_usec ? near_usec : now_realtime());

	if (r > 0)
		log->others += !log->names_client;
	return r < 0 ? r : 0;
}

/* The log with the line that comes next, or NULL. */
static struct node_log *earliest(const struct merge *merge)
{
	struct node_log *first = NULL;

	for (size_t i = 0; i < merge->n_logs; i++)
		if (merge->logs[i].file && (!first || merge->logs[i].order_usec < first->order_usec))
			first = &merge->logs[i];
	return first;
}

/* Forgets connections that no line to come can belong to. */
static void forget(struct merge *merge)
{
	uint64_t least_usec = UINT64_MAX;

	for (size_t i = 0; i < merge->n_logs; i++) {
		const struct node_log *log = &merge->logs[i];
		uint64_t usec = log->n_recent ? node_log_clock(log, merge->first_usec) : log->order_usec;

		if (log->file && usec < least_usec)
			least_usec = usec;
	}
	if (least_usec != UINT64_MAX && least_usec > arg_window_usec)
		passages_forget(merge->passages, least_usec - arg_window_usec);
}

static int write_next(struct merge *merge, struct node_log *log)
{
	const char *client = NULL;
	int r = log->names_client ? find_client(merge, log, &client) : 0;

	if (r < 0)
		return r;
	node_log_write(log, stdout, client);
	r = advance(merge, log);
	forget(merge);
	return r;
}

/* ---- all ---- */

static void tell_sums(const struct merge *merge)
{
	for (size_t i = 0; i < merge->n_logs; i++) {
		const struct node_log *log = &merge->logs[i];

		complain("%s: %llu lines: %llu with their client, %llu not found, %llu unclear, %llu not from the gateway, "
			 "%llu without a client", log->path, (unsigned long long)log->number, (unsigned long long)log->found,
			 (unsigned long long)log->missing, (unsigned long long)log->unclear,
			 (unsigned long long)log->strangers, (unsigned long long)log->others);
	}
	complain("%s: %llu connections, %llu of them in no line", merge->gateway_path,
		 (unsigned long long)passages_count(merge->passages),
		 (unsigned long long)passages_count_lineless(merge->passages));
	if (gateway_log_strange(merge->gateway) > 0)
		complain("%s: none of its %llu lines is of a connection: expected the log of a gateway", merge->gateway_path,
			 (unsigned long long)gateway_log_strange(merge->gateway));
	if (gateway_log_timeless(merge->gateway) > 0)
		complain("%s: %llu connections were left out: their lines have no time=, as an older relay wrote them",
			 merge->gateway_path, (unsigned long long)gateway_log_timeless(merge->gateway));
}

static int fail(const char *path, int error)
{
	complain("%s: %s", path, error == -EBADMSG ? "breaks off, or is no output of journalctl -o export" :
			      error == -EFBIG ? "a line is longer than 1 MiB" :
			      error == -E2BIG ? "a line takes the pattern too much work" : strerror(-error));
	return STATUS_FAILED;
}

static int merge_all(struct merge *merge)
{
	struct node_log *log = NULL;
	int r = read_passage(merge);

	if (r < 0)
		return fail(merge->gateway_path, r);
	for (size_t i = 0; i < merge->n_logs && r >= 0; i++) {
		log = &merge->logs[i];
		r = advance(merge, log);
	}
	while (r >= 0 && !ferror(stdout) && (log = earliest(merge)))
		r = write_next(merge, log);
	if (r < 0)
		return fail(merge->gateway_failed ? merge->gateway_path : log->path, r);
	while (r >= 0 && !merge->gateway_over)
		r = read_passage(merge);
	if (r < 0)
		return fail(merge->gateway_path, r);
	tell_sums(merge);
	return STATUS_OK;
}

static int open_logs(struct merge *merge, char **arguments)
{
	int r;

	for (size_t i = 0; i < merge->n_logs; i++) {
		r = node_log_open(arguments[i], &merge->logs[i]);
		if (r < 0)
			return fail(merge->logs[i].path, r);
	}
	return STATUS_OK;
}

static int open_all(struct merge *merge, char **arguments)
{
	int r = passages_new(&merge->passages);

	merge->logs = calloc(merge->n_logs, sizeof(*merge->logs));
	if (r == 0 && !merge->logs)
		r = -ENOMEM;
	if (r == 0)
		r = gateway_log_open(merge->gateway_path, &merge->gateway);
	return r < 0 ? fail(merge->gateway_path, r) : open_logs(merge, arguments);
}

/* Whether standard input is named more than once. */
static bool shares_input(int argc, char **argv)
{
	int n = 0;

	for (int i = 0; i < argc; i++) {
		size_t size = strlen(argv[i]);

		n += strcmp(argv[i], "-") == 0 || (i > 0 && size > 2 && strcmp(argv[i] + size - 2, "=-") == 0);
	}
	return n > 1;
}

static int read_names(const struct context *context)
{
	char why[EXPECTED_MAX];

	if (shares_input(context->n_arguments, context->arguments))
		return complain_usage("only one of the files can be standard input");
	if (arg_time_format && !arg_pattern)
		return complain_usage("--time-format: expected also --pattern");
	if (arg_pattern && node_format_use(arg_pattern, arg_time_format, why) < 0)
		return complain_usage("--pattern: \"%s\": expected %s", arg_pattern, why);
	return STATUS_OK;
}

static int mergelogs(const struct context *context)
{
	struct merge merge = { .gateway_path = context->arguments[0], .n_logs = (size_t)context->n_arguments - 1 };
	int status = open_all(&merge, context->arguments + 1);

	if (status == STATUS_OK)
		status = merge_all(&merge);
	for (size_t i = 0; merge.logs && i < merge.n_logs; i++)
		node_log_clear(&merge.logs[i]);
	free(merge.logs);
	(void)gateway_log_close(merge.gateway);
	(void)passages_free(merge.passages);
	node_format_clear();
	return status;
}

OPTION_TEXT(set_pattern, arg_pattern)
OPTION_TEXT(set_time_format, arg_time_format)

static int set_skew(void *settings, const char *value)
{
	(void)settings;
	return timespan_parse(value, &arg_skew_usec);
}

static int set_window(void *settings, const char *value)
{
	(void)settings;
	return timespan_parse(value, &arg_window_usec) == 0 && arg_window_usec > 0 ? 0 : -EINVAL;
}

static const struct option_row rows[] = {
	{ "pattern", 0, "REGEX", "how a line of the nodes' logs names its client, with groups (?<address>...), (?<port>...) and "
	  "(?<time>...)", "the common log format, and distccd's", "a regular expression", set_pattern, NULL },
	{ "time-format", 0, "FORMAT", "of the group time, as strptime(3) has it", "lines have no time", "a format of strptime(3)",
	  set_time_format, NULL },
	{ "skew", 0, "TIME", "how far the clock of a node may be from the gateway's", "2s", "a time such as 2s", set_skew, NULL },
	{ "window", 0, "TIME", "how long before the end of its connection a node's line may come", "10min", "a time such as 10min",
	  set_window, NULL },
};

static const struct option_set options = OPTION_SET(rows);

const struct action verb_mergelogs = {
	.verb = {
		.name = "mergelogs", .arguments = "GATEWAY-LOG [NODE=]LOG...", .min = 2, .max = -1, .options = { &options },
		.help = "write the logs of nodes with the real clients in them",
	},
	.read = read_names, .run = mergelogs, .no_stand_alone = true,
};
