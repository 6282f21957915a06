/* SPDX-License-Identifier: GPL-3.0-or-later */

#include "farm_nodes.h"

#include <stdlib.h>

#include "system/grow.h"

static int collect(const struct score_node *node, void *arg)
{
	struct farm_nodes *farm = arg;
	int r = GROW(farm->nodes, farm->n, farm->room);

	if (r == 0)
		farm->nodes[farm->n++] = *node;
	return r;
}

int farm_nodes_copy(struct score *score, struct farm_nodes *ret)
{
	int r;

	*ret = (struct farm_nodes){ 0 };
	r = score_each_node(score, collect, ret);
	if (r < 0)
		farm_nodes_clear(ret);
	return r;
}

void farm_nodes_clear(struct farm_nodes *farm)
{
	free(farm->nodes);
	*farm = (struct farm_nodes){ 0 };
}
