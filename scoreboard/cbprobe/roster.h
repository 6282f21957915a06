/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * roster.h: the nodes that a pass is about, with their addresses of today.
 */

#include "pass.h"
#include "probe.h"

struct roster {
	struct probe *probes;
	size_t n, room;
};

/*
 * Lists the nodes of the scoreboard that are to be checked, and resolves their
 * names. The scoreboard is told of addresses that have changed, and of names
 * that do not resolve. 0 or -errno; the caller ends *ret with roster_clear()
 * either way.
 */
int roster_load(struct score *score, const struct pass_options *options, struct roster *ret);

/* Frees what it holds. */
void roster_clear(struct roster *roster);
