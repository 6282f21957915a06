/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "status_json.h"

#include <inttypes.h>

#include "json.h"
#include "system/timespan.h"

static const char *boolean(bool value)
{
	return value ? "true" : "false";
}

static void write_share(FILE *out, const struct snapshot_node *node)
{
	if (node->share != SHARE_NONE)
		(void)fprintf(out, ",\"share\":%" PRIu32, node->share);
	else
		(void)fputs(",\"share\":null", out);
}

static void write_node(FILE *out, const struct snapshot *snapshot, size_t i)
{
	const struct snapshot_node *node = &snapshot->nodes[i];

	(void)fprintf(out, "%s{\"node\":", i ? "," : "");
	json_string(out, node->name);
	(void)fprintf(out, ",\"cores\":%" PRIu32 ",\"limit\":%" PRIu32 ",\"busy\":%" PRIu32 ",\"free\":%" PRIu32
		      ",\"state\":\"%s\",\"since\":%.6f,\"reason\":", node->cores, node->limit, node->busy, node->free,
		      node_state_to_string(node->state), (double)node->since_usec / (double)USEC_PER_SEC);
	json_string(out, *node->why ? node->why : NULL);
	write_share(out, node);
	(void)fprintf(out, ",\"backup\":%s,\"speed\":%g,\"pinned\":%s,\"served\":%" PRIu64 ",\"failed\":%" PRIu64
		      ",\"in\":%" PRIu64 ",\"out\":%" PRIu64 "}", boolean(node->backup), node->speed,
		      boolean(node->pinned), node->served, node->failed, node->bytes_in, node->bytes_out);
}

static void write_split(FILE *out, const struct split *split)
{
	char text[SPLIT_TEXT_MAX];

	if (split->parts > 0)
		(void)fprintf(out, ",\"share\":\"%s\"", split_format(split, text));
	else
		(void)fputs(",\"share\":null", out);
}

/* Writes seconds, or null if the time is not known. */
static void write_seconds(FILE *out, const char *name, uint64_t usec, bool known)
{
	if (known)
		(void)fprintf(out, ",\"%s\":%.6f", name, (double)usec / (double)USEC_PER_SEC);
	else
		(void)fprintf(out, ",\"%s\":null", name);
}

static void write_slice(FILE *out, const struct score_slice *slice)
{
	bool any = score_histogram_total(&slice->wait) > 0;

	(void)fprintf(out, "{\"begin\":%.0f,\"served\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"busy_most\":%" PRIu32
		      ",\"waiting_most\":%" PRIu32, (double)slice->begin_usec / (double)USEC_PER_SEC, slice->served,
		      slice->failed, slice->busy, slice->waiting);
	write_seconds(out, "wait_p50", score_histogram_quantile(&slice->wait, 0.5), any);
	write_seconds(out, "wait_p99", score_histogram_quantile(&slice->wait, 0.99), any);
	(void)fputc('}', out);
}

static void write_top(FILE *out, const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;

	(void)fputs("{\"farm\":", out);
	json_string(out, snapshot->farm);
	(void)fprintf(out, ",\"version\":\"%s\",\"time\":%.6f,\"paused\":%s,\"lapsed\":%s,\"slots\":%" PRIu64 ",\"busy\":%" PRIu64
		      ",\"free\":%" PRIu64 ",\"kept\":%" PRIu64 ",\"waiting\":%" PRIu64, VERSION,
		      (double)snapshot->taken_usec / (double)USEC_PER_SEC, boolean(totals->paused), boolean(totals->lapsed),
		      totals->slots, totals->busy, totals->free, totals->kept, totals->waiting);
	write_seconds(out, "kept_until", wall_time(totals->kept_usec), totals->kept > 0);
	write_split(out, &totals->split);
	write_seconds(out, "oldest_since", totals->oldest_since_usec, totals->oldest_since_usec != 0);
	(void)fprintf(out, ",\"nodes_up\":%" PRIu32 ",\"nodes\":[", totals->nodes_up);
}

static void write_bottom(FILE *out, const struct snapshot *snapshot)
{
	(void)fprintf(out, "],\"slice_seconds\":%.0f,\"slices\":[", (double)SCORE_SLICE_USEC / (double)USEC_PER_SEC);
	for (unsigned i = 0; i < snapshot->history.n_slices; i++) {
		(void)fputs(i ? "," : "", out);
		write_slice(out, &snapshot->history.slices[i]);
	}
	(void)fputs("]}\n", out);
}

static bool write_part(FILE *out, const struct snapshot *snapshot, size_t part)
{
	static const struct form_frame frame = { write_top, write_node, write_bottom };

	return form_write_framed(out, snapshot, part, &frame);
}

const struct form status_json_form = { "application/json", write_part };
