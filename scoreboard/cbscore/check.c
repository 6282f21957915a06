/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * check.c: the verb check: the farm as a monitoring plugin reports it: one line
 * with figures for graphs behind a bar, and an exit status as plugins have it.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "age.h"
#include "kept.h"
#include "range.h"
#include "system/printable.h"
#include "system/timespan.h"
#include "verbs.h"
#include "web/json.h"

enum plugin_status { PLUGIN_OK, PLUGIN_WARNING, PLUGIN_CRITICAL, PLUGIN_UNKNOWN };

/* The figures that can have thresholds. */
enum figure { FREE, WAITING, OLDEST, DOWN, FIGURES_ };

static const struct {
	const char *name, *unit;
} figures[FIGURES_] = {
	[FREE] = { "free", "" }, [WAITING] = { "waiting", "" }, [OLDEST] = { "oldest", "s" }, [DOWN] = { "down", "" },
};

/* The thresholds of a level (warning or critical), by figure. */
struct level {
	bool given[FIGURES_];
	struct range range[FIGURES_];
	char text[FIGURES_][32];   /* as written, for the part of the line with the figures */
};

static struct level warning = { .given = { [DOWN] = true }, .text = { [DOWN] = "0" } };
static struct level critical;

/* Reads NAME=RANGE, or a range of free cores. */
static int read_threshold(const char *text, struct level *level)
{
	const char *equals = strchr(text, '='), *range = equals ? equals + 1 : text;
	enum figure figure = FREE;

	if (equals) {
		for (figure = 0; figure < FIGURES_; figure++)
			if (strlen(figures[figure].name) == (size_t)(equals - text) &&
			    strncmp(figures[figure].name, text, (size_t)(equals - text)) == 0)
				break;
		if (figure == FIGURES_)
			return -EINVAL;
	}
	if (strlen(range) >= sizeof(level->text[figure]) || range_parse(range, &level->range[figure]) < 0)
		return -EINVAL;
	level->given[figure] = true;
	(void)strcpy(level->text[figure], range);
	return 0;
}

static int read_thresholds(const char *value, struct level *level)
{
	int r = 0;

	while (r == 0) {
		size_t length = strcspn(value, ",");
		char one[64];

		if ((size_t)snprintf(one, sizeof(one), "%.*s", (int)length, value) >= sizeof(one))
			return -EINVAL;
		r = read_threshold(one, level);
		if (!value[length])
			break;
		value += length + 1;
	}
	return r;
}

static int set_warning(void *settings, const char *value)
{
	(void)settings;
	return read_thresholds(value, &warning);
}

static int set_critical(void *settings, const char *value)
{
	(void)settings;
	return read_thresholds(value, &critical);
}

#define THRESHOLDS "ranges, as in 4: or free=4:,waiting=10,oldest=30,down=0"

static const struct option_row rows[] = {
	{ "warning", 'w', "RANGES", "WARNING if a figure is outside: free, waiting, oldest (seconds), down; a range alone is "
	  "of free", "down=0", THRESHOLDS, set_warning, NULL },
	{ "critical", 'c', "RANGES", "the same for CRITICAL; that is also a farm without a node that is up, or with a lease that "
	  "is over", NULL, THRESHOLDS, set_critical, NULL },
	JSON_ROW,
};

static const struct option_set options = OPTION_SET(rows);

static bool alerts(const struct level *level, const double values[static FIGURES_])
{
	for (enum figure i = 0; i < FIGURES_; i++)
		if (level->given[i] && range_alerts(&level->range[i], values[i]))
			return true;
	return false;
}

/* Counts a node that should work and does not. A node that an administrator holds is no fault. */
static int count_down(const struct score_node *node, void *down)
{
	*(uint32_t *)down += node->state == NODE_DOWN || node->state == NODE_RETRY;
	return 0;
}

static const char *const words[] = { "OK", "WARNING", "CRITICAL", "UNKNOWN" };

/* Writes the answer for people: one line. */
static void tell_line(enum plugin_status status, const char *text, const double values[static FIGURES_])
{
	print(stdout, "COREBALANCE %s - %s |", words[status], text);
	for (enum figure i = 0; i < FIGURES_; i++)
		print(stdout, " %s=%.10g%s;%s;%s;0;", figures[i].name, values[i], figures[i].unit, warning.text[i], critical.text[i]);
	(void)putchar('\n');
}

