/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * upgrade.h: what the records of an earlier format mean in this one.
 */

#include "store/store.h"

/*
 * Before SCORE_FORMAT_BOOTTIME the times of slots, tickets, remembered clients and
 * learned speeds were those of the wall clock. Makes them times of CLOCK_BOOTTIME, in
 * a store in memory. A record that cannot be read stays as it is. 0 or -errno.
 */
int upgrade_times(struct store *store);
