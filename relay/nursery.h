/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * nursery.h: a process that the listener forks when it is young, and from which
 * all relays are forked. Its memory stays as it was, so relays share what they do
 * not write themselves; those forked from the listener would each keep the pages
 * that the listener writes after the fork. The relays are the listener's children,
 * not the nursery's.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <systemd/sd-event.h>

#include "scoreboard.h"

struct nursery;

/* What the nursery works with; all of it stays the caller's and outlives the nursery. */
struct nursery_setup {
	sd_event *event;
	struct score *score;
	/* In the nursery: the descriptors that it and its relays need, besides 0 to 2 and the scoreboard's; NURSERY_KEPT_MAX
	 * at most. Returns their number. */
	size_t (*keep)(int *ret, void *arg);
	/* In the nursery: what is alike in all relays. *ret_pass: what clone(2) has as its fifth argument from then on. */
	void (*prepare)(uint64_t *ret_pass, void *arg);
	/* In a relay just forked, with the nursery's descriptors, and with all signals blocked: its whole life. Returns its
	 * exit status. */
	int (*live)(size_t number, int orders_fd, bool reserved, void *arg);
	void *arg;
};

#define NURSERY_KEPT_MAX 96
#define NURSERY_BIRTHS_MAX 8u /* relays of an order */

/* A relay to be forked. */
struct nursery_birth {
	size_t number;
	int orders_fd;           /* the relay has a copy */
	pid_t *born;             /* in memory that this process shares with all that it forks, mapped before nursery_new() */
	pid_t pid;               /* as nursery_fork() leaves it: of a child of this process; or -errno: no such relay */
};

/* Makes a nursery; its process is forked when it is needed. NULL: no memory. The caller ends it by nursery_free(). */
struct nursery *nursery_new(const struct nursery_setup *setup);

/* Ends the process and frees the nursery. NULL is fine. Returns NULL. */
struct nursery *nursery_free(struct nursery *nursery);

/* Ends the process, as the memory that it is a copy of has changed. The next nursery_fork() forks a new process. */
void nursery_renew(struct nursery *nursery);

/* The same, only if the scoreboard's file is another than when the process was forked. */
void nursery_follow(struct nursery *nursery);

/*
 * Has n relays forked, 1 to NURSERY_BIRTHS_MAX, by one order and with one answer: so they share the switches to the
 * nursery and back. The kernel writes the pid of each to its *born, too, as it makes the relay, whatever becomes of the
 * nursery then. reserved: as live() gets it: an order is on its way to each relay.
 */
void nursery_fork(struct nursery *nursery, struct nursery_birth *births, size_t n, bool reserved);
