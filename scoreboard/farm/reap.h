/* SPDX-License-Identifier: GPL-3.0-or-later */
#pragma once

/*
 * reap.h: when it is time to look for dead processes while no connection waits.
 */

#include <stdint.h>

#include "records/farm.h"

/* In how long the next look is due, if one is good for pause_usec: 0: now. A look is good for longer where many slots are
 * taken, and none is due where no slot is. */
uint64_t reap_due_usec(const struct farm *farm, uint64_t pause_usec);
