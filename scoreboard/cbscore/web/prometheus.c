/* SPDX-License-Identifier: GPL-3.0-or-later */

/*
 * prometheus.c: a table of the families that have a value for each node, and a
 * function for each other family. A family is contiguous, with its HELP and TYPE
 * once.
 */

#include "prometheus.h"

#include <inttypes.h>

#include "system/timespan.h"

/* Writes a label. Three kinds of bytes in its value are escaped, as the format says; all others stay as they are. */
static void write_label(FILE *out, const char *name, const char *value)
{
	(void)fprintf(out, "%s=\"", name);
	for (const char *p = value; *p; p++) {
		if (*p == '\n')
			(void)fputs("\\n", out);
		else if (*p == '"' || *p == '\\')
			(void)fprintf(out, "\\%c", *p);
		else
			(void)fputc(*p, out);
	}
	(void)fputc('"', out);
}

static void begin_family(FILE *out, const char *name, const char *type, const char *help)
{
	(void)fprintf(out, "# HELP corebalance_%s %s\n# TYPE corebalance_%s %s\n", name, help, name, type);
}

/* Writes the beginning of a sample, up to the blank before its value. label may be NULL; else it has a value. */
static void begin_sample(FILE *out, const char *name, const struct snapshot *snapshot, const char *node,
			 const char *label, const char *value)
{
	(void)fprintf(out, "corebalance_%s{", name);
	write_label(out, "farm", snapshot->farm);
	if (node) {
		(void)fputc(',', out);
		write_label(out, "node", node);
	}
	if (label) {
		(void)fputc(',', out);
		write_label(out, label, value);
	}
	(void)fputs("} ", out);
}

/* ---- for each node ---- */

#define NODE_VALUE(name, value) \
	static double name(const struct snapshot_node *node) \
	{ \
		return (double)(value); \
	}

NODE_VALUE(value_slots, node->cores)
NODE_VALUE(value_limit, node->limit)
NODE_VALUE(value_share, share_of(node->share, node->cores))
NODE_VALUE(value_busy, node->busy)
NODE_VALUE(value_free, node->free)
NODE_VALUE(value_speed, node->speed)
NODE_VALUE(value_since, (double)node->since_usec / (double)USEC_PER_SEC)
NODE_VALUE(value_backup, node->backup)
NODE_VALUE(value_served, node->served)
NODE_VALUE(value_failed, node->failed)
NODE_VALUE(value_in, node->bytes_in)
NODE_VALUE(value_out, node->bytes_out)

/* Rows of one family stand together, and differ in the value of their label. */
static const struct node_family {
	const char *name, *type, *help;
	const char *label, *label_value;
	double (*value)(const struct snapshot_node *node);
} node_families[] = {
	{ "node_slots", "gauge", "Cores of the node: connections that it may have at once.", NULL, NULL, value_slots },
	{ "node_slots_limit", "gauge", "Connections at once that the node takes at present.", NULL, NULL, value_limit },
	{ "node_slots_share", "gauge", "Cores of the node that this gateway may use; others have the rest.", NULL, NULL, value_share },
	{ "node_slots_busy", "gauge", "Slots that are taken.", NULL, NULL, value_busy },
	{ "node_slots_free", "gauge", "Connections that the node would take now.", NULL, NULL, value_free },
	{ "node_speed_ratio", "gauge", "Speed of a core, 1 is ordinary.", NULL, NULL, value_speed },
	{ "node_backup", "gauge", "Whether the node is used only while no other is up.", NULL, NULL, value_backup },
	{ "node_state_since_timestamp_seconds", "gauge", "When the node's state began.", NULL, NULL, value_since },
	{ "node_connections_total", "counter", "Connections that ended, by result.", "result", "served", value_served },
	{ "node_connections_total", "counter", NULL, "result", "failed", value_failed },
	{ "node_bytes_total", "counter", "Bytes forwarded: in comes from clients, out goes to them.", "direction", "in", value_in },
	{ "node_bytes_total", "counter", NULL, "direction", "out", value_out },
};

/* Writes a family, or another row of a family, for some of the nodes. What stands before its samples comes with the first
 * node only. */
static void write_node_family(FILE *out, const struct snapshot *snapshot, const struct node_family *family,
			      struct form_nodes nodes)
{
	if (family->help && nodes.begin == 0)
		begin_family(out, family->name, family->type, family->help);
	for (size_t i = nodes.begin; i < nodes.end; i++) {
		const struct snapshot_node *node = &snapshot->nodes[i];

		begin_sample(out, family->name, snapshot, node->name, family->label, family->label_value);
		(void)fprintf(out, "%.17g\n", family->value(node));
	}
}

