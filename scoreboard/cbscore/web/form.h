/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * form.h: a form in which a farm is shown: the page, the JSON, the figures. It is
 * written in parts of a bounded number of nodes. So an answer about 10,000 nodes,
 * which has 15 MB, never stands in memory as a whole.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "snapshot.h"

struct form {
	const char *type; /* its media type */
	/* Writes a part. The parts are numbered from 0, and their number depends on the snapshot alone. false: there is
	 * no such part, and nothing was written. The caller looks at errors of the stream. */
	bool (*write)(FILE *out, const struct snapshot *snapshot, size_t part);
};

/* Writes all parts. The caller looks at errors of the stream. */
void form_write(FILE *out, const struct form *form, const struct snapshot *snapshot);

/* Nodes of a snapshot, from begin to before end. */
struct form_nodes {
	size_t begin, end;
};

/* The number of parts that all nodes need; at least 1. */
size_t form_count(const struct snapshot *snapshot);

/* The nodes of one of these parts. */
struct form_nodes form_nodes(const struct snapshot *snapshot, size_t part);

/* A form in which the nodes stand one after the other between a top and a bottom. */
struct form_frame {
	void (*top)(FILE *out, const struct snapshot *snapshot);
	void (*node)(FILE *out, const struct snapshot *snapshot, size_t i); /* snapshot->nodes[i] */
	void (*bottom)(FILE *out, const struct snapshot *snapshot);
};

/* Writes a part, as struct form says: the top is the first part, the bottom the last. */
bool form_write_framed(FILE *out, const struct snapshot *snapshot, size_t part, const struct form_frame *frame);
