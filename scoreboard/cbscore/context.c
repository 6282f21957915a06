/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "context.h"
#include "system/printable.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#define MESSAGE_MAX (2 * PATH_MAX + 1024) /* it may name two files */

void complain(const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	print(stderr, "cbscore: %s\n", text);
}

int complain_usage(const char *format, ...)
{
	char text[MESSAGE_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	(void)command_complain(&command, context_verb, "%s", text);
	return STATUS_USAGE;
}

int context_set_json(void *settings, const char *value)
{
	struct context *context = settings;

	(void)value;
	context->json = true;
	return 0;
}

int complain_score(const struct context *context, int error)
{
	const char *hint = "";

	if ((error == -EACCES || error == -EPERM) && geteuid() != 0)
		hint = "; become root, or a member of the group corebalance";
	else if (error == -ENOENT && strcmp(context->farm.scoreboard, SCORE_DEFAULT_PATH) == 0)
		hint = "; systemd-tmpfiles --create makes its folder";
	complain("%s: %s%s", context->farm.scoreboard, score_strerror(error), hint);
	return STATUS_FAILED;
}

int context_read_nodes(const char *path, struct nodelist *ret)
{
	bool is_stdin = strcmp(path, "-") == 0;
	int r = is_stdin ? nodelist_read_stream(stdin, "standard input", ret) : nodelist_read(path, ret);

	if (r < 0) {
		complain("%s: %s", path, strerror(-r));
		return STATUS_FAILED;
	}
	if (ret->n_errors == 0)
		return STATUS_OK;
	for (size_t i = 0; i < ret->n_errors; i++)
		print(stderr, "%s\n", ret->errors[i]);
	complain("%zu error%s; nothing is changed", ret->n_errors, ret->n_errors == 1 ? "" : "s");
	nodelist_clear(ret);
	return EX_CONFIG;
}

static void tell(const char *what)
{
	complain("%s", what);
}

void context_tell_of_damage(void)
{
	score_on_repair(tell);
	score_on_wait(tell, NULL);
	score_defer_stop();
}

/* Opens the scoreboard, without a look at the list. */
static int open_any(const struct context *context, struct score **ret)
{
	struct nodelist list;
	int r, status;

	context_tell_of_damage();
	r = score_open(context->farm.scoreboard, NULL, ret);
	if (r == -ENODATA) {
		status = context_read_nodes(context->farm.nodes, &list);
		if (status != STATUS_OK)
			return status;
		r = score_open(context->farm.scoreboard, &list, ret);
		nodelist_clear(&list);
	}
	if (r == 0)
		score_set_nodes(*ret, context->farm.nodes);
	return r < 0 ? complain_score(context, r) : STATUS_OK;
}

int context_open(const struct context *context, struct score **ret)
{
	char text[2 * SCORE_LIST_MAX + 128];
	int status = open_any(context, ret);

	/* The default list was not named by the caller. */
	if (status != STATUS_OK || !context->farm.nodes_given ||
	    score_check_list(*ret, context->farm.nodes, text, sizeof(text)) != -EMEDIUMTYPE)
		return status;
	complain("%s: %s", context->farm.scoreboard, text);
	*ret = score_close(*ret);
	return STATUS_FAILED;
}

int context_look(const struct context *context, struct score **ret)
{
	int exists = score_exists(context->farm.scoreboard);

	if (exists == 1)
		return open_any(context, ret);
	if (exists < 0)
		return complain_score(context, exists);
	complain("%s: no such scoreboard; cbscore load makes one", context->farm.scoreboard);
	return STATUS_FAILED;
}
