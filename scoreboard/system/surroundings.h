/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * surroundings.h: where a process runs. Processes of one farm must see each other
 * by the same pids, count the same time, reach each other's sockets and have the
 * same users; so they must be in the same pid, time, network and user namespace.
 */

#include <stdbool.h>
#include <stdint.h>

#include "holder.h"

/* Stored in the scoreboard as it is. A boot of all zeros, or a number 0: not known. */
struct surroundings {
	uint8_t boot[BOOT_SIZE];   /* the numbers below are of this boot: /proc/sys/kernel/random/boot_id */
	uint64_t pid, time, net, user; /* inode numbers of /proc/self/ns/... */
};

/* The surroundings of the calling process. */
void surroundings_self(struct surroundings *ret);

/* Whether processes in the two may share a farm. What is not known of either (/proc may be hidden) counts as equal. */
bool surroundings_agree(const struct surroundings *a, const struct surroundings *b);