static const char *threshold(const struct level *level, enum figure figure)
{
	return level->given[figure] ? level->text[figure] : NULL;
}

/* The same for programs; values NULL: they are not known. */
static void tell_json(enum plugin_status status, const char *text, const double *values)
{
	print(stdout, "{\"status\":\"%s\",\"text\":", words[status]);
	json_string(stdout, text);
	print(stdout, ",\"figures\":[");
	for (enum figure i = 0; values && i < FIGURES_; i++) {
		bool is_critical = critical.given[i] && range_alerts(&critical.range[i], values[i]);
		bool is_warning = warning.given[i] && range_alerts(&warning.range[i], values[i]);

		print(stdout, "%s{\"figure\":\"%s\",\"value\":%.10g,\"warning\":", i ? "," : "", figures[i].name, values[i]);
		json_string(stdout, threshold(&warning, i));
		print(stdout, ",\"critical\":");
		json_string(stdout, threshold(&critical, i));
		print(stdout, ",\"alert\":");
		json_string(stdout, is_critical ? words[PLUGIN_CRITICAL] : is_warning ? words[PLUGIN_WARNING] : NULL);
		(void)putchar('}');
	}
	print(stdout, "]}\n");
}

static int tell(const struct context *context, const struct score_totals *totals, uint32_t down)
{
	uint64_t waited_usec = totals->waiting > 0 ? age_of(totals->oldest_since_usec) : 0;
	const double values[FIGURES_] = {
		[FREE] = (double)totals->free, [WAITING] = (double)totals->waiting,
		[OLDEST] = (double)waited_usec / (double)USEC_PER_SEC, [DOWN] = down,
	};
	enum plugin_status status = PLUGIN_OK;
	char age[AGE_MAX], oldest[AGE_MAX + 16] = "", kept[KEPT_MAX] = "", text[256 + KEPT_MAX];

	if (alerts(&critical, values) || totals->nodes_up == 0 || totals->lapsed)
		status = PLUGIN_CRITICAL;
	else if (alerts(&warning, values) || totals->paused)
		status = PLUGIN_WARNING;
	if (totals->waiting > 0)
		(void)snprintf(oldest, sizeof(oldest), " (oldest %s)", age_format(waited_usec, age));
	if (totals->kept > 0)
		(void)kept_format(totals->kept, totals->kept_usec, kept);
	(void)snprintf(text, sizeof(text), "%s%" PRIu32 " of %" PRIu32 " node%s up, %" PRIu64 " of %" PRIu64 " cores busy, %" PRIu64
		       " waiting%s%s%s",
		       totals->paused ? "the farm is paused, " : totals->lapsed ? "the farm's lease is over, " : "",
		       totals->nodes_up, totals->nodes, totals->nodes == 1 ? "" : "s", totals->busy, totals->slots, totals->waiting, oldest,
		       *kept ? ", " : "", kept);
	if (context->json)
		tell_json(status, text, values);
	else
		tell_line(status, text, values);
	return (int)status;
}

static int unreadable(const struct context *context, const char *why)
{
	char text[CONTEXT_WHY_MAX];

	(void)snprintf(text, sizeof(text), "%s", why);
	printable_line(text);
	if (context->json)
		tell_json(PLUGIN_UNKNOWN, text, NULL);
	else
		print(stdout, "COREBALANCE UNKNOWN - %s\n", text);
	return PLUGIN_UNKNOWN;
}

static int check(const struct context *context, struct score *score)
{
	struct score_totals totals;
	uint32_t down = 0;
	int r = score_totals(score, &totals) ?: score_each_node(score, count_down, &down);

	return r < 0 ? r : tell(context, &totals, down);
}

const struct action verb_check = {
	.verb = {
		.name = "check", .arguments = "", .also = "nagios icinga", .options = { &options },
		.failed_status = PLUGIN_UNKNOWN,
		.help = "a monitoring plugin: 0 OK, 1 WARNING, 2 CRITICAL",
	},
	.look = check, .unreadable = unreadable,
};
