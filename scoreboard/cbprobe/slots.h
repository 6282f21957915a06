/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * slots.h: the slots that checks hold: a check that makes its node work takes a
 * slot of the node. The cores of a farm may be leased; such slots may be held only
 * until the lease is over.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cbprobe/checks/check.h"
#include "scoreboard.h"

struct slots {
	struct score *score;
	uint32_t held;       /* so many checks hold a slot */
	uint64_t lease_usec; /* until when they may, as the farm said it last: CLOCK_BOOTTIME; 0: always */
};

/*
 * Takes a slot of the node if the check makes it work; the slot is kept in the
 * probe's conversation. OUTCOME_PENDING: the check may begin. OUTCOME_LATER, only
 * the first time: no slot is free. OUTCOME_UP: none is free, and the node has served
 * since the last pass: it need not be asked (probe->spared). OUTCOME_UNKNOWN: the
 * node cannot be asked; *ret_error becomes a negative errno if the scoreboard failed.
 */
enum outcome slots_admit(struct slots *slots, struct probe *probe, int *ret_error);

/* Whether the probe's check holds a slot. */
bool slots_has(const struct probe *probe);

/*
 * Gives back the slot of the probe, if it has any. judged: the check told something
 * of the node, so the slot's connection counts as served. 0 or -errno.
 */
int slots_give_back(struct slots *slots, struct probe *probe, bool judged);

/* When the lease of slots that are held ends: CLOCK_BOOTTIME; 0: never, or none is held. */
uint64_t slots_end_usec(const struct slots *slots);

/* Looks whether the lease is over, if its time has come. 0 or -errno; *ret_over: no slot may be held any longer. */
int slots_are_over(struct slots *slots, bool *ret_over);
