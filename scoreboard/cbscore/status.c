/* SPDX-License-Identifier: GPL-3.0-or-later */

/* status.c: the verb status: the farm in a few lines, as wg(8) shows its interfaces. */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "age.h"
#include "command/fold.h"
#include "kept.h"
#include "system/timespan.h"
#include "verbosity.h"
#include "verbs.h"
#include "web/status_json.h"

#define NODES_SHOWN 10u

/* Writes a number with commas between groups of three digits. */
static const char *thousands(uint64_t number, char text[static 32])
{
	char digits[24];
	int n = snprintf(digits, sizeof(digits), "%" PRIu64, number);
	char *to = text;

	for (int i = 0; i < n; i++) {
		if (i > 0 && (n - i) % 3 == 0)
			*to++ = ',';
		*to++ = digits[i];
	}
	*to = '\0';
	return text;
}

static void tell_farm(const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;
	char age[AGE_MAX], oldest[AGE_MAX + 16] = "";

	if (totals->waiting > 0)
		(void)snprintf(oldest, sizeof(oldest), " (oldest %s)", age_format(age_of(totals->oldest_since_usec), age));
	fold_line(stdout, "farm %s%s: %" PRIu64 " of %" PRIu64 " cores busy, %" PRIu64 " waiting%s, %" PRIu32 " of %" PRIu32 " node%s up",
		  snapshot->farm, totals->paused ? " is paused" : "", totals->busy, totals->slots, totals->waiting, oldest,
		  totals->nodes_up, totals->nodes, totals->nodes == 1 ? "" : "s");
}

/* Tells the nodes that are not up, since when, and why. */
static void tell_nodes(const struct snapshot *snapshot)
{
	size_t shown = 0, more = 0;

	for (size_t i = 0; i < snapshot->n_nodes; i++) {
		const struct snapshot_node *node = &snapshot->nodes[i];
		char age[AGE_MAX];

		if (node->state == NODE_UP)
			continue;
		if (shown == NODES_SHOWN) {
			more++;
			continue;
		}
		shown++;
		fold_line(stdout, "  %s %s %s%s%s", node->name, node_state_to_string(node->state),
			  age_format(age_of(node->since_usec), age), *node->why ? ": " : "", node->why);
	}
	if (more > 0)
		fold_line(stdout, "  and %zu more that are not up: cbscore list", more);
}

static void tell_hour(const struct score_history *history)
{
	struct score_histogram wait = { 0 };
	uint64_t served = 0, failed = 0;
	char text[2][32], p50[64], p99[64], waits[160] = "";

	for (unsigned i = 0; i < history->n_slices; i++) {
		const struct score_slice *slice = &history->slices[i];

		served += slice->served;
		failed += slice->failed;
		for (unsigned k = 0; k < SCORE_BUCKETS; k++)
			wait.count[k] += slice->wait.count[k];
	}
	if (score_histogram_total(&wait) > 0)
		(void)snprintf(waits, sizeof(waits), ", wait p50 %s, p99 %s",
			       timespan_format(score_histogram_quantile(&wait, 0.5), p50, sizeof(p50)),
			       timespan_format(score_histogram_quantile(&wait, 0.99), p99, sizeof(p99)));
	fold_line(stdout, "  last hour: %s served, %s failed%s", thousands(served, text[0]), thousands(failed, text[1]), waits);
}

/* Tells what is this gateway's, as "cores" in the first line means all that the nodes have. */
static void tell_share(const struct snapshot *snapshot)
{
	char text[SPLIT_TEXT_MAX];
	uint64_t shares = 0;

	for (size_t i = 0; i < snapshot->n_nodes; i++)
		if (snapshot->nodes[i].state != NODE_DRAINING)
			shares += share_of(snapshot->nodes[i].share, snapshot->nodes[i].cores);
	fold_line(stdout, "  share %s: %" PRIu64 " of %" PRIu64 " cores are this gateway's", split_format(&snapshot->totals.split, text),
		  shares, snapshot->totals.slots);
}

static int status(const struct context *context, const struct snapshot *snapshot)
{
	char kept[KEPT_MAX];

	if (context->json) {
		form_write(stdout, &status_json_form, snapshot);
		return STATUS_OK;
	}
	tell_farm(snapshot);
	if (snapshot->n_nodes == 0)
		fold_line(stdout, "  no nodes: connections wait until cbscore load or cbscore add gives it some");
	if (snapshot->totals.lapsed)
		fold_line(stdout, "  the farm's lease is over: every new connection waits until cbshare has another");
	if (snapshot->totals.kept > 0)
		fold_line(stdout, "  %s", kept_format(snapshot->totals.kept, snapshot->totals.kept_usec, kept));
	tell_nodes(snapshot);
	tell_hour(&snapshot->history);
	if (snapshot->totals.split.parts > 0)
		tell_share(snapshot);
	if (snapshot->verbosity > 0)
		fold_line(stdout, "  verbosity %" PRIu32 ": %s; cbscore verbosity 0 ends it", snapshot->verbosity,
			  verbosity_words(snapshot->verbosity));
	return STATUS_OK;
}

static const struct option_row rows[] = { JSON_ROW };

static const struct option_set options = OPTION_SET(rows);

const struct action verb_status = {
	.verb = {
		.name = "status", .arguments = "", .also = "stat summary", .options = { &options },
		.help = "the farm in a few lines, and what is wrong",
	},
	.tell = status,
};