/* As write_node_family(). */
static void write_states(FILE *out, const struct snapshot *snapshot, struct form_nodes nodes)
{
	if (nodes.begin == 0)
		begin_family(out, "node_state", "gauge", "1 for the state that the node is in, 0 for the others.");
	for (size_t i = nodes.begin; i < nodes.end; i++) {
		const struct snapshot_node *node = &snapshot->nodes[i];

		for (enum node_state state = 0; state < NODE_STATE_MAX_; state++) {
			begin_sample(out, "node_state", snapshot, node->name, "state", node_state_to_string(state));
			(void)fprintf(out, "%d\n", node->state == state);
		}
	}
}

/* ---- for the farm ---- */

static void write_gauge(FILE *out, const struct snapshot *snapshot, const char *name, const char *help, double value)
{
	begin_family(out, name, "gauge", help);
	begin_sample(out, name, snapshot, NULL, NULL, NULL);
	(void)fprintf(out, "%.17g\n", value);
}

static void write_farm(FILE *out, const struct snapshot *snapshot)
{
	const struct score_totals *totals = &snapshot->totals;
	uint64_t oldest_usec = totals->oldest_since_usec && totals->oldest_since_usec < snapshot->taken_usec ?
			       snapshot->taken_usec - totals->oldest_since_usec : 0;

	write_gauge(out, snapshot, "queue_length", "Connections that wait for a slot.", (double)totals->waiting);
	write_gauge(out, snapshot, "queue_oldest_seconds", "How long the oldest of them has been waiting.",
		    (double)oldest_usec / (double)USEC_PER_SEC);
	write_gauge(out, snapshot, "paused", "Whether an administrator has paused the farm.", totals->paused);
	write_gauge(out, snapshot, "lapsed", "Whether the lease of the farm's cores is over: no slot is given out.", totals->lapsed);
	write_gauge(out, snapshot, "slots_kept", "Free slots that are kept from connections that wait, for faster slots.",
		    (double)totals->kept);
}

static void write_histogram(FILE *out, const struct snapshot *snapshot, const char *name, const char *help,
			    const struct score_histogram *histogram)
{
	char sample[64], bound[32];
	uint64_t total = 0;

	begin_family(out, name, "histogram", help);
	(void)snprintf(sample, sizeof(sample), "%s_bucket", name);
	for (unsigned i = 0; i < SCORE_BUCKETS; i++) {
		total += histogram->count[i];
		if (i + 1 < SCORE_BUCKETS)
			(void)snprintf(bound, sizeof(bound), "%g", (double)score_bucket_usec[i] / (double)USEC_PER_SEC);
		else
			(void)snprintf(bound, sizeof(bound), "+Inf");
		begin_sample(out, sample, snapshot, NULL, "le", bound);
		(void)fprintf(out, "%" PRIu64 "\n", total);
	}
	(void)snprintf(sample, sizeof(sample), "%s_sum", name);
	begin_sample(out, sample, snapshot, NULL, NULL, NULL);
	(void)fprintf(out, "%.17g\n", (double)histogram->sum_usec / (double)USEC_PER_SEC);
	(void)snprintf(sample, sizeof(sample), "%s_count", name);
	begin_sample(out, sample, snapshot, NULL, NULL, NULL);
	(void)fprintf(out, "%" PRIu64 "\n", total);
}

static void write_top(FILE *out, const struct snapshot *snapshot)
{
	begin_family(out, "build_info", "gauge", "The version of corebalance that wrote this; the value is 1.");
	begin_sample(out, "build_info", snapshot, NULL, "version", VERSION);
	(void)fputs("1\n", out);
	write_farm(out, snapshot);
	write_histogram(out, snapshot, "queue_wait_seconds", "How long connections waited for their slot.",
			&snapshot->history.wait);
	write_histogram(out, snapshot, "slot_hold_seconds", "How long connections held their slot.",
			&snapshot->history.hold);
}

/* The families of the farm are the first part; then come all parts of each family of nodes. */
static bool write_part(FILE *out, const struct snapshot *snapshot, size_t part)
{
	const size_t n = sizeof(node_families) / sizeof(node_families[0]);
	size_t family, count = form_count(snapshot);
	struct form_nodes nodes;

	if (part == 0) {
		write_top(out, snapshot);
		return true;
	}
	family = (part - 1) / count;
	nodes = form_nodes(snapshot, (part - 1) % count);
	if (family == 0)
		write_states(out, snapshot, nodes);
	else if (family <= n)
		write_node_family(out, snapshot, &node_families[family - 1], nodes);
	return family <= n;
}

const struct form prometheus_form = { "text/plain; version=0.0.4; charset=utf-8", write_part };
