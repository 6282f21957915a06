/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <syslog.h>
#include <time.h>

#include "report.h"
#include "sigterm.h"

/* ---- the nodes ---- */

/* Adds a node given as "[HOST:]PORT[/CORES]", the notation of IAWLB. 0 or -ENOMEM. A mistake in the text becomes an
 * error of the list. */
static int add_node(struct nodelist *list, const char *argument, int number)
{
	char place[32], *copy = strdup(argument), *slash, *colon, *host, *port;
	int r;

	if (!copy)
		return -ENOMEM;
	(void)snprintf(place, sizeof(place), "argument %d", number);
	slash = strrchr(copy, '/');
	if (slash)
		*slash = '\0';
	colon = strrchr(copy, ':');
	if (colon)
		*colon = '\0';
	host = colon ? copy : NULL;
	port = colon ? colon + 1 : copy;
	r = nodelist_add(list, place, host && *host ? host : "localhost", port, slash ? slash + 1 : "1");
	free(copy);
	return r < 0 ? r : 0;
}

/* Makes a list that is missing or wrong an empty one. Its first error goes to *ret_wrong. */
static int empty_list(const char *path, int error, struct nodelist *list, char **ret_wrong)
{
	char *real = list->path;
	int n;

	if (error < 0)
		n = asprintf(ret_wrong, "%s: %s", path, strerror(-error));
	else if (list->n_errors > 1)
		n = asprintf(ret_wrong, "%s; and %zu more", list->errors[0], list->n_errors - 1);
	else
		n = asprintf(ret_wrong, "%s", list->errors[0]);
	if (n < 0)
		*ret_wrong = NULL;
	list->path = NULL;
	nodelist_clear(list);
	list->path = real;
	report_no_nodes(path);
	return n < 0 ? EX_OSERR : EX_OK;
}

/* With ret_wrong, a list that is missing or wrong is as an empty one, and *ret_wrong says what is wrong. With NULL, such
 * a list is an error. */
static int read_nodes(const struct options *options, struct nodelist *list, char **ret_wrong)
{
	int r = 0;

	if (options->n_arguments > 1) {
		for (int i = 1; r == 0 && i < options->n_arguments; i++)
			r = add_node(list, options->arguments[i], i + 1);
	} else {
		r = nodelist_read(options->farm.nodes, list);
	}
	if (r < 0)
		report_message(LOG_ERR, "%s: %s", options->farm.nodes, strerror(-r));
	report_mistakes(list);
	if (r < 0 || list->n_errors > 0)
		return ret_wrong && r != -ENOMEM ? empty_list(options->farm.nodes, r, list, ret_wrong) : EX_CONFIG;
	if (list->n_nodes == 0)
		report_no_nodes(options->farm.nodes);
	return EX_OK;
}

int farm_check_arguments(const struct options *options)
{
	struct nodelist list = { 0 };
	int r = 0;

	for (int i = 1; r == 0 && i < options->n_arguments; i++)
		r = add_node(&list, options->arguments[i], i + 1);
	report_mistakes(&list);
	if (r == 0 && list.n_errors > 0)
		r = EX_CONFIG;
	else if (r < 0)
		r = EX_OSERR;
	nodelist_clear(&list);
	return r;
}

/* ---- the scoreboard ---- */

static int open_failed(const char *path, int r)
{
	report_message(LOG_ERR, "%s: %s", path, score_strerror(r));
	return score_file_is_wrong(r) ? EX_CONFIG : EX_OSERR;
}

/* Limits this gateway to its share ($SHARE) of each node. If several processes begin at once, each goes on when all nodes are
 * divided, whichever process divides them. Returns an exit status. */
static int take_share(const struct options *options, const char *path, struct score *score)
{
	/* A lease may be over because other gateways have the cores now: only an administrator may end it. */
	int r = options->share ? score_split(score, &options->split, false) : 1;

	if (r == -EBUSY) {
		report_message(LOG_ERR, "%s: $SHARE is %s, but the cores of this farm are leased", path, options->share);
		return EX_CONFIG;
	}
	if (r == 0)
		report_message(LOG_NOTICE, "share %s of each node", options->share);
	return r < 0 ? open_failed(path, r) : EX_OK;
}

static void tell(const char *what)
{
	report_message(LOG_WARNING, "%s", what);
}

