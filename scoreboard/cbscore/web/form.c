/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "form.h"

#define NODES_IN_PART 64u

void form_write(FILE *out, const struct form *form, const struct snapshot *snapshot)
{
	for (size_t part = 0; form->write(out, snapshot, part); part++)
		;
}

size_t form_count(const struct snapshot *snapshot)
{
	return snapshot->n_nodes == 0 ? 1 : (snapshot->n_nodes - 1) / NODES_IN_PART + 1;
}

struct form_nodes form_nodes(const struct snapshot *snapshot, size_t part)
{
	struct form_nodes nodes = { part * NODES_IN_PART, (part + 1) * NODES_IN_PART };

	if (nodes.end > snapshot->n_nodes)
		nodes.end = snapshot->n_nodes;
	return nodes;
}

bool form_write_framed(FILE *out, const struct snapshot *snapshot, size_t part, const struct form_frame *frame)
{
	struct form_nodes nodes;

	if (part == 0) {
		frame->top(out, snapshot);
	} else if (part <= form_count(snapshot)) {
		nodes = form_nodes(snapshot, part - 1);
		for (size_t i = nodes.begin; i < nodes.end; i++)
			frame->node(out, snapshot, i);
	} else if (part == form_count(snapshot) + 1) {
		frame->bottom(out, snapshot);
	} else {
		return false;
	}
	return true;
}
