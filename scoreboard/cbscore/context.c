/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "context.h"
#include "command/fold.h"
#include "system/printable.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

void complain(const char *format, ...)
{
	char text[CONTEXT_WHY_MAX];
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fold_line(stderr, "cbscore: %s", text);
}

int complain_usage(const char *format, ...)
{
	char text[CONTEXT_WHY_MAX];
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

int complain_no_node(const char *name)
{
	complain("%s: no such node", name);
	return STATUS_NO_NODE;
}

const char *context_why(const struct context *context, int error, char text[static CONTEXT_WHY_MAX])
{
	const char *hint = "";

	if ((error == -EACCES || error == -EPERM) && geteuid() != 0)
		hint = "; become root, or a member of the group corebalance";
	else if (error == -ENOENT && strcmp(context->farm.scoreboard, SCORE_DEFAULT_PATH) == 0)
		hint = "; systemd-tmpfiles --create makes its folder";
	(void)snprintf(text, CONTEXT_WHY_MAX, "%s: %s%s", context->farm.scoreboard, score_strerror(error), hint);
	return text;
}

int complain_score(const struct context *context, int error)
{
	char why[CONTEXT_WHY_MAX];

	complain("%s", context_why(context, error, why));
	return STATUS_FAILED;
}

static void tell_error(const char *line)
{
	fold_line(stderr, "%s", line);
}

/* As context_read_nodes(); but STATUS_FAILED leaves it to the caller to tell why. With EX_CONFIG, why has the number of
 * mistakes, which were told. */
static int read_nodes(const char *path, size_t most, struct nodelist *ret, char why[static CONTEXT_WHY_MAX])
{
	bool is_stdin = strcmp(path, "-") == 0;
	int r = is_stdin ? nodelist_read_stream(stdin, "standard input", ret) : nodelist_read(path, ret);

	if (r < 0) {
		(void)snprintf(why, CONTEXT_WHY_MAX, "%s: %s", path, strerror(-r));
		return STATUS_FAILED;
	}
	if (ret->n_errors == 0)
		return STATUS_OK;
	nodelist_tell_errors(ret, most, tell_error);
	complain("%zu error%s; nothing is changed", ret->n_errors, ret->n_errors == 1 ? "" : "s");
	(void)snprintf(why, CONTEXT_WHY_MAX, "%s: %zu error%s", path, ret->n_errors, ret->n_errors == 1 ? "" : "s");
	nodelist_clear(ret);
	return EX_CONFIG;
}

int context_read_nodes(const char *path, size_t most, struct nodelist *ret)
{
	char why[CONTEXT_WHY_MAX];
	int status = read_nodes(path, most, ret, why);

	if (status == STATUS_FAILED)
		complain("%s", why);
	return status;
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

/* Opens the scoreboard, and does not ask whether it was made from this list. */
static int open_any(const struct context *context, struct score **ret, char why[static CONTEXT_WHY_MAX])
{
	struct nodelist list;
	int r, status;

	context_tell_of_damage();
	r = score_open(context->farm.scoreboard, NULL, ret);
	if (r == -ENODATA) {
		status = read_nodes(context->farm.nodes, NODELIST_ERRORS_SHOWN, &list, why);
		if (status != STATUS_OK)
			return status;
		r = score_open(context->farm.scoreboard, &list, ret);
		nodelist_clear(&list);
	}
	if (r < 0) {
		(void)context_why(context, r, why);
		return STATUS_FAILED;
	}
	score_set_nodes(*ret, context->farm.nodes);
	return STATUS_OK;
}

int context_open(const struct context *context, struct score **ret, char why[static CONTEXT_WHY_MAX])
{
	char text[2 * SCORE_LIST_MAX + 128];
	int status = open_any(context, ret, why);

	/* The default list was not named by the caller. */
	if (status != STATUS_OK || !context->farm.nodes_given ||
	    score_check_list(*ret, context->farm.nodes, text, sizeof(text)) != -EMEDIUMTYPE)
		return status;
	(void)snprintf(why, CONTEXT_WHY_MAX, "%s: %s", context->farm.scoreboard, text);
	*ret = score_close(*ret);
	return STATUS_FAILED;
}

int context_look(const struct context *context, struct score **ret, char why[static CONTEXT_WHY_MAX])
{
	int exists = score_exists(context->farm.scoreboard);

	if (exists == 1)
		return open_any(context, ret, why);
	if (exists < 0)
		(void)context_why(context, exists, why);
	else
		(void)snprintf(why, CONTEXT_WHY_MAX, "%s: no such scoreboard; cbscore load makes one", context->farm.scoreboard);
	return STATUS_FAILED;
}