/* Reads the list if the scoreboard has no node: the list may have been corrected since the scoreboard was made. */
static void fill(const struct options *options, struct farm *farm, char **ret_wrong)
{
	struct nodelist list = { 0 };
	struct score_totals totals;
	int r = score_totals(farm->score, &totals);

	if (r < 0 || totals.nodes > 0)
		return;
	if (read_nodes(options, &list, ret_wrong) == EX_OK && list.n_nodes > 0) {
		r = score_load(farm->score, &list, NULL);
		if (r < 0)
			report_message(LOG_ERR, "%s: %s", options->farm.nodes, score_strerror(r));
	}
	nodelist_clear(&list);
}

static int tell_if_unresolved(const struct score_node *node, void *arg)
{
	(void)arg;
	if (node->n_addresses == 0 && node->reason == REASON_UNRESOLVED)
		report_message(LOG_WARNING, "%s: the name does not resolve, so this node gets no connection",
			       node->config.name);
	return 0;
}

/* Loads the nodes of the command line. No prober looks at them, so what is wrong with their names is told now. */
static int load_given(struct score *score, const struct nodelist *list)
{
	int r = score_load(score, list, NULL);

	return r < 0 ? r : score_each_node(score, tell_if_unresolved, NULL);
}

#define SHORTAGE_PAUSE_NSEC 250000000L

/* As score_open(). A relay to which clients are connected, or may be, waits for what this machine is short of. */
static int open_for(enum farm_use use, const char *path, const struct nodelist *list, struct score **ret)
{
	const struct timespec pause = { .tv_nsec = SHORTAGE_PAUSE_NSEC };
	bool told = false;
	int r;

	while (score_is_shortage(r = score_open(path, list, ret)) && use != FARM_OF_COMMAND_LINE && !sigterm_is_asked()) {
		if (!told)
			report_message(LOG_ERR, "cannot open %s: %s; trying again until it can be done", path, score_strerror(r));
		told = true;
		score_on_wait(NULL, sigterm_is_asked); /* each attempt would tell of the same process */
		(void)nanosleep(&pause, NULL);
	}
	score_on_wait(tell, sigterm_is_asked);
	return r;
}

/* Opens the scoreboard. The node list is read only if there is no scoreboard yet, or, by a process that stays, if the
 * scoreboard has no node. */
static int open_scoreboard(const struct options *options, const char *path, enum farm_use use, struct farm *farm)
{
	struct nodelist list = { 0 };
	bool given = options->n_arguments > 1, made = false;
	char **ret_wrong = use == FARM_OF_COMMAND_LINE || given ? NULL : &farm->wrong;
	struct score **ret = &farm->score;
	char text[2 * SCORE_LIST_MAX + 128];
	int r, status = EX_OK;

	score_on_repair(tell);
	score_on_wait(tell, sigterm_is_asked);
	score_defer_stop();
	r = given ? -ENODATA : open_for(use, path, NULL, ret);
	if (r == -EPROTO && score_upgrade(path) == 0)
		r = open_for(use, path, NULL, ret);
	if (r == -ENODATA) {
		made = true;
		status = read_nodes(options, &list, ret_wrong);
		if (status == EX_OK)
			r = open_for(use, path, &list, ret);
		if (status == EX_OK && r == 0 && given)
			r = load_given(*ret, &list);
		nodelist_clear(&list);
	}
	if (status != EX_OK)
		return status;
	if (r == 0 && !given) {
		score_set_nodes(*ret, options->farm.nodes);
		/* Compared only if the administrator named the list, not for the default list. */
		if (options->farm.nodes_given &&
		    score_check_list(*ret, options->farm.nodes, text, sizeof(text)) == -EMEDIUMTYPE) {
			report_message(LOG_ERR, "%s: %s", path, text);
			return EX_CONFIG;
		}
		if (!made && use != FARM_OF_CONNECTION)
			fill(options, farm, ret_wrong);
	}
	return r < 0 ? open_failed(path, r) : take_share(options, path, *ret);
}

bool farm_is_alone(const struct options *options)
{
	return options->n_arguments > 1 && !options->farm.scoreboard_given;
}

int farm_open(const struct options *options, enum farm_use use, struct farm *ret)
{
	const char *path = options->farm.scoreboard;
	int r;

	*ret = (struct farm){ .alone.fd = -1 };
	if (farm_is_alone(options)) {
		r = alone_make(&ret->alone);
		if (r < 0) {
			report_message(LOG_ERR, "cannot make a folder for the scoreboard: %s", strerror(-r));
			return EX_OSERR;
		}
		path = ret->alone.path;
		report_message(LOG_INFO, "scoreboard %s", path);
	}
	return open_scoreboard(options, path, use, ret);
}

void farm_close(struct farm *farm)
{
	(void)score_close(farm->score);
	alone_remove(&farm->alone);
	free(farm->wrong);
}
